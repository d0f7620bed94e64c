"""CPU seconds of this process, and samples of a trainer's generator when marks of them are passed.

Sampling and writing stand outside the clock. Marks are looked at after each update of G; where a mark falls between two
updates the weights after the second are sampled, which favours trainers with long steps.
"""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.optim import Optimizer

__all__ = ["Meter", "TimeIsUp"]

CHUNK = 50

Sampler = Callable[[int], NDArray[np.uint8]]


class TimeIsUp(BaseException):
    """The trainer has used its CPU seconds; not an Exception, so that no trainer catches it."""


class Meter:
    """Watches one trainer, which calls `start()` when it has imported all it needs.

    marks: CPU seconds, ascending; the last is the budget. n: samples at each. out: folder for NPZ files and marks.json.
    """

    def __init__(self, marks: Sequence[float], n: int, out: Path) -> None:
        self.marks, self.n, self.out = list(marks), n, out
        self.started = self.outside = 0.0
        self.updates = self._opened = 0
        self._seen: Callable[[], int] = lambda: self._opened
        self.taken: list[dict[str, Any]] = []
        self._sample: Sampler | None = None
        out.mkdir(parents=True, exist_ok=True)

    @property
    def budget(self) -> float:
        return self.marks[-1]

    def start(self, stop: bool = True) -> None:
        """Starts the clock, and counts every image that Pillow opens from here on as a real image shown to D.

        stop: raises TimeIsUp in the main thread when the budget is used, also in the middle of a step.
        """
        opened = Image.open

        def counted(*args: Any, **kwargs: Any) -> Image.Image:
            self._opened += 1
            return opened(*args, **kwargs)

        Image.open = counted  # type: ignore[assignment]
        self.started = time.process_time()
        if stop:
            signal.signal(signal.SIGPROF, self._alarm)
            self._set_alarm()

    def elapsed(self) -> float:
        return time.process_time() - self.started - self.outside

    def _set_alarm(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, max(0.01, self.budget - self.elapsed()))

    def _alarm(self, *_: object) -> None:
        if self.elapsed() < self.budget or self._sample is None:  # samples were taken meanwhile; no networks yet
            return self._set_alarm()
        raise TimeIsUp

    def watch(self, optimizer_g: Optimizer, sample: Sampler, images: Callable[[], int] | None = None) -> None:
        """`sample(n)` draws n uint8 images (n, H, W, C) with the weights that the trainer itself would use.

        images: how many real images D has seen, where that is not the number of files opened.
        """
        self._sample = sample
        self._seen = images or self._seen
        optimizer_g.register_step_post_hook(lambda *_: self.after_update())

    def after_update(self) -> None:
        self.updates += 1
        while len(self.taken) < len(self.marks) - 1 and self.elapsed() >= self.marks[len(self.taken)]:
            self._take()

    def finish(self) -> None:
        """Samples the last weights for every mark that is left, and writes marks.json."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        while len(self.taken) < len(self.marks):
            self._take()
        (self.out / "marks.json").write_text(json.dumps(self.taken))

    def _take(self) -> None:
        began = time.process_time()
        record = {
            "mark": self.marks[len(self.taken)], "seconds": round(began - self.started - self.outside, 2),
            "images": self._seen(), "updates": self.updates,
        }  # fmt: skip
        if self.taken and self.taken[-1]["updates"] == self.updates:
            record["file"] = self.taken[-1]["file"]  # the same weights
        else:
            record["file"] = f"{len(self.taken)}.npz"
            with unchanged_randomness():
                np.savez(self.out / record["file"], samples=self._draw())
        self.taken.append(record)
        self.outside += time.process_time() - began

    def _draw(self) -> NDArray[np.uint8]:
        assert self._sample, "a trainer calls watch() before its first update"
        torch.manual_seed(1)
        chunks = [self._sample(min(CHUNK, self.n - first)) for first in range(0, self.n, CHUNK)]
        return np.concatenate(chunks)


class unchanged_randomness:  # noqa: N801 (a context, as torch.random.fork_rng)
    """A context after which the global generators of torch, NumPy and Python go on as if it had not been."""

    def __enter__(self) -> None:
        self.kept = torch.random.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002 (peers' own)

    def __exit__(self, *_: object) -> None:
        torch.random.set_rng_state(self.kept[0])
        np.random.set_state(self.kept[1])  # noqa: NPY002
        random.setstate(self.kept[2])
