"""What a remedy begins as: an idea, which makes a change of a recipe out of that recipe and of what the records tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ganglion.doctor.history import History

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = ["UNKNOWN", "Change", "Idea", "Known", "known_of", "rounded"]


class Known(NamedTuple):
    """What records tell of a training, of any program; NaN or None where they do not."""

    lr_g: float = math.nan
    """G's largest learning rate so far."""
    lr_d: float = math.nan
    """The same of D."""
    update_g: float = math.nan
    """The largest update of G over its weights, per step."""
    update_d: float = math.nan
    """The same of D."""
    batch: float = math.nan
    """Real images in a step."""
    parameters_g: float = math.nan
    """Weights of G."""
    parameters_d: float = math.nan
    """Weights of D."""
    d_batch_norm: bool | None = None
    """Whether networks of the user's own have batch norm in D; None: not known."""
    first: Recipe | None = None
    """Of the run with which the training began, before any remedy; None: the run's own."""


UNKNOWN = Known()


def known_of(history: History) -> Known:
    """The numbers in a run's records."""
    steps, kimg = int(history.steps[-1]), float(history.kimg[-1])
    counted = not history.batch_is_assumed and steps > 0
    return Known(
        _largest(history, "lr_g"), _largest(history, "lr_d"), _largest(history, "update_g"), _largest(history, "update_d"),
        1000 * kimg / steps if counted else math.nan,
        history.last("parameters_g"), history.last("parameters_d"),
    )  # fmt: skip


def _largest(history: History, key: str) -> float:
    return max((value for value in history[key].tolist() if not math.isnan(value)), default=math.nan)


class Change(NamedTuple):
    """A change of one recipe."""

    what: str
    """As a sentence without its full stop, with the numbers of that recipe."""
    settings: Mapping[str, object]
    """The new values by dotted key; empty where it is none of the recipe, but something to do by hand."""
    recipe: str = ""
    """Another recipe that replaces this one."""


@dataclass(frozen=True)
class Idea:
    """One remedy for any run. Its name is its identity: a run that was started with it is not told it again."""

    name: str
    what: str
    """As a sentence without its full stop, for a training of which no recipe is known."""
    code: str | Callable[[Known], str] = ""
    """For the user's own training loop, with that loop's numbers where they are known; empty: not for this loop, or only for
    `ganglion train`."""
    change: Callable[[Recipe, Known], Change | None] | None = None
    """For a recipe: what to set; None where it is there already, or cannot be. Without: not for a run of `ganglion train`."""
    fresh: bool = False
    """Whether the weights of the run are of no use with it."""
    by_hand: bool = False
    """Whether no value of a recipe carries it out."""
    command: str = ""
    """Another command of Ganglion that does it, with {run} for the run folder."""

    def code_for(self, known: Known) -> str:
        """What to write in the user's own training loop."""
        return self.code if isinstance(self.code, str) else self.code(known)


def rounded(value: float) -> float:
    """Two significant digits."""
    return float(f"{value:.2g}")
