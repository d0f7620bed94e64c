"""Processor cores that this process may use, and how busy other processes keep them. Linux tells the latter; others do not."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["LoadMeter", "LoadReading", "Neighbour", "cores", "neighbours", "siblings", "usual_threads"]


PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")
SAMPLE_SEC = 0.2  # over which the CPU time of each process is compared
LEAST_CORES = 0.05  # of a process that counts as busy


def _affinity() -> set[int] | None:
    """Numbers of the cores that this process may run on; None where the system does not say."""
    allowed = getattr(os, "sched_getaffinity", None)
    return set(allowed(0)) if allowed else None


def cores(cgroup: Path = CGROUP) -> int:
    """Processor cores that this process may use, by its affinity and the CPU quota of its container (cgroup)."""
    allowed = _affinity()
    count = len(allowed) if allowed else os.cpu_count() or 1
    quota = _quota(cgroup)
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time that the container may use; None without a limit. cgroup v2, then v1."""
    try:
        limit, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        limit, period = "max", "1"
    if limit == "max":
        try:
            limit, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period")
            )
        except OSError:
            return None
    return float(limit) / float(period) if float(limit) > 0 else None


def usual_threads(devices: Path = Path("/sys/devices/system/cpu")) -> set[int] | None:
    """The numbers of threads that PyTorch takes by itself: one per core, or per physical core; None if not known."""
    allowed = _affinity()
    if allowed is None:
        return None
    try:
        siblings = {
            (devices / f"cpu{core}" / "topology" / "thread_siblings_list").read_text(encoding="ascii")
            for core in allowed
        }
    except OSError:
        return None
    return {len(allowed), len(siblings)}


class LoadReading(NamedTuple):
    """What the cores did between two calls of a meter."""

    seconds: float
    own: float
    """Cores' worth of CPU time that this process took."""
    others: float | None
    """The same of all other processes on these cores; None where the system does not say."""


class LoadMeter:
    """Reads the CPU time of these cores and of this process, or of `own`, the processes of one training, by their ids.

    `clock` and `own_sec` are in seconds.
    """

    def __init__(
        self, own: frozenset[int] = frozenset(), proc: Path = PROC, clock: Callable[[], float] = time.monotonic,
        own_sec: Callable[[], float] = time.process_time, allowed: set[int] | None = None,
    ) -> None:  # fmt: skip
        self.own, self._proc, self._clock, self._own_sec = own or frozenset({os.getpid()}), proc, clock, own_sec
        if own:
            self._own_sec = self._sum_of_processes
        self._allowed = allowed if allowed is not None else _affinity()
        self._last = self._now()

    def read(self) -> LoadReading:
        """Since the last call, or since the meter was made."""
        before, self._last = self._last, self._now()
        seconds = max(self._last[0] - before[0], 1e-9)
        own = (self._last[1] - before[1]) / seconds
        if before[2] is None or self._last[2] is None:
            return LoadReading(seconds, own, None)
        return LoadReading(seconds, own, max(0.0, (self._last[2] - before[2]) / seconds - own))

    def _sum_of_processes(self) -> float:
        working = _processes(self._proc)
        return sum(working[pid].ticks for pid in self.own if pid in working) / os.sysconf("SC_CLK_TCK")

    def _now(self) -> tuple[float, float, float | None]:
        return self._clock(), self._own_sec(), _busy_sec(self._proc / "stat", self._allowed)


def _busy_sec(stat: Path, allowed: set[int] | None) -> float | None:
    """Seconds of CPU time that the allowed cores have worked since the system started; proc_stat(5)."""
    try:
        lines = stat.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    names = {f"cpu{core}" for core in allowed or ()}
    rows = [[int(number) for number in line.split()[1:9]] for line in lines if line.partition(" ")[0] in names]
    if not rows:
        return None
    idle = sum(row[3] + row[4] for row in rows)  # of user, nice, system, idle, iowait, irq, softirq, steal
    return (sum(map(sum, rows)) - idle) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Neighbour:
    """Another process that is busy."""

    name: str
    cores: float


def neighbours(
    own: frozenset[int],
    proc: Path = PROC,
    sleep: Callable[[float], None] = time.sleep,
    allowed: set[int] | None = None,
) -> list[Neighbour]:
    """Processes other than `own` that are busy now on these cores, the busiest first; empty where none can be seen.

    Takes 0.2 seconds. Processes outside the container are not seen, though the load of the cores includes theirs.
    """
    before = _processes(proc)
    if not before:
        return []
    sleep(SAMPLE_SEC)
    allowed = allowed if allowed is not None else _affinity()
    ticks = os.sysconf("SC_CLK_TCK") * SAMPLE_SEC
    found = [
        Neighbour(now.name, (now.ticks - before[pid].ticks) / ticks)
        for pid, now in _processes(proc).items()
        if pid in before and pid not in own and (allowed is None or now.core in allowed)
    ]
    return sorted((one for one in found if one.cores > LEAST_CORES), key=lambda one: -one.cores)


def siblings(proc: Path = PROC, parent: int | None = None) -> frozenset[int]:
    """Ids of the processes that this process's parent has started, itself among them: those of one training."""
    parent = os.getppid() if parent is None else parent
    return frozenset(pid for pid, one in _processes(proc).items() if one.parent == parent)


class _Process(NamedTuple):
    name: str
    parent: int
    ticks: int
    """Clock ticks that it has worked."""
    core: int
    """On which it was last."""


def _processes(proc: Path) -> dict[int, _Process]:
    """All that can be seen, by id; empty on other systems than Linux. proc_pid_stat(5)."""
    found = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            head, _, rest = path.read_text(errors="replace").rpartition(")")  # a name may hold brackets
            fields = rest.split()
            found[int(path.parent.name)] = _Process(
                head.partition("(")[2], int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[36])
            )
        except (OSError, IndexError, ValueError):  # it has ended meanwhile
            continue
    return found
