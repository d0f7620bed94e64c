"""Ideas about optimisers: learning rates, their schedule, momentum, and the average of G's weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ganglion.doctor.remedies.idea import Change, Idea, Known, rounded

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = [
    "CONSTANT", "COSINE", "FASTER_D", "LONGER_AVERAGE", "LOWER_BOTH", "LOWER_D", "LOWER_G", "NO_MOMENTUM", "RAISE_BOTH",
    "RAISE_G", "WARM_UP",
]  # fmt: skip

WANTED_UPDATE = 5e-3
"""Of the weights in a step, where an update is too large or too small; 4e-4 to 2e-2 in healthy runs."""
SLOW_UPDATE = 3e-4
"""Of the weights in a step; smaller ones leave a network as it is."""
USUAL_UPDATE = 1.3e-3
"""Of the weights in a step; nearly all healthy runs have larger ones."""
LEAST_RATE, MOST_RATE = 1e-7, 0.05
FAR_ABOVE = 4
"""Times G's learning rate."""
WARM_UP_KIMG, AVERAGE_KIMG = 5.0, 20.0
NAMES = {"generator": "G", "discriminator": "D"}
Factor = float | Callable[[Known], float]


def _lr(recipe: Recipe, player: str) -> float:
    return float(getattr(recipe.optimizer, player).lr)


def _known_lr(known: Known, player: str) -> float:
    return known.lr_g if player == "generator" else known.lr_d


def _verb(factor: float) -> str:
    return "Lower" if factor < 1 else "Raise"


def _change_of(factors: dict[str, Factor], recipe: Recipe, known: Known) -> Change | None:
    settings: dict[str, object] = {}
    spans, times = {}, {}
    for player, factor in factors.items():
        now, times[player] = _lr(recipe, player), factor if isinstance(factor, int | float) else factor(known)
        new = min(max(rounded(now * times[player]), LEAST_RATE), MOST_RATE)
        if (new - now) * (times[player] - 1) <= 0:
            return None
        spans[player] = f"{NAMES[player]}'s from {now:g} to {new:g}"
        settings[f"optimizer.{player}.lr"] = new
    if len(times) == 1:
        (player,) = times
        what = f"{_verb(times[player])} {spans[player].replace(' from', ' learning rate from')}"
    elif len(set(times.values())) == 1:
        what = f"{_verb(times['generator'])} both learning rates: {', '.join(spans.values())}"
    else:
        what = ", ".join(f"{_verb(times[player]).lower()} {span}" for player, span in spans.items())
        what = what[0].upper() + what[1:].replace("'s from", "'s learning rate from", 1)
    return Change(what, settings)


def _code_of(factors: dict[str, Factor], hint: str, known: Known) -> str:
    """In the user's own numbers, where the records have the learning rates."""
    told = []
    for player, factor in factors.items():
        now, times = _known_lr(known, player), factor if isinstance(factor, int | float) else factor(known)
        if math.isnan(now) or now <= 0:
            return hint
        whose = "yours" if len(factors) == 1 else f"your {NAMES[player]}'s"
        told.append(f"{whose} is {now:.3g}, set it to {rounded(now * times):g}")
    return "; ".join(told)


def _rates(name: str, what: str, hint: str, factors: dict[str, Factor], fresh: bool = False) -> Idea:
    """An idea that multiplies learning rates, by player. `hint`: for a loop whose learning rates are not known."""
    return Idea(
        name, what, lambda known: _code_of(factors, hint, known), lambda recipe, known: _change_of(factors, recipe, known),
        fresh,
    )  # fmt: skip


def _down(known: Known) -> float:
    """So that an update becomes what it is in healthy runs, at least to a quarter."""
    largest = max((update for update in (known.update_g, known.update_d) if not math.isnan(update)), default=math.nan)
    return 1 / 4 if math.isnan(largest) else 1 / _one_digit(min(max(largest / WANTED_UPDATE, 4), 100))


def _up(known: Known) -> float:
    largest = max((update for update in (known.update_g, known.update_d) if update > 0), default=math.nan)
    return 10.0 if math.isnan(largest) else _one_digit(min(max(WANTED_UPDATE / largest, 4), 1000))


def _down_d(known: Known) -> float:
    """To a tenth where D's rate is far above G's, to a quarter otherwise."""
    return 1 / 10 if known.lr_d > FAR_ABOVE * known.lr_g else 1 / 4


def _one_digit(value: float) -> float:
    return float(f"{value:.1g}")


LOWER_BOTH = _rates(
    "lower-both-rates", "Lower both learning rates",
    "a quarter of both learning rates, from the last good weights",
    {"generator": _down, "discriminator": _down},
)  # fmt: skip


def _is_slow(update: float) -> bool:
    return update < SLOW_UPDATE


def _up_g(known: Known) -> float:
    return _one_digit(min(max(WANTED_UPDATE / known.update_g, 4), 1000)) if known.update_g > 0 else 10.0


