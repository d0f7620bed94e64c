"""Gives the first weights of a new run to its networks: those of another run's checkpoint where they fit, and says which.

G and D by `runs/transfer.py`, the averaged weights as G, an optimiser's state with each weight that was taken over whole,
the running means of D's logits with a D that was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.data.store import Store
from ganglion.errors import RunError
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.platform.files import write_atomically
from ganglion.recipe.attributes import vector_names
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, save_checkpoint
from ganglion.runs.folder import Run, difference
from ganglion.runs.optimizer_state import load_optimizers
from ganglion.runs.transfer import ClassRows, Pieces, filled, match, part_of, weights_taken
from ganglion.training.own import Own
from ganglion.training.players import Players
from ganglion.training.prepare import batches_for, build_first_players
from ganglion.training.start_from import START_FILE, Origin, recipes_before
from ganglion.training.start_report import start_text

__all__ = ["StartedPlayers", "started_players", "take_over"]

PLAYERS = ("generator", "discriminator")


@dataclass(frozen=True)
class StartedPlayers:
    """The players of a new run before its first step, on the CPU."""

    players: Players
    progress: TrainingProgress
    facts: dict[str, Any]
    """Where they come from and what was taken over, ready for JSON."""

    def moved(self, before: Path, after: Path) -> StartedPlayers:
        """The same, where the run in `before` was moved to `after` in the meantime."""
        if Path(self.facts["run"]).resolve() != before.resolve():
            return self
        return replace(self, facts={**self.facts, "run": str(after)})

    def save(self, run: Run) -> None:
        """Writes the checkpoint of step 0, and last `start.json`: with it the other run is needed no more."""
        save_checkpoint(run.checkpoints, self.players.networks(), self.players.optimizers(), self.progress)
        write_atomically(run.path / START_FILE, json.dumps(self.facts, indent=1).encode())

    def text(self) -> str:
        """A few lines for a person."""
        return start_text(self.facts)


def started_players(recipe: Recipe, store: Store, origin: Origin, own: Own | None = None) -> StartedPlayers:
    """The players that `recipe` describes, with the weights of `origin`. Raises RunError where none of them fits."""
    batches = batches_for(recipe, store, torch.device("cpu"))
    return take_over(build_first_players(recipe, batches, own), recipe, origin)


def take_over(players: Players, recipe: Recipe, origin: Origin) -> StartedPlayers:
    """Gives `players` all of `origin` that fits. Raises RunError where nothing does."""
    networks: dict[str, nn.Module] = {"generator": players.generator, "discriminator": players.discriminator}
    pieces, facts = {}, {}
    for name, network in networks.items():
        pieces[name], facts[name] = _network(name, network, recipe, origin)
    if not any(pieces.values()):
        raise RunError(
            f"nothing could be taken over from {origin}: {_family(recipe, 'generator')} with the sizes of this recipe shares "
            f"no layer with {_family(origin.recipe, 'generator')} there; start without --from"
        )
    players.ema.load_state_dict(filled(players.ema.state_dict(), origin.tensors["ema"], pieces["generator"]))
    averaged = origin.progress.images + origin.progress.images_before if _whole(facts["generator"]) else 0
    return StartedPlayers(
        players, TrainingProgress(images_before=averaged),
        {
            "from": recipe.training.start_from, "run": str(origin.run), "checkpoint": origin.which,
            "step": origin.progress.step, "images": origin.progress.images, "networks": facts,
            "optimizers": _optimizers(players, networks, recipe, origin, pieces),
            "running_statistics": _running_stats(players, recipe, origin, facts),
            "classes": _classes(recipe, origin.recipe),
            "images_differ": origin.recipe.data.content != recipe.data.content,
            "recipe_changes": _changes(recipe, origin.recipe),
            "recipe": origin.recipe.model_dump(mode="json"), "earlier": recipes_before(origin.run),
        },
    )  # fmt: skip


def _network(name: str, network: nn.Module, recipe: Recipe, origin: Origin) -> tuple[Pieces, dict[str, Any]]:
    """Loads what fits into one player; what that was, and the counts of its weights."""
    old = dict(origin.tensors[name])
    weights = {key: weight.numel() for key, weight in network.named_parameters()}
    facts: dict[str, Any] = {"weights": sum(weights.values()), "taken_over": 0, "blocks": ""}
    families = _family(recipe, name), _family(origin.recipe, name)
    pieces: Pieces = {}
    if families[0] == families[1]:
        rows = ClassRows.of(_class_names(recipe), _class_names(origin.recipe))
        pieces, alignment = match(network, old, rows, (recipe.latent.dim, origin.recipe.latent.dim))
        network.load_state_dict(filled(network.state_dict(), old, pieces))
        facts |= {"taken_over": weights_taken(network, old, pieces), "blocks": alignment.text() if pieces else ""}
    else:
        facts["other_family"] = list(families)
    partly = [key for key in weights if key in pieces and not pieces[key].whole]
    facts["new"] = _by_part({key: count for key, count in weights.items() if key not in pieces})
    facts["partly_new"] = _by_part(
        {key: weights[key] - pieces[key].numbers(network.get_parameter(key), old[pieces[key].old]) for key in partly}
    )
    used = {piece.old for piece in pieces.values()}
    there = _parameter_names(name, network, origin) or [key for key in old if old[key].is_floating_point()]
    facts["left_behind"] = _by_part({key: old[key].numel() for key in there if key not in used})
    return pieces, facts


def _by_part(counts: Mapping[str, int]) -> dict[str, int]:
    parts: dict[str, int] = {}
    for name, count in counts.items():
        parts[part_of(name)] = parts.get(part_of(name), 0) + count
    return parts


def _parameter_names(name: str, network: nn.Module, origin: Origin) -> list[str]:
    """Names of the other player's weights in its optimiser's order; none where only its program knew them."""
    if origin.tensors[name].keys() == network.state_dict().keys():
        return [key for key, _ in network.named_parameters()]
    if _family(origin.recipe, name) == "custom":
        return []
    build = build_generator if name == "generator" else build_discriminator
    with torch.device("meta"):
        return [key for key, _ in build(origin.recipe).named_parameters()]


def _optimizers(
    players: Players, networks: Mapping[str, nn.Module], recipe: Recipe, origin: Origin, pieces: Mapping[str, Pieces]
) -> dict[str, str]:
    """Loads each optimiser's state of the weights that were taken over whole; what became of it, by player."""
    tensors: dict[str, Tensor] = {}
    outcome = {}
    for name in PLAYERS:
        kinds = getattr(recipe.optimizer, name).kind, getattr(origin.recipe.optimizer, name).kind
        if kinds[0] != kinds[1]:
            outcome[name] = f"reset ({kinds[0]} here, {kinds[1]} there)"
            continue
        there = {key: number for number, key in enumerate(_parameter_names(name, networks[name], origin))}
        if not there:
            outcome[name] = "reset (networks of one's own that differ)"
            continue
        taken = 0
        for number, (key, _) in enumerate(networks[name].named_parameters()):
            if key in pieces[name] and pieces[name][key].whole:
                before = f"{name}/{there[pieces[name][key].old]}/"
                held = {
                    k.removeprefix(before): t for k, t in origin.tensors["optimizers"].items() if k.startswith(before)
                }
                tensors |= {f"{name}/{number}/{quantity}": tensor for quantity, tensor in held.items()}
                taken += bool(held)
        outcome[name] = f"taken over for {taken} of {number + 1} tensors" if taken else "reset"
    load_optimizers(tensors, players.optimizers())
    return outcome


