"""How a run of `ganglion train` was started, and the command that starts one like it with something changed.

N settings are `KEY=VALUE` texts, as `--set` takes them, so that what is checked here is what the command line reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import yaml

from ganglion.errors import RecipeError
from ganglion.platform.command_line import pasteable
from ganglion.recipe.resolve import BUDGETS, KEYS, flatten, parse_assignments, resolve
from ganglion.recipe.schema import Data, Recipe
from ganglion.recipe.size import size_text

__all__ = ["RunSetup", "assignments", "changed", "command"]

FILLED_IN = {"source", "data_dir", "size", "content", "classes", "class_counts", "conditions", "held_out_images"}
"""Values of `data` that options name, or that the images decide."""
STRUCTURE = ("generator.", "discriminator.", "latent.", "init.")
"""Keys with whose change weights are of no use."""


OPTIONS = {KEYS[name]: f"--{name}" for name in ("size", "kimg", "steps", "minutes", "batch", "seed", "precision")}


@dataclass(frozen=True)
class RunSetup:
    """A run's recipe, and what of its command is not in the recipe."""

    recipe: Recipe
    run: str = "RUN"
    """Its folder, as a command names it."""
    taken: frozenset[str] = frozenset()
    """Folders beside it, in the same words, that are there already."""
    options: tuple[str, ...] = ()
    """Of its command, such as --device cpu."""
    has_checkpoint: bool = False
    """Whether there are weights to start from."""
    in_memory: bool = False
    """Whether its images were given in Python, so that no command line can name them."""
    d_batch_norm: bool | None = None
    """Whether D of the user's own has batch norm; None: not known."""
    budget: tuple[str, ...] = ()
    """A setting: the whole budget of a run that was treated, whose recipe has what was left of it."""
    earlier: tuple[Recipe, ...] = ()
    """Recipes of the run that this one started from, of the run that that one started from, and so on."""

    def new_run(self, name: str) -> str:
        """A folder that is not there yet: RUN-name, or RUN-name-2."""
        first = f"{self.run}-{name}"
        return next(
            one for n in range(1, len(self.taken) + 2) if (one := f"{first}-{n}" if n > 1 else first) not in self.taken
        )


def assignments(settings: Mapping[str, object]) -> tuple[str, ...]:
    """As `--set` takes them."""
    return tuple(f"{key}={_yaml(value)}" for key, value in settings.items())


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...").strip()


@lru_cache(maxsize=1024)
def changed(recipe: Recipe, settings: tuple[str, ...], other: str = "") -> Recipe | None:
    """`recipe` with the settings, or `other` on its images and budget; None where that is refused, or changes nothing."""
    try:
        if other:
            return resolve(other, _kept(recipe))
        new = resolve(recipe, parse_assignments(settings))
    except RecipeError:
        return None
    return None if flatten(new) == flatten(recipe) else new


def _kept(recipe: Recipe) -> dict[str, object]:
    """What another recipe takes over: what was said of the images, size, budget and seed."""
    told = {key: value for key, value in recipe.data.model_dump(mode="json").items() if key not in FILLED_IN}
    plain, flat = Data().model_dump(mode="json"), flatten(recipe)
    kept = {f"data.{key}": value for key, value in told.items() if value != plain[key]}
    kept |= {"data.size": size_text(recipe.data.size)} if recipe.data.size else {}
    kept |= {key: flat[key] for key in BUDGETS if flat[key] is not None}
    return kept | {"training.seed": recipe.training.seed}


def _kept_settings(setup: RunSetup) -> tuple[str, ...]:
    """With the whole budget of a run that was treated."""
    kept = _kept(setup.recipe)
    return (
        assignments({key: value for key, value in kept.items() if not (setup.budget and key in BUDGETS)}) + setup.budget
    )


def weights_fit(settings: Iterable[str]) -> bool:
    """Whether networks stay as they are."""
    return not any(setting.startswith(STRUCTURE) for setting in settings)


def command(setup: RunSetup, name: str, settings: tuple[str, ...], other: str = "", fresh: bool = False) -> str:
    """One line for a shell that starts the new run RUN-name with the settings, or with the recipe `other`.

    Of a run that no command line can start, since images, networks or a loss were given in Python, the call of
    `ganglion.train`. `fresh`: with new weights, not those of the best checkpoint.
    """
    fresh = fresh or bool(other) or not setup.has_checkpoint or not weights_fit(settings)
    new = changed(setup.recipe, settings, other) or setup.recipe
    if setup.in_memory or new.objective.adversarial == "custom" or (_own(new) and not new.generator.file):  # type: ignore[union-attr]
        return _call(setup, name, new, settings, other, fresh)
    settings = (*settings, *setup.budget)
    words = ["ganglion", "train", _safe(str(setup.recipe.data.source))]
    if other:
        data_dir = setup.recipe.data.data_dir
        words += ["--recipe", other, *(["--data-dir", data_dir] if data_dir else [])]
        settings = _kept_settings(setup)
    elif fresh:
        words += ["--recipe", f"{_safe(setup.run)}/recipe.yaml"]
        settings = _without_start(setup.recipe, settings)
    else:
        words += ["--from", f"{_safe(setup.run)}:best"]
    words += ["--networks", f"{_safe(setup.run)}/networks.py"] if _own(new) else []
    words += ["--run", _safe(setup.new_run(name)), *setup.options]
    return pasteable([*words, *(word for setting in settings for word in _option(setting))])


def _option(setting: str) -> tuple[str, str]:
    """The option of its own where the command has one."""
    key, _, value = setting.partition("=")
    name = OPTIONS.get(key)
    return (name, value.strip("'")) if name else ("--set", setting)


def _own(recipe: Recipe) -> bool:
    return recipe.generator.family == "custom"


def _without_start(recipe: Recipe, settings: tuple[str, ...]) -> tuple[str, ...]:
    """The recipe in the run's folder says which run that one started from."""
    return settings if recipe.training.start_from is None else (*settings, "training.start_from=null")


def _call(setup: RunSetup, name: str, new: Recipe, settings: tuple[str, ...], other: str, fresh: bool) -> str:
    """The call of `ganglion.train`."""
    settings = (*settings, *setup.budget)
    words = ["images" if setup.in_memory else repr(setup.recipe.data.source)]
    if other:
        words, settings = [*words, f"recipe={other!r}"], _kept_settings(setup)
    else:
        words.append(f"recipe={f'{setup.run}/recipe.yaml'!r}")
        words += [] if fresh else [f"start_from={f'{setup.run}:best'!r}"]
        settings = _without_start(setup.recipe, settings) if fresh else settings
    words.append(f"run={setup.new_run(name)!r}")
    words += [f"set={parse_assignments(settings)!r}"] if settings else []
    if _own(new):
        file = new.generator.file  # type: ignore[union-attr]
        words.append(f"networks={f'{setup.run}/networks.py'!r}" if file else "generator=G, discriminator=D")
    words += ["adversarial=loss"] if new.objective.adversarial == "custom" else []
    return f"ganglion.train({', '.join(words)})"


def _safe(path: str) -> str:
    """A path that is not read as an option."""
    return f"./{path}" if path.startswith("-") else path
