"""Readers for captured console output, JSON lines, tables and TensorBoard events. Console formats that are recognised:

[0/25][3/782] Loss_D: 0.63 Loss_G: 3.1 D(x): 0.7 D(G(z)): 0.2 / 0.1          the DCGAN tutorial
[Epoch 0/200] [Batch 3/938] [D loss: 0.63] [G loss: 0.71]                    PyTorch-GAN and its many children
938/938 [====] - 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                   Keras 2
938/938 ━━━━━━━━━━ 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                 Keras 3
938/938 - 5s - 5ms/step - d_loss: 0.63 - g_loss: 0.71                        Keras with verbose=2
Epoch 0: 100%|##| 938/938 [00:10<00:00, v_num=0, g_loss=0.71, d_loss=0.63]   Lightning, tqdm
step 1200: d loss = 0.63, g loss = 0.71                                      and other lines of names and numbers
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganglion.doctor.numbers import number_of
from ganglion.doctor.readers.names import ALIASES, in_order, key_of, record_of
from ganglion.errors import DataError
from ganglion.vitals.records import is_step, parsed

__all__ = ["event_folders", "read_console", "read_events", "read_lines", "read_table"]


NUMBER = r"[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
PAIR = re.compile(
    rf"([a-z][\w()./]*(?: [a-z][\w()./]*){{0,2}})\s*(?:[:=]\s*|\s)({NUMBER})(?![\w/%])(?:\s*/\s*({NUMBER}))?", re.I
)
TWO_COUNTS = re.compile(r"\[\s*(\d+)\s*/\s*(\d+)\s*\]\s*\[\s*(\d+)\s*/\s*(\d+)\s*\]")
NAMED_COUNTS = re.compile(
    r"epoch[ :]*\[?\s*(\d+)\s*(?:/\s*(\d+))?\s*\]?.*?(?:batch|step|iter\w*)[ :]*\[?\s*(\d+)\s*/\s*(\d+)", re.I
)
EPOCH = re.compile(r"epoch[ :\[]*(\d+)", re.I)
PROGRESS = re.compile(r"(\d+)\s*/\s*(\d+)\s*(?:\[|━| - \d+m?s)")
LONGEST_LINE = 4000
"""Characters of a line that are read: search time is quadratic in them."""
MEASURED = {key for key in ALIASES if key not in ("step", "epoch", "kimg", "lr_g", "lr_d")}


def read_console(text: str) -> list[dict[str, Any]]:
    """Records from all lines with a loss or an output of D; empty where there are none."""
    return in_order(_rows(ANSI.sub("", text)))


def _rows(text: str) -> Iterator[dict[str, Any]]:
    epoch = 0
    for line in re.split(r"[\r\n]+", text):
        line = line[:LONGEST_LINE]
        if match := EPOCH.search(line):
            epoch = _count(match[1])
        row = record_of(_pairs(line))
        if row.keys() & MEASURED or "non_finite" in row:
            step = _step(line, epoch)
            yield row | ({} if step is None or "step" in row else {"step": step})


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Names and numbers. Words before a name that are not part of it are dropped."""
    for match in PAIR.finditer(line):
        words = match[1].split(" ")
        names = [" ".join(words[first:]) for first in range(len(words))]
        yield next((name for name in names if key_of(name) in ALIASES), match[1]), match[2]


def _step(line: str, epoch: int) -> int | None:
    """Steps since the start, from a line's epochs and batches."""
    if match := TWO_COUNTS.search(line):
        return _count(match[1]) * _count(match[4]) + _count(match[3])
    if match := NAMED_COUNTS.search(line):
        return _count(match[1]) * _count(match[4]) + _count(match[3])
    if match := PROGRESS.search(line):
        return epoch * _count(match[2]) + _count(match[1])
    return None


def _count(digits: str) -> int:
    """A number of epochs, batches or steps; one of more than 18 digits is beyond every valid step."""
    return int(digits) if len(digits) <= 18 else 2**63


def read_lines(text: str) -> list[dict[str, Any]]:
    """Records from all complete lines. Where most lines are our own records, these are returned unchanged."""
    trees = [tree for line in text.splitlines() if (tree := parsed(line)) is not None]
    counted = [tree for tree in trees if is_step(tree.get("step"))]
    if 2 * sum("kimg" in tree for tree in counted) >= len(trees):
        return counted
    return in_order(row for tree in trees if (row := _row(tree)))


def _row(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Nested names are joined; of StyleGAN's {num, mean, std} the mean is taken, and for D's scores also the deviation."""
    row = record_of(_flat(tree))
    if not row:
        return row
    for side in ("real", "fake"):
        scores = tree.get(f"Loss/scores/{side}")
        spread = number_of(scores.get("std")) if isinstance(scores, Mapping) else None
        if spread is not None and math.isfinite(spread):
            row[f"logit_{side}_std"] = spread
    if "step" not in row and "kimg" in row:
        row["step"] = row["kimg"] * 1000  # images: StyleGAN does not count steps
    return row


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            if "mean" in value and "num" in value:
                yield prefix + name, value["mean"]
            else:
                yield from _flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def read_table(text: str) -> list[dict[str, Any]]:
    """Records from all rows; an empty cell is a missing measurement."""
    head = text[: text.find("\n") + 1] or text
    separator = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text, newline=None), delimiter=separator)
    try:
        records = [record_of((name, value) for name, value in row.items() if name) for row in rows]
    except csv.Error as error:
        raise DataError(f"the table cannot be read near line {rows.line_num + 1:,}: {error}") from None
    return in_order(record for record in records if record)


def event_folders(folder: Path) -> list[Path]:
    """Folders that hold event files, the outermost first."""
    return sorted(
        {path.parent for path in folder.rglob("events.out.tfevents.*")}, key=lambda path: (len(path.parts), path)
    )


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Records by step. `add_scalars` writes one folder per curve; then the folder's name is the name of the number."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    by_step: dict[int, dict[str, float]] = defaultdict(dict)
    for inner in event_folders(folder):
        events = EventAccumulator(str(inner), size_guidance={SCALARS: 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            name = tag if inner == folder or len(event_folders(folder)) == 1 else _curve_name(tag, inner.name)
            for event in events.Scalars(tag):
                by_step[event.step][name] = event.value
    return in_order({"step": step, **record_of(values)} for step, values in sorted(by_step.items()))


def _curve_name(tag: str, folder: str) -> str:
    """`add_scalars("loss", {"D": ...})` writes the tag `loss` in a folder `loss_D`."""
    return folder if folder.startswith(tag.replace("/", "_")) else tag
