"""Memory of the machine and of this process: how much is available, how much a piece of work takes at its peak, and
whether an error says that there was too little.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import torch

__all__ = [
    "PeakMeter",
    "available_bytes",
    "cgroup_room",
    "is_out_of_memory",
    "peak_memory_gb",
    "process_bytes",
    "process_peak_bytes",
]

SAMPLE_SEC = 0.002
OUT_OF_MEMORY = ("not enough memory", "DefaultCPUAllocator", "out of memory", "failed to allocate", "bad_alloc")
"""What PyTorch's messages say, of the CPU, of CUDA and of MPS; all but CUDA's are plain RuntimeErrors."""


def process_bytes() -> int:
    """Resident memory of this process that only it uses; without files that are mapped, whose pages the system can drop."""
    found = psutil.Process().memory_info()
    return int(found.rss) - int(getattr(found, "shared", 0))


def process_peak_bytes(process: Callable[[], Any] = psutil.Process) -> int | None:
    """The peak resident size of this process, mapped files included; None where the system does not report it."""
    peak = getattr(process().memory_info(), "peak_wset", None)  # Windows
    if peak is not None:
        return int(peak)
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if psutil.MACOS else 1024  # bytes there, kilobytes elsewhere
    counts: Any = resource
    return int(counts.getrusage(counts.RUSAGE_SELF).ru_maxrss) * unit


def peak_memory_gb(device: torch.device) -> float | None:
    """Peak memory so far, in GiB: allocated by PyTorch on a CUDA device, otherwise the resident size of this process.

    None where the system does not report it.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    peak = process_peak_bytes()
    return None if peak is None else peak / 2**30


def available_bytes(device: torch.device, processes: int = 1) -> int:
    """Bytes that this process can still take: on a CUDA device those that are free or cached by PyTorch; otherwise those
    that the machine has without swapping, within the limits of the control group, shared by so many processes.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    found = [int(psutil.virtual_memory().available), cgroup_room(), _address_room()]
    return min(room for room in found if room is not None) // processes


def cgroup_room(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes below the memory limits of this process's control group and of those above it (containers, Slurm, systemd).

    Cached file pages do not count as used, as the kernel drops them first. None where there is no limit.
    """
    rooms = [_room_in(folder, version) for folder, version in _cgroups(own, root)]
    return min((room for room in rooms if room is not None), default=None)


def _cgroups(own: Path, root: Path) -> list[tuple[Path, int]]:
    """The folders of the control group and of those above it, with the version of their files (cgroups(7))."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        version = 2 if number == "0" and not controllers else 1
        if version == 2 or "memory" in controllers.split(","):
            top = root if version == 2 else root / "memory"
            steps = [step for step in path.split("/") if step]
            found += [(top.joinpath(*steps[:depth]), version) for depth in range(len(steps) + 1)]
    return found


FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
NO_LIMIT = 2**60  # version 1 writes a number near 2**63 where there is none


def _room_in(folder: Path, version: int) -> int | None:
    limit_file, usage_file, cache = FILES[version]
    try:
        limit = int((folder / limit_file).read_text(encoding="ascii"))
        used = int((folder / usage_file).read_text(encoding="ascii"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # no such group here, or "max"
        return None
    return None if limit > NO_LIMIT else max(0, limit - used + int(stat.get(cache, 0)))


RESERVED_BYTES = 2**28  # of address space that threads reserve for stacks and heaps, and do not use


def _address_room() -> int | None:
    """Bytes of address space below the limit of `ulimit -v`."""
    try:
        import resource
    except ImportError:
        return None
    counts: Any = resource
    limit = counts.getrlimit(counts.RLIMIT_AS)[0]
    if limit == counts.RLIM_INFINITY:
        return None
    return max(0, int(limit) - int(psutil.Process().memory_info().vms) - RESERVED_BYTES)


class PeakMeter:
    """Context that measures how much memory is in use at its peak.

    On a CUDA device the allocator's own count; otherwise the size of the process, sampled every 2 ms from a thread.
    """

    def __init__(self, device: torch.device, size: Callable[[], int] = process_bytes) -> None:
        self.device, self._size = device, size
        self._start = self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
            self._start = torch.cuda.memory_reserved(self.device)
        else:
            self._start = self._peak = self._size()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type != "cuda":
            self._over.set()
            self._thread.join()
            self._look()

    @property
    def peak(self) -> int:
        """The largest size so far."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_reserved(self.device)
        self._look()
        return self._peak

    @property
    def rise(self) -> int:
        """The same above the size at the start."""
        return self.peak - self._start

    def _look(self) -> None:
        self._peak = max(self._peak, self._size())

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SEC):
            self._look()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on the device or on the machine."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