def _only_g_is_slow(known: Known) -> bool:
    """Of a training one of whose networks is: D moves as in healthy runs, or at least more than G."""
    return known.update_d >= min(USUAL_UPDATE, max(SLOW_UPDATE, 2 * known.update_g))


_BOTH_UP: dict[str, Factor] = {"generator": _up, "discriminator": _up}
RAISE_G = Idea(
    "raise-g-rate", "Raise G's learning rate",
    lambda known: "" if _is_slow(known.update_d) else _code_of(
        {"generator": _up_g}, "ten times G's learning rate; 2e-4 is usual for Adam", known
    ),
    lambda recipe, known: _change_of({"generator": _up_g}, recipe, known) if _only_g_is_slow(known) else None,
    fresh=True,
)  # fmt: skip
RAISE_BOTH = Idea(
    "raise-both-rates", "Raise both learning rates",
    lambda known: "" if _only_g_is_slow(known) else _code_of(
        _BOTH_UP, "ten times both learning rates; 2e-4 is usual for Adam", known
    ),
    lambda recipe, known: None if _only_g_is_slow(known) else _change_of(_BOTH_UP, recipe, known),
    fresh=True,
)  # fmt: skip
LOWER_D = _rates(
    "lower-d-rate", "Lower D's learning rate", "a quarter of D's learning rate", {"discriminator": _down_d}
)
LOWER_G = _rates(
    "lower-g-rate", "Lower G's learning rate", "a quarter of G's learning rate; load the last good weights",
    {"generator": 1 / 4},
)  # fmt: skip
FASTER_D = _rates(
    "faster-d", "Double D's learning rate and halve G's", "twice D's learning rate, half of G's",
    {"discriminator": 2.0, "generator": 0.5},
)  # fmt: skip


def _cosine(recipe: Recipe, known: Known) -> Change | None:
    if recipe.optimizer.schedule != "constant":
        return None
    return Change(
        "Let the learning rates fall to 0 over the budget, as half a cosine", {"optimizer.schedule": "cosine"}
    )


def _constant(recipe: Recipe, known: Known) -> Change | None:
    if recipe.optimizer.schedule == "constant":
        return None
    return Change("Keep the learning rates constant", {"optimizer.schedule": "constant"})


CONSTANT = Idea(
    "constant-rates", "Let the schedule of the learning rates end with the training, or keep them constant",
    "count the scheduler's steps in the unit in which you call it: T_max = epochs for one call an epoch", _constant,
)  # fmt: skip
COSINE = Idea("cosine", "Let the learning rates fall to 0 towards the end", "a cosine or linear schedule to 0", _cosine)


def _warm_up(recipe: Recipe, known: Known) -> Change | None:
    now = recipe.optimizer.warmup_kimg
    new = 2 * now if now else WARM_UP_KIMG
    return Change(
        f"Let the learning rates rise over the first {1000 * new:,.0f} images (now {1000 * now:,.0f})",
        {"optimizer.warmup_kimg": new},
    )


WARM_UP = Idea(
    "warm-up", "Let the learning rates rise slowly at the start", "a linear warm-up over some thousand images", _warm_up,
    fresh=True,
)  # fmt: skip


def _no_momentum(recipe: Recipe, known: Known) -> Change | None:
    """RMSprop has none."""
    moving = [player for player in NAMES if getattr(getattr(recipe.optimizer, player), "beta1", 0) > 0]
    if not moving:
        return None
    was = ", ".join(f"{NAMES[player]} has {getattr(recipe.optimizer, player).beta1:g}" for player in moving)
    return Change(
        f"Set beta1 of the optimisers to 0, which is no momentum ({was})",
        {f"optimizer.{player}.beta1": 0.0 for player in moving},
    )


NO_MOMENTUM = Idea(
    "no-momentum", "Set beta1 of both optimisers to 0, which is no momentum", "betas=(0.0, 0.99)", _no_momentum
)


def _longer_average(recipe: Recipe, known: Known) -> Change | None:
    """Early in a run the half-life is a share of the images shown, so that share grows as well."""
    now, ramp = recipe.ema.halflife_kimg, recipe.ema.rampup_ratio
    if now > 500:
        return None
    new = 2 * now if now else AVERAGE_KIMG
    settings: dict[str, object] = {"ema.halflife_kimg": new}
    if now and ramp is not None:
        settings["ema.rampup_ratio"] = 2 * ramp
    was = f"from {now:g} to {new:g} thousand images" if now else f"with a half-life of {new:g} thousand images"
    return Change(f"{'Average G over a longer time' if now else 'Sample from averaged weights of G'}, {was}", settings)


LONGER_AVERAGE = Idea(
    "longer-average", "Sample from an average of G's weights, or average over a longer time",
    "an exponential moving average of G's weights", _longer_average,
)  # fmt: skip
