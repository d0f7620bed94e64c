"""How numbers are computed: with kernels that give the same bits each time, or with the fastest; and on which CUDA stream."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from ganglion.errors import DeviceError

__all__ = ["reproducible", "side_stream", "training_numerics"]

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_WORKSPACE = (
    ":4096:8"  # buffers in KiB and their number; one of two settings with which cuBLAS repeats its results
)
UNREPEATABLE = re.compile(r"(\S+) does not have a deterministic implementation")


@contextmanager
def reproducible() -> Iterator[None]:
    """Context for bit-identical repetitions: deterministic kernels, no cuDNN autotuning, no TF32.

    The previous settings are restored afterwards.
    """
    with _kernels(deterministic=True, benchmark=False, tf32=False):
        yield


@contextmanager
def training_numerics(device: torch.device, deterministic: bool) -> Iterator[None]:
    """Context for a training on `device`. On a CPU it computes as `reproducible` does, whatever is asked.

    On a CUDA device TF32 is allowed and cuDNN chooses its algorithms by timing, unless `deterministic`: then each operation
    repeats its bits. Raises DeviceError for an operation that PyTorch cannot repeat there.
    """
    if device.type != "cuda":
        with reproducible():
            yield
    elif not deterministic:
        with _kernels(deterministic=False, benchmark=True, tf32=True):
            yield
    else:
        with reproducible(), _only_repeatable():
            yield


def side_stream(device: torch.device) -> AbstractContextManager[object]:
    """Context in which a CUDA device works on a stream other than the default one, as capturing a CUDA graph requires."""
    if device.type != "cuda":
        return nullcontext()
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(stream)


@contextmanager
def _kernels(deterministic: bool, benchmark: bool, tf32: bool) -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = deterministic, benchmark, tf32, tf32
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


@contextmanager
def _only_repeatable() -> Iterator[None]:
    """Context in which PyTorch refuses operations that may give other bits each time, such as sums by atomic additions."""
    memory: Any = torch.utils.deterministic
    filling, workspace = memory.fill_uninitialized_memory, os.environ.get(CUBLAS)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault(CUBLAS, CUBLAS_WORKSPACE)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # all memory is written before it is read
    try:
        yield
    except RuntimeError as error:
        found = UNREPEATABLE.search(str(error))
        if found is None:
            raise
        raise DeviceError(
            f"--deterministic: PyTorch {torch.__version__} has no deterministic CUDA kernel for {found[1]}; leave the option "
            "out, or use a network without this operation"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filling
        if workspace is None:
            del os.environ[CUBLAS]
