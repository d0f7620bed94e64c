"""`ganglion.diagnose`: a verdict from the logs of any training, ours or another program's."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from ganglion.doctor.examine import examine
from ganglion.doctor.readers.formats import event_folders, read_console, read_events, read_lines, read_table
from ganglion.doctor.readers.names import ALIASES, PROGRESS
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError

__all__ = ["diagnose", "read_log"]


LARGEST_LOG_BYTES = 2**30
MEASUREMENTS = {"separation", "swd", "diversity", "non_finite"} | ALIASES.keys() - PROGRESS
"""At least one record has to hold one of these."""


def diagnose(path: str | PathLike[str]) -> Verdict:
    """The verdict on a run or a watched run, a folder of TensorBoard events, a CSV, a JSONL, or console output.

    Raises DataError where the path does not exist or holds no measurements of a GAN's training.
    """
    where = Path(path)
    return examine(read_log(where), own_run=(where / "recipe.yaml").is_file())


def read_log(path: Path) -> list[dict[str, Any]]:
    """Records of any of these. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    records = _of_folder(path) if path.is_dir() else _of_file(path)
    if not any(record.keys() & MEASUREMENTS for record in records):
        raise DataError(
            f"{path} has no measurements of a GAN's training: expected numbers such as loss_d and loss_g under one of the "
            "usual names (docs/diagnose.md)"
        )
    return records


def _of_folder(folder: Path) -> list[dict[str, Any]]:
    for name in ("vitals.jsonl", "stats.jsonl"):
        if (folder / name).is_file():
            return read_lines(_text(folder / name))
    if event_folders(folder):
        return read_events(folder)
    tables = sorted(folder.rglob("metrics.csv"))
    if tables:
        return read_table(_text(tables[-1]))
    raise DataError(f"{folder} holds neither vitals.jsonl, stats.jsonl, TensorBoard events nor metrics.csv")


def _of_file(path: Path) -> list[dict[str, Any]]:
    if "tfevents" in path.name:
        return read_events(path.parent)
    text = _text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return read_table(text)
    if path.suffix.lower() in (".jsonl", ".json", ".ndjson") or text.lstrip()[:1] == "{":
        return read_lines(text)
    return read_console(text)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_LOG_BYTES:
            raise DataError(f"{path} is larger than {LARGEST_LOG_BYTES >> 30} GiB: extract the part to be diagnosed")
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if b"\0" in raw[:4096] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            f"{path} is not a text file: expected CSV, JSON lines, console output, or a folder of TensorBoard events"
        )
    return raw.decode("utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", errors="replace")
