"""Which device, which precision, and how numbers behave there."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from ganglion.errors import DeviceError
from ganglion.recipe.schema import Precision

__all__ = ["DEVICES", "DeviceName", "choose_device", "choose_precision", "kept_memory", "reproducible"]

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(asked: str, count: int = 1) -> torch.device:
    """The device that `asked` means here. Raises DeviceError where this machine lacks it."""
    if asked not in DEVICES:
        raise DeviceError(f"--device is one of {', '.join(DEVICES)}; got {asked!r}")
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        asked = next(name for name, there in present.items() if there)
    if not present[asked]:
        raise DeviceError(
            f"PyTorch {torch.__version__} finds no {asked} device here; use --device auto or --device cpu"
        )
    if asked == "cuda" and count > torch.cuda.device_count():
        raise DeviceError(f"--devices {count}: this machine has {torch.cuda.device_count()} CUDA devices")
    if asked == "mps" and count > 1:
        raise DeviceError("--devices: there is one mps device")
    return torch.device(asked)


def choose_precision(asked: Precision, device: torch.device) -> Precision:
    """`auto` as 32 or bf16: bf16 where the hardware multiplies it natively, which is known, not tried.

    An emulated bf16 is slower than float32. Raises DeviceError where bf16 is asked for and cannot be had.
    """
    if device.type == "mps":
        if asked == "bf16":
            raise DeviceError("bf16 autocast is not reliable on mps; use --precision 32")
        return "32"
    if asked == "auto":
        return "bf16" if _native_bf16(device) else "32"
    return asked


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch before 2.9 cannot tell
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def kept_memory() -> Iterator[None]:
    """While it lasts, freed memory stays with the process instead of going back to the kernel after each step.

    glibc maps every block of megabytes anew, and the kernel fills it with zeros: on two cores that cost a tenth of a
    64x64 training step. Afterwards what is free is handed back. Other C libraries are left as they are.
    """
    libc = ctypes.CDLL(None)
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, 2**30)
    libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.malloc_trim(0)


@contextmanager
def reproducible() -> Iterator[None]:
    """Equal runs give equal bits: no kernel that adds in varying order, none chosen by a stopwatch; float32 is float32.

    The process's own settings are put back afterwards.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = True, False, False, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
