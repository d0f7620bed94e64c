"""What is set aside: written down before anything was fitted, and not to be changed.

Thresholds and models are fitted on runs of which program, data set and intervention are all in the fitted part. Everything
else is looked at once, to report error rates. The lists were drawn by NumPy's default_rng(2026): 4 of 11 recipes, 5 of 12
loops, 4 of 8 data sets (both sizes of the flowers together), 14 of 41 kinds of interventions.
"""

from __future__ import annotations

from typing import Any

from population.programs import DATA, PROGRAMS

__all__ = ["ASIDE_DATA", "ASIDE_KINDS", "ASIDE_PROGRAMS", "SetAsideError", "data_of", "fitted", "is_aside", "parts"]

ASIDE_PROGRAMS = frozenset({
    "dcgan", "small-data", "wgan", "dcgan-fm", "spectral-hinge", "wgan-clipping", "wgan-gp-loop", "fully-connected",
    "micro-batches",
})  # fmt: skip
ASIDE_DATA = frozenset({"cifar", "flowers-32", "flowers-64", "digits"})
ASIDE_KINDS = frozenset({
    "colours", "without-tanh", "z-ignored", "gradients-kept", "small-batch", "norm-momentum", "g-steps", "weights-large",
    "few-images", "d-rate-down", "border", "z-constant", "weights-xavier", "z-short",
})  # fmt: skip
LABELLED_PROGRAMS = {"conditional": ("mnist",)}


class SetAsideError(ValueError):
    """A run that was set aside was given to something that fits."""


def is_aside(program: str, data: str, kind: str) -> bool:
    return program in ASIDE_PROGRAMS or data in ASIDE_DATA or kind in ASIDE_KINDS


def fitted(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same results, if none was set aside. Raises SetAsideError."""
    for one in results:
        if is_aside(one["program"], one["data"], one["kind"]):
            raise SetAsideError(f"{one['id']} was set aside: nothing may be fitted on it")
    return results


def parts(results: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Fitted, and set aside."""
    aside = [is_aside(one["program"], one["data"], one["kind"]) for one in results]
    return (
        [one for one, out in zip(results, aside, strict=True) if not out],
        [one for one, out in zip(results, aside, strict=True) if out],
    )


def data_of(program: str) -> tuple[str, ...]:
    """The two data sets that a program is run on, of its own part."""
    if program in LABELLED_PROGRAMS:
        return LABELLED_PROGRAMS[program]
    aside = program in ASIDE_PROGRAMS
    choice = sorted(name for name in DATA if (name in ASIDE_DATA) == aside)
    place = sorted(name for name in PROGRAMS if (name in ASIDE_PROGRAMS) == aside).index(program)
    step = 1 + place // len(choice) % (len(choice) - 1)
    return choice[place % len(choice)], choice[(place + step) % len(choice)]
