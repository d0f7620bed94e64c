"""Says when a training falls far below the speed that it had, with what is known of the cause; and again when that is over.

It is asked at records only, so a step costs nothing. The cause rests on the CPU time of this process and of all others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch
from lightning_fabric import Fabric

from ganglion.platform.cores import LoadMeter, LoadReading, Neighbour, cores, neighbours, siblings
from ganglion.vitals.records import Record

__all__ = ["SpeedWatch", "cause_of", "watch_speed"]


SLOW, USUAL = 0.5, 0.75  # of the best speed: below the first a slow time begins, above the second it is over
WINDOW_SEC = 3.0  # of steps at least, over which a speed is judged
BUSY = 0.3  # cores that others use, at least, to be the cause
OVERLAP = (
    0.2  # cores that others and this run's threads want beyond those there are, at least, to be in each other's way
)
STARVED = 0.7  # of the CPU time that its threads could have: with less, this process waits for something


def watch_speed(fabric: Fabric, images: int, say: Callable[[str], None]) -> SpeedWatch:
    """Of a process of a run, which has shown `images` so far."""
    of_this_run = siblings() if fabric.world_size > 1 else frozenset[int]()
    threads = torch.get_num_threads() if fabric.device.type == "cpu" else 0
    return SpeedWatch(say, threads, LoadMeter(of_this_run), images)


class SpeedWatch:
    """`say` prints a line; `threads` are those of this process, 0 where a device other than the CPU trains."""

    def __init__(
        self,
        say: Callable[[str], None],
        threads: int,
        meter: LoadMeter,
        images: int = 0,
        find_neighbours: Callable[[frozenset[int]], list[Neighbour]] = neighbours,
        load_average: Callable[[], float | None] | None = None,
        count: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Steps begin when it is made; `images` were shown so far. `count`: cores that there are."""
        self._say, self._threads, self._meter, self._find_neighbours = say, threads, meter, find_neighbours
        self._load_average = load_average or _load_average
        self._cores = cores() if count is None else count
        self._best, self.slow = 0.0, False
        self._images, self._seconds = 0, 0.0  # of the window so far
        self._clock = clock
        self._from = images, clock()
        self._readings: list[LoadReading] = []

    def go_on(self, images: int) -> None:
        """Steps go on after a record; `images` were shown so far."""
        self._from = images, self._clock()
        self._meter.read()  # what a record costs is not the steps'

    def other_steps(self) -> None:
        """From here on steps cost otherwise than before: the speed so far says nothing of them."""
        self._best, self.slow = 0.0, False
        self._images, self._seconds, self._readings = 0, 0.0, []

    def tick(self, images: int) -> Record:
        """At a record: says that the speed has fallen or is back. Returns what is known of the steps since the last one.

        That is their speed, without the time that the last record took, and `other_load`.
        """
        reading = self._meter.read()
        shown, seconds = images - self._from[0], self._clock() - self._from[1]
        self._images += shown
        self._seconds += seconds
        self._readings.append(reading)
        if self._seconds >= WINDOW_SEC:
            self._judge(self._images / self._seconds, _together(self._readings))
            self._images, self._seconds, self._readings = 0, 0.0, []
        speed = {"images_per_sec": round(shown / max(seconds, 1e-9), 2)}
        return speed if reading.others is None else speed | {"other_load": round(reading.others, 3)}

    def _judge(self, speed: float, load: LoadReading) -> None:
        if not self.slow and speed < SLOW * self._best:
            self.slow = True
            self._say(f"Slow: {speed:,.0f} images/s instead of {self._best:,.0f}. {self._cause(load)}")
        elif self.slow and speed > USUAL * self._best:
            self.slow = False
            self._say(f"At its usual speed again: {speed:,.0f} images/s")
        self._best = max(self._best, speed)

    def _cause(self, load: LoadReading) -> str:
        if self._threads == 0:
            return "If another program uses the device, its monitor (nvidia-smi for CUDA) shows it."
        busy = self._find_neighbours(self._meter.own) if load.others is not None and load.others >= BUSY else []
        return cause_of(load, busy, self._threads, self._cores, self._load_average())


def cause_of(
    load: LoadReading, busy: list[Neighbour], threads: int, count: int, load_average: float | None = None
) -> str:
    """What the readings say of a slow time on `count` cores, in a sentence or two; only what is known."""
    if load.others is None:
        if load_average is not None and load_average > count + 1:
            return f"More work waits for the {count} cores than they can do: the load average is {load_average:.1f}."
        return "The cause is not known."
    if load.others >= BUSY and load.others + threads > count + OVERLAP:
        here = f"these {count} cores" if count > 1 else "the one core that there is"
        return f"{_who(busy)} {load.others:.1f} of {here}.{_advice(threads)}"
    if load.own >= STARVED * threads:
        return (
            "It is not other processes: this one worked all the time, so the processor itself is slower (heat, battery, or "
            "what shares its memory)."
        )
    return (
        f"It is not other processes: this one worked {load.own:.1f} of {threads} cores and waited otherwise, for memory "
        "(swapping), for the disk, or for a limit on its CPU time."
    )


def _who(busy: list[Neighbour]) -> str:
    """The subject of a sentence: who uses the cores, as far as that can be seen."""
    if not busy:
        return "Other processes, outside this container or short-lived, use"
    names = ", ".join(dict.fromkeys(one.name for one in busy[:3]))
    return f"{len(busy)} other process{'es' if len(busy) > 1 else ''} ({names}) use{'' if len(busy) > 1 else 's'}"


def _advice(threads: int) -> str:
    if threads == 1:
        return ""
    return (
        f" {threads} threads wait for each other at every operation: while this lasts, one thread can be faster (stop with "
        "Ctrl-C, then the same command with --threads 1)."
    )


def _together(readings: list[LoadReading]) -> LoadReading:
    """Several readings as one, weighted by their seconds."""
    seconds = sum(one.seconds for one in readings)
    own = sum(one.own * one.seconds for one in readings) / seconds
    others = [one.others * one.seconds for one in readings if one.others is not None]
    return LoadReading(seconds, own, sum(others) / seconds if len(others) == len(readings) else None)


def _load_average() -> float | None:
    """Processes that work or wait, mean of a minute; None on Windows."""
    read = getattr(os, "getloadavg", None)
    return float(read()[0]) if read else None
