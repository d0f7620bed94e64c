"""Our own records, of `ganglion train` and `ganglion.watch`: taken as they are."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.doctor.numbers import number_of
from ganglion.doctor.readers.objective import Objective
from ganglion.doctor.readers.records import Log
from ganglion.doctor.readers.understanding import OWN_KIND, ColumnRead, Understanding
from ganglion.errors import DataError
from ganglion.vitals.records import is_step, parsed

__all__ = ["own_log"]


LARGEST_BYTES = 2**30
BEGUN = ("recipe.yaml", "environment.json")
"""Files of a run from its beginning."""
FIRST_LINES, LONGEST = 20, 2**20
OURS = {"separation", "swd", "diversity", "update_g", "weight_g", "grad_g_first", "images_per_sec", "range_real"}
"""Keys that other programs do not use; a file of another name holds one of them if it is ours."""


def own_log(path: Path) -> Log | None:
    """Records of a run's folder, where there may be none yet, or of a file of its records; None for anything else."""
    file = path / "vitals.jsonl" if path.is_dir() else path
    if all((path / name).is_file() for name in BEGUN) and not (file.is_file() and file.stat().st_size):
        return Log([], _understood([], 0), Objective("", 0.0, ""))
    if not file.is_file() or file.suffix not in (".jsonl", ".json", ".ndjson") or file.stat().st_size > LARGEST_BYTES:
        return None
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = [tree for line in islice(lines, FIRST_LINES) if (tree := parsed(line[:LONGEST])) is not None]
            if not _are_ours(first, file.name == "vitals.jsonl"):
                return None
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    trees = [tree for line in text.splitlines() if (tree := parsed(line)) is not None]
    records = [tree for tree in trees if is_step(tree.get("step"))]
    if not _are_ours(trees, file.name == "vitals.jsonl"):
        return None
    return Log(records, _understood(records, len(text.splitlines())), Objective("", 0.0, ""))


def _are_ours(trees: list[dict[str, Any]], by_name: bool) -> bool:
    records = [tree for tree in trees if is_step(tree.get("step"))]
    counted = 2 * sum("kimg" in tree for tree in records) >= max(1, len(trees))
    return bool(records) and counted and (by_name or any(OURS & record.keys() for record in records))


def _finite(value: Any) -> float:
    number = number_of(value) if isinstance(value, int | float) else None
    return math.nan if number is None or math.isinf(number) else number


def _understood(records: list[dict[str, Any]], lines: int) -> Understanding:
    columns = []
    for key in dict.fromkeys(key for record in records for key in record):
        values = np.array([_finite(record.get(key)) for record in records], np.float64)
        where = np.flatnonzero(np.isfinite(values))
        if len(where) and key != "step":
            kept = values[where]
            first, last = records[where[0]]["step"], records[where[-1]]["step"]
            columns.append(ColumnRead(key, key, len(where), float(kept.min()), float(kept.max()), first, last))
    steps = [record["step"] for record in records]
    kimg = [images for record in records if math.isfinite(images := _finite(record.get("kimg")))]
    counting = {
        "how": "printed", "unit": "step", "names": ["step"], "first": min(steps, default=None),
        "last": max(steps, default=None), "batches_per_epoch": None, "estimated": False,
        "images_per_step": 1000 * kimg[-1] / steps[-1] if kimg and steps[-1] else None,
        "images": 1000 * kimg[-1] if kimg else None, "runs": 1, "run": 1,
    }  # fmt: skip
    return Understanding(OWN_KIND, lines, len(records), columns, counting)
