"""Ideas about the training itself: updates, batches, precision, augmentation, the images, when to stop, another recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganglion.doctor.remedies.idea import Change, Idea, Known
from ganglion.recipe.deviations import NARROW, SIZES, Deviation, deviations
from ganglion.recipe.resolve import flatten

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = [
    "ANOTHER_RECIPE", "AS_IN_RECIPE", "AUGMENT", "CROP", "FEWER_D_STEPS", "FEWER_G_STEPS", "FLOAT32", "LARGER_BATCH",
    "MORE_D_STEPS", "MORE_STEPS_OF_THE_SMALLER", "STOP", "WITHOUT_LABELS",
]  # fmt: skip

MOST_STEPS, MOST_IMAGES = 10, 1024
FEW_HELD_OUT = 250  # images: a twentieth of 5,000, below which D overfits within minutes
NAMES = {"g_steps": "G", "d_steps": "D"}


def _steps(recipe: Recipe, key: str, factor: float) -> Change | None:
    now = int(getattr(recipe.balance, key))
    new = int(now * factor)
    if new == now or not 1 <= new <= MOST_STEPS:
        return None
    verb = "Give" if new > now else "Leave"
    return Change(
        f"{verb} {NAMES[key]} {new} update{'s' if new > 1 else ''} in a step, in place of {now}",
        {f"balance.{key}": new},
    )


MORE_D_STEPS = Idea(
    "more-d-steps", "Give D twice as many updates", "two updates of D for one of G",
    lambda recipe, known: _steps(recipe, "d_steps", 2),
)  # fmt: skip
FEWER_D_STEPS = Idea(
    "fewer-d-steps", "Give D fewer updates, where it has several", "one update of D for one of G",
    lambda recipe, known: _steps(recipe, "d_steps", 0.5),
)  # fmt: skip
FEWER_G_STEPS = Idea(
    "fewer-g-steps", "Give G fewer updates, where it has several", "one update of G for one of D",
    lambda recipe, known: _steps(recipe, "g_steps", 0.5),
)  # fmt: skip


def _more_of_the_smaller(recipe: Recipe, known: Known) -> Change | None:
    g, d = known.parameters_g, known.parameters_d
    return None if math.isnan(g) or math.isnan(d) else _steps(recipe, "g_steps" if d > g else "d_steps", 2)


MORE_STEPS_OF_THE_SMALLER = Idea(
    "more-steps-of-the-smaller", "Give the smaller network twice as many updates",
    "two updates of the smaller network for one of the larger", _more_of_the_smaller,
)  # fmt: skip


def _larger_batch(recipe: Recipe, known: Known) -> Change | None:
    now = recipe.training.batch
    new = max(64, 2 * now)
    if new > MOST_IMAGES:
        return None
    return Change(f"Take larger batches, from {now} to {new} images", {"training.batch": new})


def _larger_batch_code(known: Known) -> str:
    if math.isnan(known.batch):
        return "twice the batch size, at least 64"
    return f"your batches have {known.batch:.0f} images: take {max(64, 2 * round(known.batch))}"


LARGER_BATCH = Idea("larger-batch", "Take larger batches", _larger_batch_code, _larger_batch)


def _float32(recipe: Recipe, known: Known) -> Change | None:
    if recipe.training.precision == "32":
        return None
    return Change("Compute in float32, to see whether 16 bits were too few", {"training.precision": 32})


FLOAT32 = Idea(
    "float32",
    "Compute in float32, to see whether 16 bits were too few",
    "no autocast for the penalty and the losses",
    _float32,
)


def _augment(recipe: Recipe, known: Known) -> Change | None:
    now = recipe.augment
    if now.kind == "none":
        return Change("Show D augmented images, real and fake alike (DiffAugment)", {"augment.kind": "diffaugment"})
    whole = ["color", "translation", "cutout"]
    if now.kind == "diffaugment" and set(now.policy) != set(whole):
        missing = " and ".join(step for step in whole if step not in now.policy)
        return Change(f"Augment by {missing} as well", {"augment.policy": whole})
    return None


AUGMENT = Idea(
    "augment", "Show D augmented images, real and fake alike",
    "DiffAugment (Zhao et al. 2020) or ADA (Karras et al. 2020)", _augment,
)  # fmt: skip


def _crop(recipe: Recipe, known: Known) -> Change | None:
    if recipe.data.fit in ("pad", "auto"):
        return Change("Crop the images to their middle, in place of padding their borders", {"data.fit": "crop"})
    if recipe.data.trim in ("off", "auto"):
        return Change("Cut empty margins off each image", {"data.trim": "each"})
    return None


CROP = Idea(
    "crop",
    "Treat the borders of real and generated images alike: crop in place of padding",
    "CenterCrop instead of Pad",
    _crop,
)


def _stop(recipe: Recipe, known: Known) -> Change | None:
    if recipe.training.stop_when_done:
        return None
    return Change("Stop when the distance to the data no longer falls", {"training.stop_when_done": True})


STOP = Idea(
    "stop", "Stop when the distance to the data no longer falls", "early stopping by a distance to the data, not by a loss",
    _stop,
)  # fmt: skip


def _without_labels(recipe: Recipe, known: Known) -> Change | None:
    """With all that only a conditional recipe may have."""
    if not recipe.data.conditional:
        return None
    settings: dict[str, object] = {"data.conditional": False}
    settings |= {"data.attributes": None} if recipe.data.attributes else {}
    settings |= {"data.sampling": "frequency"} if recipe.data.sampling == "balanced" else {}
    return Change("Train without labels, so that all variation has to come from z", settings)


WITHOUT_LABELS = Idea(
    "without-labels", "Train without labels, so that all variation has to come from z", "G(z) instead of G(z, y)",
    _without_labels, fresh=True,
)  # fmt: skip


def _another_recipe(recipe: Recipe, known: Known) -> Change | None:
    """That for few or for many images, and R3GAN's; not where the networks are the user's own."""
    few = recipe.data.held_out_images is not None and recipe.data.held_out_images < FEW_HELD_OUT
    names = [name for name in (("small-data", "r3gan") if few else ("fast", "r3gan")) if name != recipe.name]
    if recipe.generator.family == "custom":
        return None
    return Change(f"Take the recipe {names[0]} in place of {recipe.name}", {}, names[0])


ANOTHER_RECIPE = Idea(
    "another-recipe", "Take another recipe",
    "DCGAN's setting as a start: Adam at 2e-4 with betas=(0.5, 0.999), weights from N(0, 0.02), batch norm, one update of each",
    _another_recipe, fresh=True,
)  # fmt: skip


MOST_NAMED = 4


def _as_in_recipe(recipe: Recipe, known: Known) -> Change | None:
    """Networks, first weights, losses, balance and optimisers; not sizes, nor what a later run has changed. A network
    that is far narrower than the other becomes as wide, as a share of the preset's width.
    """
    first, all_ = flatten(known.first or recipe), deviations(recipe)
    kept = {key: one for key, one in all_.items() if first.get(key) == one.value}
    found = {key: one for key, one in kept.items() if key.rpartition(".")[2] not in SIZES}
    wider = _widened(kept)
    named = [f"{key} from {now} to {usual}" for key, one in found.items() for now, usual in [one.texts]]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    told = [f"take {recipe.name}'s own values: {', '.join(named[:MOST_NAMED])}{more}"] if found else []
    for key, width in wider.items():
        player, other = ("G", "D") if key.startswith("generator") else ("D", "G")
        told.append(
            f"widen {player} from {kept[key].value} to {width}, the same share of its usual width as {other} has"
        )
    what = "; ".join(told)
    settings = {key: one.usual for key, one in found.items()} | wider
    return Change(what[0].upper() + what[1:], settings) if told else None


def _widened(found: Mapping[str, Deviation]) -> dict[str, int]:
    """Of a network that has at most an eighth of the preset's width, where the other has more: the same share as that."""
    keys = ("generator.width", "discriminator.width")
    shares = [one.factor or 1.0 if (one := found.get(key)) else 1.0 for key in keys]
    narrow = shares.index(min(shares))
    one = found.get(keys[narrow])
    if one is None or not isinstance(one.usual, int) or not shares[narrow] <= NARROW < shares[1 - narrow]:
        return {}
    return {keys[narrow]: min(one.usual, round(one.usual * shares[1 - narrow]))}


AS_IN_RECIPE = Idea("as-in-recipe", "Take the recipe's own values of what you set otherwise", "", _as_in_recipe)
"""Of any finding of a run of `ganglion train`, before all others: most such runs were well before they were changed."""
