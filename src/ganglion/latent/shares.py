"""Samples drawn by several processes, each on a device of its own or on its share of the CPU's cores.

Each draws whole chunks of the same size as a single process does, so that an image's pixels do not depend on their number.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from itertools import repeat
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganglion.data.pixels import to_uint8
from ganglion.errors import RunError
from ganglion.networks.custom import files_of, run_file
from ganglion.networks.sampling import CHUNK, generate_chunks
from ganglion.platform.cores import cores
from ganglion.platform.interrupt import KEYS
from ganglion.platform.numerics import reproducible

__all__ = ["drawn_over_processes"]

PIECE = 32 * CHUNK
"""Images that a process draws at a time: small beside the whole, so that all end at about the same time."""


def drawn_over_processes(
    network: nn.Module, z: Tensor, labels: Tensor | None, device: torch.device, devices: int
) -> Iterator[NDArray[np.uint8]]:
    """The images of z (N, Z), and of labels (N,) for a conditional generator, in order: uint8 (n, H, W, C), piece by piece.

    `network` is in eval mode. Raises RunError where a process ends before its time.
    """
    context = multiprocessing.get_context("spawn")
    numbers: Queue[int] = context.Queue()
    for number in range(devices):
        numbers.put(number)
    pieces = torch.split(z.cpu(), PIECE)
    classes = torch.split(labels.cpu(), PIECE) if labels is not None else repeat(None, len(pieces))
    exact = torch.backends.cudnn.deterministic
    given = files_of(network), _pickled(network.cpu()), device.type, devices, numbers, exact
    try:
        with ProcessPoolExecutor(min(devices, len(pieces)), context, _begin, given) as pool:
            waiting = deque[Future[NDArray[np.uint8]]]()
            for piece, labels_of_piece in zip(pieces, classes, strict=False):
                waiting.append(pool.submit(_draw, piece, labels_of_piece))
                if len(waiting) > 2 * devices:  # finished pieces wait in memory
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise RunError(
            "a process that drew samples ended without an error message: is there too little memory for several? A script that "
            'draws with several devices does so under: if __name__ == "__main__":'
        ) from error
    finally:
        network.to(device)


def _pickled(network: nn.Module) -> bytes:
    """Raises RunError for a network of the caller's own that cannot be."""
    try:
        return pickle.dumps(network)
    except Exception as error:  # whatever a foreign object raises
        raise RunError(
            f"with several devices each process gets a copy of the generator, and it cannot be pickled ({error}): define "
            "functions and classes at the top of a module, without lambda"
        ) from error


class _Drawing:
    """What a process holds while it draws."""

    network: nn.Module
    device: torch.device
    exact: bool


def _begin(
    files: list[tuple[Path, bytes]], network: bytes, kind: str, devices: int, numbers: Queue[int], exact: bool
) -> None:
    """At the start of each process, which takes one of the numbers. `files` define classes of the pickled network."""
    for key in KEYS:
        signal.signal(key, signal.SIG_IGN)  # only the parent handles Ctrl-C
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, cores() // devices))
    number = numbers.get()
    _Drawing.device = torch.device(kind, number) if kind == "cuda" else torch.device(kind)
    for file in files:
        run_file(*file)
    _Drawing.network, _Drawing.exact = pickle.loads(network).to(_Drawing.device), exact  # made by the parent process


def _draw(z: Tensor, labels: Tensor | None) -> NDArray[np.uint8]:
    device = _Drawing.device
    given = None if labels is None else labels.to(device)
    with reproducible() if _Drawing.exact else nullcontext():
        chunks = generate_chunks(_Drawing.network, z.to(device), given)
        return np.concatenate([to_uint8(chunk).cpu().numpy() for chunk in chunks])
