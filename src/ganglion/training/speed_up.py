"""How much faster several processes are than one, as measured at the start of a run.

One process alone: before the first step the first process trains a copy of the players on whole batches, with all cores of
its machine or on its device, while the others wait. All together: the first seconds of the run itself, between two steps,
without records and snapshots.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.single_device import SingleDeviceStrategy

from ganglion.data.batches import Batches
from ganglion.errors import TrainingFailed
from ganglion.platform.cores import cores
from ganglion.platform.devices import fabric_precision
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.schema import Recipe
from ganglion.training.own import Own
from ganglion.training.threads import AT_IMPORT
from ganglion.training.timed_steps import images_per_sec

__all__ = ["SpeedUp", "images_per_sec_alone"]

ALONE_SEC, TOGETHER_SEC = 2.0, 5.0
FEWEST_STEPS = 3

Show = Callable[[float, str | None], None]
"""Share of the budget in [0, 1], and a status line where there is a new one."""


def images_per_sec_alone(
    recipe: Recipe, batches: Batches, own: Own, interrupt: Interrupt, clock: Callable[[], float] = time.monotonic
) -> float | None:
    """Real images a second of one process with whole batches; nothing of it stays. None where it fails, as without memory."""
    device, before = batches.device, torch.get_num_threads()
    precision = fabric_precision(recipe.training.precision)
    if not AT_IMPORT["OMP_NUM_THREADS"]:
        torch.set_num_threads(cores())
    try:
        fabric = Fabric(strategy=SingleDeviceStrategy(device), precision=precision)
        return images_per_sec(fabric, recipe, batches, own, ALONE_SEC, interrupt, clock) or None
    except (TrainingFailed, torch.OutOfMemoryError, MemoryError):
        return None
    finally:
        torch.set_num_threads(before)
        if device.type == "cuda":
            torch.cuda.empty_cache()


class SpeedUp:
    """Times the steps of a run until it can say how fast they are, once."""

    def __init__(
        self, count: int, images: int, alone: float | None, say: Callable[[str], None],
        wait: Callable[[], None] = lambda: None, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """`images` of a step, over all `count` processes; `alone`: images a second of one. `wait` is for the device."""
        self._count, self._images, self._alone, self._say = count, images, alone, say
        self._wait, self._clock = wait, clock
        self._last: float | None = None
        self._seconds, self._steps, self._said = 0.0, 0, False

    def watching(self, show: Show) -> Show:
        """`show`, which the loop calls after each step and, with a status line, after each record."""

        def shown(fraction: float, line: str | None) -> None:
            if not self._said:
                self._after(line)
            show(fraction, line)

        return shown

    def _after(self, line: str | None) -> None:
        if line is not None:  # the time since the last step went into a record
            self._last = None
            return
        if self._last is None:
            self._wait()
            self._last = self._clock()
            return
        now = self._clock()
        if self._seconds + now - self._last >= TOGETHER_SEC:
            self._wait()
            now = self._clock()
        self._seconds, self._steps, self._last = self._seconds + now - self._last, self._steps + 1, now
        if self._seconds >= TOGETHER_SEC and self._steps >= FEWEST_STEPS:
            self._said = True
            self._say(self.text(self._steps * self._images / self._seconds))

    def text(self, together: float) -> str:
        found = f"{self._count} processes: {together:,.0f} images/s"
        if self._alone is None:
            return f"{found}; one process alone could not be measured"
        ratio = together / self._alone
        advice = "; --devices 1 is faster" if ratio < 1 else ""
        return f"{found}, {ratio:.1f} times the {self._alone:,.0f} of one on the whole batch{advice}"
