"""Choice of device and precision, and memory settings."""

from __future__ import annotations

import ctypes
import gc
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from ganglion.errors import DeviceError
from ganglion.recipe.schema import Precision

__all__ = [
    "DEVICES",
    "DeviceName",
    "choose_device",
    "choose_precision",
    "computes_from_tensors",
    "fabric_precision",
    "keep_freed_memory",
    "release_device_memory",
    "release_freed_memory",
]


DeviceName = Literal["auto", "cpu", "cuda", "mps"]
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
KEPT_BYTES = 2**30  # blocks below this are not allocated by mmap
LARGEST_BEFORE_2_35 = 2**25  # HEAP_MAX_SIZE / 2: an older glibc refuses a larger threshold of mapping
ADAPTED_BYTES = (
    2**25,
    2**26,
)  # what glibc raises its thresholds to by itself once a block of 32 MiB was freed; mallopt(3)

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str, count: int = 1) -> torch.device:
    """The device `name`, or the best one for `auto`. Raises DeviceError where this machine does not have it."""
    if name not in DEVICES:
        raise DeviceError(f"--device must be one of {', '.join(DEVICES)}; got {name!r}")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, found in available.items() if found)
    if not available[name]:
        raise DeviceError(f"PyTorch {torch.__version__} finds no {name} device; use --device auto or --device cpu")
    if name == "cuda" and count > torch.cuda.device_count():
        raise DeviceError(f"--devices {count}: this machine has {torch.cuda.device_count()} CUDA devices")
    if name == "mps" and count > 1:
        raise DeviceError("--devices: there is only one mps device; use --devices 1")
    return torch.device(name)


def choose_precision(precision: Precision, device: torch.device) -> Precision:
    """`auto` as 32 or bf16: bf16 where the hardware multiplies it natively, by capability, not by timing.

    Emulated bf16 is slower than float32. Raises DeviceError where bf16 is requested but not supported.
    """
    if device.type == "mps":
        if precision == "bf16":
            raise DeviceError("bf16 autocast is not reliable on mps; use --precision 32")
        return "32"
    if precision == "auto":
        return "bf16" if _native_bf16(device) else "32"
    return precision


def release_device_memory(device: torch.device) -> None:
    """Gives what PyTorch keeps of a CUDA device's memory, and no tensor uses, back to other processes."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def fabric_precision(precision: Precision) -> Any:
    """The name that Lightning Fabric has for 32 or bf16."""
    return "bf16-mixed" if precision == "bf16" else "32-true"


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # missing before PyTorch 2.9
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def computes_from_tensors(device: torch.device) -> bool:
    """Whether a training step takes its numbers from tensors of the device, and draws there: on CUDA devices, where a step
    may be a CUDA graph, and not on the CPU and on mps."""
    return device.type not in ("cpu", "mps")


def glibc() -> Any | None:
    """The C library if it is glibc; None on macOS, Windows and musl (Alpine), which lack these settings."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


@contextmanager
def keep_freed_memory(find: Callable[[], Any | None] = glibc) -> Iterator[None]:
    """Context in which freed memory stays with the process instead of being returned to the kernel after each step.

    By default glibc allocates every block of megabytes by mmap, and the kernel zeroes it: on two cores that took 10 % of a
    64x64 training step. Afterwards free memory is returned, and the thresholds are set to the values that glibc's dynamic
    adaptation reaches in a process with large tensors. The previous values cannot be read, and glibc stops adapting once one
    was set (mallopt(3)), so that its initial 128 KiB would remain: large temporaries then take ten times as long.
    The settings are global: with nested or concurrent contexts, the last one to end restores them. No effect without glibc.
    """
    libc = find()
    if libc is None:
        yield
        return
    with KEEPING.lock:
        KEEPING.users += 1
        if KEEPING.users == 1:
            _set_thresholds(libc, KEPT_BYTES, 2**31 - 1)
    try:
        yield
    finally:
        with KEEPING.lock:
            KEEPING.users -= 1
            if KEEPING.users == 0:
                _set_thresholds(libc, *ADAPTED_BYTES)
                libc.malloc_trim(0)


class _Keeping:
    """Number of active `keep_freed_memory` contexts in this process."""

    def __init__(self) -> None:
        self.lock, self.users = threading.Lock(), 0


KEEPING = _Keeping()


def _set_thresholds(libc: Any, mmap_bytes: int, trim_bytes: int) -> None:
    if not libc.mallopt(M_MMAP_THRESHOLD, mmap_bytes):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BEFORE_2_35)
    libc.mallopt(M_TRIM_THRESHOLD, trim_bytes)


def release_freed_memory(find: Callable[[], Any | None] = glibc) -> None:
    """Returns to the system what the C library keeps of freed memory. No effect without glibc."""
    libc = find()
    if libc is not None:
        libc.malloc_trim(0)
