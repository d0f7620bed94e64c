"""How many CPU threads a training takes: as asked for, as recorded with its weights, or the faster of one and all.

On cores that other processes use, several threads wait for each other at every operation, and one alone can be faster.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import torch
from lightning_fabric import Fabric

from ganglion.data.batches import Batches
from ganglion.errors import DeviceError, TrainingFailed
from ganglion.networks.build import cost_of
from ganglion.platform.cores import cores, usual_threads
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.players import Players

__all__ = [
    "AT_IMPORT",
    "Threads",
    "ThreadsChoice",
    "checked_threads",
    "choose_threads",
    "faster_threads",
    "measured_threads",
    "restored_threads",
]


Threads = Literal["auto"] | int
"""As asked for."""

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
AT_IMPORT = {name: os.environ.get(name, "") for name in VARIABLES}  # Fabric sets the first in each of several processes
ROUNDS = 5
LIMIT_SEC = 0.5  # of a measurement, after which no further round begins
TRIAL_SEC = 0.02  # of several short steps in a row
MOST_STEPS = 32
MOST_FLOP = 3e10  # of a measured step: of larger ones a share of the batch is measured, half a second on one slow core
LEAST_BATCH = 8
PASSES = 8  # forward passes of G and D that a step costs, about: each backward pass counts as two
CLEAR = 1.25  # times as fast in each of two rounds: they suffice


@dataclass(frozen=True)
class ThreadsChoice:
    """The number of threads, why, and what was measured."""

    count: int
    reason: str = ""
    """Empty where there was no choice."""
    images_per_sec: float | None = None
    """In trial steps; None where nothing was timed."""

    def text(self) -> str:
        """For the user, in a line."""
        return f"CPU threads: {self.count}{f' ({self.reason})' if self.reason else ''}"


def checked_threads(threads: str | int) -> Threads:
    """`auto` or a number of at least 1. Raises DeviceError."""
    if threads == "auto":
        return "auto"
    try:
        count = int(threads)
    except ValueError:
        count = 0
    if count < 1 or isinstance(threads, bool):
        raise DeviceError(f"--threads is auto or the number of CPU threads of each process, 1 or more; got {threads!r}")
    return count


@contextmanager
def restored_threads() -> Iterator[None]:
    """Context after which PyTorch has the number of threads that it had before."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_threads(
    asked: Threads,
    recorded: int | None,
    measure: Callable[[int], ThreadsChoice] | None,
    share: int | None = None,
    environment: Mapping[str, str] = AT_IMPORT,
) -> ThreadsChoice:
    """The number of threads of this process, which PyTorch is then set to.

    recorded: the number that the weights so far were trained with.
    measure: finds the faster of 1 and its argument; None: not measured.
    share: cores of this process, where others of the run have theirs; None: it is the only one.
    """
    explicit = (asked, "--threads") if asked != "auto" else _set_outside(environment, share is None)
    choice = _choice(explicit, recorded, measure, share or cores())
    torch.set_num_threads(choice.count)
    return choice


def _choice(
    explicit: tuple[int, str] | None, recorded: int | None, measure: Callable[[int], ThreadsChoice] | None, share: int
) -> ThreadsChoice:
    if explicit:
        count, how = explicit
        return ThreadsChoice(
            count, how if recorded is None or recorded == count else f"{how}; {_what_changes(recorded)}"
        )
    most = min(share, torch.get_num_threads())
    if recorded is None:
        return ThreadsChoice(most) if measure is None or most == 1 else measure(most)
    if recorded <= share:
        return ThreadsChoice(recorded, "as before")
    return ThreadsChoice(most, f"this machine has no more; {_what_changes(recorded)}")


def _set_outside(environment: Mapping[str, str], alone: bool) -> tuple[int, str] | None:
    """The number that the user chose by other means than ours, and by which; None where PyTorch or `launch` chose it."""
    count = torch.get_num_threads()
    for name in VARIABLES:
        if environment.get(name):
            return count, name
    usual = usual_threads() if alone else None
    return (count, "torch.set_num_threads") if usual is not None and count not in usual else None


def _what_changes(recorded: int) -> str:
    return f"trained with {recorded} so far: from here on sums are rounded otherwise than in an uninterrupted run"


def measured_threads(
    fabric: Fabric, recipe: Recipe, batches: Batches, players: Players, own: Own, count: int
) -> ThreadsChoice:
    """The faster of one thread and `count` in steps of this training, on copies that are thrown away."""
    return faster_threads(steps_on_copies(fabric, recipe, batches, players, own), count)


def steps_on_copies(
    fabric: Fabric, recipe: Recipe, batches: Batches, players: Players, own: Own
) -> Callable[[int], int]:
    """Trains copies of `players` for a number of steps and returns the images shown.

    Where a step is long, its batch is smaller.
    """
    flops = sum(cost.flops for cost in cost_of(recipe, own.networks))
    batch = recipe.training.batch
    while batch * flops * PASSES > MOST_FLOP and batch % 2 == 0 and batch // 2 >= LEAST_BATCH and own.networks is None:
        batch //= 2
    copies, alone = copy.deepcopy(players), replace(own, callback=None)

    def train_steps(count: int) -> int:
        budget = {"batch": batch, "steps": count, "kimg": None, "minutes": None, "progressive": 0}
        progress = TrainingProgress()
        short = recipe.model_copy(update={"training": recipe.training.model_copy(update=budget)})
        with suppress(TrainingFailed):  # the training itself will say so
            train_loop(fabric, short, batches, copies, progress, None, Interrupt(), own=alone)
        return progress.images

    return train_steps


def faster_threads(
    train_steps: Callable[[int], int],
    count: int,
    set_threads: Callable[[int], None] = torch.set_num_threads,
    clock: Callable[[], float] = time.perf_counter,
) -> ThreadsChoice:
    """One thread or `count`, by half a second of steps in turn; medians of images/s. `clock` is in seconds.

    train_steps: trains that many steps and returns their images. A first step with each number pays for what is made once
    (the kernels of a shape); it is counted only where it takes so long that nothing else could be measured.
    """
    began = clock()

    def speed(threads: int, steps: int) -> float:
        set_threads(threads)
        start = clock()
        images = train_steps(steps)
        return images / max(clock() - start, 1e-9)

    numbers = count, 1
    rounds = [[speed(threads, 1) for threads in numbers]]
    steps = 1
    while len(rounds) <= ROUNDS and clock() - began < LIMIT_SEC and not _is_clear(rounds[2:]):
        at = clock()
        rounds.append([speed(threads, steps) for threads in numbers])
        steps = min(MOST_STEPS, max(1, round(TRIAL_SEC * len(numbers) * steps / max(clock() - at, 1e-9))))
    of_all, of_one = (median(speeds) for speeds in zip(*(rounds[1:] or rounds), strict=True))
    chosen, other = ((count, of_all), (1, of_one)) if of_all >= of_one else ((1, of_one), (count, of_all))
    reason = f"{chosen[1]:,.0f} images/s in trial steps; {other[1]:,.0f} with {other[0]}"
    return ThreadsChoice(chosen[0], reason, chosen[1])


def _is_clear(rounds: list[list[float]]) -> bool:
    """Whether two rounds agree on which is faster, by far."""
    ratios = [of_all / max(of_one, 1e-9) for of_all, of_one in rounds]
    return len(ratios) >= 2 and (min(ratios) > CLEAR or max(ratios) < 1 / CLEAR)
