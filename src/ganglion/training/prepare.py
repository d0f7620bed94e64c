"""From a request to what a run needs: the resolved recipe, the packed images, the device, and the reasons for choices.

`train`, `check` and `--dry-run` all begin here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganglion.data.batches import Batches, held_out, held_out_count
from ganglion.data.fit import recipe_values
from ganglion.data.given import Images, name_of
from ganglion.data.prepare import Reporter, cache_folder, prepare, prepare_same
from ganglion.data.store import Store
from ganglion.data.suitability import check_suitable, said_of
from ganglion.errors import DataError, RunError
from ganglion.metrics.mirroring import mirror_p_value
from ganglion.networks.layers import REFERENCE
from ganglion.platform.devices import choose_device, choose_precision
from ganglion.recipe.auto import BY_DEVICE, FEW, DataFacts, choose, enough_for_classes
from ganglion.recipe.resolve import AUTO, BUDGETS, Request, parse_assignments, requested_recipe, update
from ganglion.recipe.schema import Data, Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.conditions import conditions_of, labels_as_trained, only_class, unused_labels_file
from ganglion.training.own import Own
from ganglion.training.players import Players, build_players

__all__ = ["PreparedRun", "batches_for", "batches_of", "build_first_players", "prepare_run"]

FEWEST_OF_A_CLASS = 2  # fewer than this on average, and labels name images rather than classes


@dataclass(frozen=True)
class PreparedRun:
    """All that is known before the first step."""

    wanted: Recipe
    """As asked for, with what `auto` chose; size, channels, classes and precision may still be open."""
    recipe: Recipe
    """Every value resolved."""
    store: Store
    device: torch.device
    reasons: list[str]
    """A line for each choice of `auto`."""
    left_to_auto: frozenset[str] = frozenset()
    """Keys that `auto` chooses by the machine, and the caller did not: a run keeps the values that it began with."""

    @property
    def auto_budget(self) -> bool:
        """Whether `auto` chose the budget."""
        return not self.left_to_auto.isdisjoint(BUDGETS)


def prepare_run(
    source: Images | None,
    request: Request,
    reporter: Reporter,
    device: str = "auto",
    devices: int = 1,
    cache: str | Path | None = None,
    own: Own | None = None,
    nodes: int = 1,
    same_as: Store | None = None,
) -> PreparedRun:
    """Resolves the request, finds the device, packs the images. Raises RecipeError, DeviceError, DataError, RunError.

    `same_as`: the images of an earlier attempt, which have to be those of this one.
    """
    name, own = name_of(source), own or Own()
    request = own.requested(request)
    wanted = requested_recipe(name, **request)  # a mistake in it is told before images or device are touched
    own.check_complete(wanted)
    own.check_many(devices * nodes)
    _check_shares(wanted.training.batch, devices, nodes)
    chosen_device = choose_device(device, devices)
    pack = partial(prepare_same, same_as) if same_as else prepare
    store = pack(_data_for(wanted, own), Path(cache) if cache else cache_folder(), reporter, source)
    check_suitable(store)
    of_images = said_of(store.fit, store.facts.get("whys", {}))
    reasons, left_open = list[str](), frozenset[str]()
    if request.get("recipe", AUTO) == AUTO:
        wanted, reasons, left_open = _resolve_auto(name, request, store, chosen_device.type, own.networks is not None)
        _check_shares(wanted.training.batch, devices, nodes)
    recipe = _filled_in(wanted, store, chosen_device)
    return PreparedRun(wanted, recipe, store, chosen_device, [*reasons, *of_images], left_open)


def batches_of(prepared: PreparedRun) -> Batches:
    """The images of a run on its device."""
    return batches_for(prepared.recipe, prepared.store, prepared.device)


def batches_for(recipe: Recipe, store: Store, device: torch.device) -> Batches:
    """The images of `store` as `recipe` has them shown, on `device`."""
    data = recipe.data
    attributes = conditions_of(data, store) if data.conditions else None
    balanced = data.sampling == "balanced"
    return Batches(
        store, recipe.training.seed, device, data.conditional, data.held_out_images or 0, None, attributes, balanced
    )


def _check_shares(batch: int, devices: int, nodes: int) -> None:
    """Raises RunError where a batch cannot be shared evenly."""
    if devices < 1:
        raise RunError(f"--devices is the number of devices, 1 or more; got {devices}")
    count = devices * nodes
    asked = f"--devices {devices}" + (f" on {nodes} machines ({count} processes)" if nodes > 1 else "")
    if count > batch:
        raise RunError(f"{asked}: a batch of {batch} has no image for some of them; --batch takes a multiple")
    if batch % count:
        below = batch - batch % count
        raise RunError(
            f"{asked}: a batch of {batch} cannot be shared evenly; choose --batch {below} or {below + count}"
        )


def build_first_players(recipe: Recipe, batches: Batches, own: Own | None = None) -> Players:
    """The players before the first step; with virtual batch normalisation D gets its reference batch of real images."""
    players = build_players(recipe, batches.device, own.networks if own else None)
    if players.discriminator.needs_reference:
        chosen = stream(batches.seed, Purpose.REFERENCE, 1).integers(0, batches.images, REFERENCE)
        players.discriminator.reference = batches.pick(batches.seen[chosen]).images
    if recipe.data.conditions and getattr(players.generator, "needs_reference", False):
        labels = labels_as_trained(recipe, batches, REFERENCE, stream(batches.seed, Purpose.REFERENCE, 2))
        assert labels is not None
        for network in (players.generator, players.ema):
            network.get_buffer("reference_labels").copy_(labels)
    return players


def _data_for(wanted: Recipe, own: Own) -> Data:
    """How the images are made to fit: where size and channels are open, as a G that was given as a module draws them."""
    shape = own.networks.image_shape(wanted) if own.networks else None
    if shape is None:
        return wanted.data
    channels, height, width = shape
    found = {"channels": wanted.data.channels or channels, "size": wanted.data.size or (height, width)}
    return wanted.data.model_copy(update=found)


def _resolve_auto(
    source: str | Path | None, request: Request, store: Store, device: str, own_networks: bool
) -> tuple[Recipe, list[str], frozenset[str]]:
    """The recipe that suits these images, under what the request itself says; the reasons; what it chose by the machine."""
    counts = np.bincount(store.labels, minlength=len(store.classes)) if (store.labels >= 0).all() else np.zeros(0, int)
    classes, smallest = len(counts), int(counts.min(initial=len(store.images)))
    conditions = () if store.attributes is None or only_class(store) else store.attributes.columns
    facts = DataFacts(
        len(store.images), store.fit.size, store.fit.channels, classes, device, smallest,
        own_networks,
        mirror_p_value=None if own_networks or len(store.images) >= FEW else _mirror_p_value(store, classes, smallest),
        photographs=_photographs(store), attributes=conditions,
        labels_file=store.facts.get("labels_file", {}).get("name", ""),
    )  # fmt: skip
    choice = choose(facts)
    extra = request.get("set", ())
    given = dict(extra) if isinstance(extra, Mapping) else parse_assignments(extra)
    budgets = [request.get("kimg"), request.get("steps"), request.get("minutes"), *(given.get(key) for key in BUDGETS)]
    by_machine = frozenset(BUDGETS + BY_DEVICE)
    asked = {
        key for key in choice.overrides.keys() | by_machine
        if key in given or key.partition(".")[0] in given or (any(budgets) and key in BUDGETS)
    }  # fmt: skip
    chosen = {key: value for key, value in choice.overrides.items() if key not in asked}
    rest: Request = {**request, "recipe": choice.recipe, "set": chosen | given}
    reasons = [why for key, why in choice.reasons.items() if key not in asked and key not in given]
    return requested_recipe(source, **rest), reasons, by_machine - asked


def _mirror_p_value(store: Store, classes: int, smallest: int) -> float:
    """Of all images; with classes that `auto` conditions on, also of those of each class, since one may be the other's mirror
    image. The smallest, times the number of classes (Bonferroni).
    """
    found = mirror_p_value(store.images)
    if not enough_for_classes(classes, smallest):
        return found
    each = [mirror_p_value(store.images[np.flatnonzero(store.labels == label)]) for label in range(classes)]
    return min(found, classes * min(each))


def _photographs(store: Store) -> bool:
    """Whether most of the images that the scan looked at are photographs."""
    kinds: dict[str, int] = store.facts.get("kinds", {})
    return kinds.get("photo", 0) * 2 > sum(kinds.values())


def _filled_in(wanted: Recipe, store: Store, device: torch.device) -> Recipe:
    """The recipe with all that its images and the device decide. Raises DataError where the images do not suffice."""
    found = conditions_of(wanted.data, store) if wanted.data.conditional else None
    conditions = found.columns if found else ()
    classes, kept = None if conditions else _classes(wanted, store), _held_out_images(wanted, store)
    seen, _ = held_out(len(store.images), wanted.training.seed, kept)
    counts = None if classes is None else np.bincount(store.labels[seen], minlength=len(classes)).tolist()
    values: dict[str, Any] = recipe_values(store.fit) | {
        "data__content": store.content,
        "data__classes": classes, "data__class_counts": counts, "data__held_out_images": kept,
        "data__conditions": [column.model_dump() for column in conditions],
        "training__precision": choose_precision(wanted.training.precision, device),
    }  # fmt: skip
    return update(wanted, **values)


def _classes(recipe: Recipe, store: Store) -> list[str] | None:
    """The classes that a conditional recipe tells apart. Raises DataError where the images cannot give them."""
    if not recipe.data.conditional:
        return None
    without = int((store.labels < 0).sum())
    if without:
        raise DataError(
            f"data.conditional needs the class of every image, and {without:,} of {len(store.labels):,} have none: "
            "put each class into a folder of its own, two folders or more, or write labels.csv (docs/data.md), or leave "
            f"data.conditional out{unused_labels_file(store)}"
        )
    found = np.bincount(store.labels, minlength=len(store.classes))
    if len(store.classes) < 2 or len(store.classes) * FEWEST_OF_A_CLASS > len(store.labels) or not found.all():
        raise DataError(
            f"data.conditional needs at least 2 classes, of {FEWEST_OF_A_CLASS} images each on average; there are "
            f"{len(store.classes):,} classes and {len(store.labels):,} images: leave data.conditional out"
        )
    return store.classes


def _held_out_images(recipe: Recipe, store: Store) -> int:
    """How many images are kept from training. Raises DataError where none would be left."""
    count, images = recipe.data.held_out_images, len(store.images)
    if count is None:
        return held_out_count(images)
    if count >= images:
        raise DataError(
            f"data.held_out_images is {count:,}, and there are {images:,} images: none would be left to train on"
        )
    return count