@torch.no_grad()
def _running_stats(players: Players, recipe: Recipe, origin: Origin, facts: Mapping[str, Any]) -> str:
    """Running means go with a D that is the same under the same loss; means of weights with the player. What became of them."""
    stats, old = players.running_stats, origin.tensors["running_stats"]
    for name, means in stats.mean_weights.items():
        there = {key.removeprefix(f"mean_weights.{name}."): tensor for key, tensor in old.items() if f".{name}." in key}
        same = _whole(facts[name]) and there.keys() == means.state_dict().keys()
        means.load_state_dict(there if same else getattr(players, name).state_dict())
    if recipe.augment.kind == origin.recipe.augment.kind == "ada":
        stats.strength.copy_(old["strength"])
    losses = recipe.objective.adversarial, origin.recipe.objective.adversarial
    if losses[0] != losses[1]:
        return f"reset, since the loss is {losses[0]} here, {losses[1]} there"
    if not _whole(facts["discriminator"]):
        return "reset, since D is not taken over whole"
    stats.means.copy_(old["means"])
    stats.updates.copy_(old["updates"])
    return "taken over"


def _whole(facts: Mapping[str, Any]) -> bool:
    return bool(facts["taken_over"] == facts["weights"] and not facts["left_behind"])


def _family(recipe: Recipe, name: str) -> str:
    return str(getattr(recipe, name).family)


def _class_names(recipe: Recipe) -> tuple[str, ...]:
    """Names of classes, or of the numbers of a condition vector."""
    if not recipe.data.conditional:
        return ()
    return vector_names(recipe.data.conditions) or recipe.data.classes or ()


def _classes(recipe: Recipe, other: Recipe) -> dict[str, list[str]]:
    new, old = _class_names(recipe), _class_names(other)
    return {
        "known": [name for name in new if name in old],
        "new": [name for name in new if name not in old],
        "left_behind": [name for name in old if name not in new],
    }


def _changes(recipe: Recipe, other: Recipe) -> list[str]:
    """What the recipe changes against the other run's, beside what is told of images and classes."""
    told = ("data.content", "data.classes", "data.class_counts", "data.conditions", "training.start_from")
    return [line for line in difference(other, recipe) if line.partition(":")[0] not in told]
