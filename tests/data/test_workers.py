import os
import struct
from functools import partial

import numpy as np
import pytest

from ganglion.data.arrays import IdxSource
from ganglion.data.fit import Fit
from ganglion.data.pack_images import pack_chunk
from ganglion.data.scan_entries import read_chunk
from ganglion.data.workers import CHUNK, FEW, map_chunks


@pytest.fixture
def many(tmp_path):
    """A source of a few images more than are read in one process; no two alike."""
    count = FEW + 5
    pixels = np.arange(count * 2, dtype=np.uint16).view(np.uint8)
    (tmp_path / "images.idx").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", count, 2, 2) + pixels.tobytes())
    return IdxSource(tmp_path / "images.idx")


def test_every_entry_is_worked_on_once_in_order_in_chunks(listed):
    source = listed({str(i): b"" for i in range(2 * CHUNK + 3)})
    entries = source.entries()
    chunks = list(map_chunks(lambda _, chunk: chunk, source, entries))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 3]
    assert [entry for chunk in chunks for entry in chunk] == entries


def test_no_entries_make_no_chunks(listed):
    assert list(map_chunks(lambda _, chunk: chunk, listed({}), [])) == []


def test_few_entries_are_worked_on_in_this_process(listed):
    source = listed({"a": b""})
    assert list(map_chunks(lambda *_: os.getpid(), source, source.entries())) == [os.getpid()]


def test_work_is_done_only_when_its_result_is_asked_for(listed):
    source = listed({str(i): b"" for i in range(3 * CHUNK)})
    done = []
    chunks = map_chunks(lambda _, chunk: done.append(len(chunk)), source, source.entries())
    next(chunks)
    assert done == [CHUNK]


def test_two_processes_give_what_one_gives(many):
    entries = many.entries()
    work = partial(pack_chunk, Fit((2, 2), 1, "crop"))
    alone = np.concatenate([chunk.pixels for chunk in map_chunks(work, many, entries, processes=1)])
    shared = np.concatenate([chunk.pixels for chunk in map_chunks(work, many, entries, processes=2)])
    assert np.array_equal(alone, shared)
    assert np.array_equal(alone[..., 0], np.stack([many.read(entry) for entry in entries]))


def test_findings_of_workers_come_back_in_the_order_of_the_entries(many):
    entries = many.entries()
    findings = [
        finding for chunk in map_chunks(partial(read_chunk, 1), many, entries, processes=2) for finding in chunk
    ]
    assert [finding.entry for finding in findings] == list(entries)
