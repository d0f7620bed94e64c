"""Reads the file of an offline run of wandb: LevelDB's log format with a header of 7 bytes, each record a protobuf message."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, FILE_HEADER, HEADER = 32768, 7, struct.Struct("<IHB")
FULL, FIRST, _, LAST = range(1, 5)


def _messages(content: bytes) -> Iterator[bytes]:
    assert content.startswith(b":W&B")
    place, parts = FILE_HEADER, b""
    while place + HEADER.size <= len(content):
        if BLOCK - place % BLOCK < HEADER.size:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(content, place)
        place += HEADER.size
        parts = (b"" if kind in (FULL, FIRST) else parts) + content[place : place + length]
        place += length
        if kind in (FULL, LAST):
            yield parts


def messages(folder: Path) -> list[Any]:
    """All messages of the one offline run in `folder`/wandb, or of several in their order."""
    from wandb.proto.wandb_internal_pb2 import Record

    files = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))
    return [Record.FromString(message) for file in files for message in _messages(file.read_bytes())]


def history(folder: Path) -> dict[int, dict[str, Any]]:
    """What was logged, by step."""
    found: dict[int, dict[str, Any]] = {}
    for message in messages(folder):
        if message.WhichOneof("record_type") == "history":
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in message.history.item}
            found.setdefault(int(row.get("_step", message.history.step.num)), {}).update(row)
    return found


def summary(folder: Path) -> dict[str, Any]:
    """The newest values of the summary."""
    found = {}
    for message in messages(folder):
        if message.WhichOneof("record_type") == "summary":
            found |= {
                item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in message.summary.update
            }
    return found
