"""Processes entries on all cores, in order, in chunks, with constant memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, delayed

from ganglion.data.sources import Entry, Source

__all__ = ["map_chunks"]


T = TypeVar("T")

CHUNK = 256
FEW = 2048  # below this, starting worker processes (about half a second each) costs more than it saves


def map_chunks(
    work: Callable[[Source, Sequence[Entry]], T],
    source: Source,
    entries: Sequence[Entry],
    processes: int | None = None,
) -> Iterator[T]:
    """`work(source, chunk)` for every chunk of 256 entries, in order.

    joblib's loky workers are started anew rather than forked, so that they are safe beside torch's threads, and
    they do not import the user's script again, so that a script without a main guard works.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = processes or cores
    starts = range(0, len(entries), CHUNK)
    if processes == 1 or len(entries) < FEW:
        return (work(source, entries[first : first + CHUNK]) for first in starts)
    pool = Parallel(n_jobs=processes, return_as="generator", pre_dispatch=2 * processes, batch_size=1)
    chunks: Iterator[T] = pool(delayed(work)(source, entries[first : first + CHUNK]) for first in starts)
    return chunks
