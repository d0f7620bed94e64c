"""Captured console output, in the formats that people have.

[0/25][3/782] Loss_D: 0.63 Loss_G: 3.1 D(x): 0.7 D(G(z)): 0.2 / 0.1          the DCGAN tutorial
[Epoch 0/200] [Batch 3/938] [D loss: 0.63] [G loss: 0.71]                    PyTorch-GAN and its many children
938/938 [====] - 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                   Keras 2
938/938 ━━━━━━━━━━ 5s 5ms/step - d_loss: 0.63 - g_loss: 0.71                 Keras 3
938/938 - 5s - 5ms/step - d_loss: 0.63 - g_loss: 0.71                        Keras with verbose=2
Epoch 0: 100%|##| 938/938 [00:10<00:00, v_num=0, g_loss=0.71, d_loss=0.63]   Lightning, tqdm
step 1200: d loss = 0.63, g loss = 0.71                                      and whatever names its numbers
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
"""Characters of a line that are read: the time of a search grows with their square."""
MEASURED = {key for key in ALIASES if key not in ("step", "epoch", "kimg", "lr_g", "lr_d")}


def read_console(text: str) -> list[dict[str, Any]]:
    """Records of all lines that tell a loss or what D believes; none where no line does."""
    return in_order(_rows(ANSI.sub("", text)))


def _rows(text: str) -> Iterator[dict[str, Any]]:
    epoch = 0
    for line in re.split(r"[\r\n]+", text):
        line = line[:LONGEST_LINE]
        if found := EPOCH.search(line):
            epoch = _count(found[1])
        row = record_of(_pairs(line))
        if row.keys() & MEASURED or "non_finite" in row:
            step = _step(line, epoch)
            yield row | ({} if step is None or "step" in row else {"step": step})


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Names and numbers. A name may have words before it that belong to something else."""
    for found in PAIR.finditer(line):
        words = found[1].split(" ")
        names = [" ".join(words[first:]) for first in range(len(words))]
        yield next((name for name in names if key_of(name) in ALIASES), found[1]), found[2]


def _step(line: str, epoch: int) -> int | None:
    """Steps since the beginning, where a line counts epochs and batches."""
    if found := TWO_COUNTS.search(line):
        return _count(found[1]) * _count(found[4]) + _count(found[3])
    if found := NAMED_COUNTS.search(line):
        return _count(found[1]) * _count(found[4]) + _count(found[3])
    if found := PROGRESS.search(line):
        return epoch * _count(found[2]) + _count(found[1])
    return None


def _count(digits: str) -> int:
    """A number of epochs, batches or steps; one of more than 18 digits is beyond every step that counts."""
    return int(digits) if len(digits) <= 18 else 2**63


def read_lines(text: str) -> list[dict[str, Any]]:
    """Records of all whole lines. Our own, which most lines then are, are taken as they are."""
    trees = [tree for line in text.splitlines() if (tree := parsed(line)) is not None]
    counted = [tree for tree in trees if is_step(tree.get("step"))]
    if 2 * sum("kimg" in tree for tree in counted) >= len(trees):
        return counted
    return in_order(row for tree in trees if (row := _row(tree)))


def _row(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Nested names are joined; StyleGAN's {num, mean, std} is a mean, and for D's scores a deviation too."""
    row = record_of(_flat(tree))
    if not row:
        return row
    for side in ("real", "fake"):
        scores = tree.get(f"Loss/scores/{side}")
        spread = number_of(scores.get("std")) if isinstance(scores, Mapping) else None
        if spread is not None and math.isfinite(spread):
            row[f"logit_{side}_std"] = spread
    if "step" not in row and "kimg" in row:
        row["step"] = row["kimg"] * 1000  # images: StyleGAN counts nothing else
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
    """Records of all rows; an empty cell is a number that was not measured at that step."""
    head = text[: text.find("\n") + 1] or text
    separator = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text, newline=None), delimiter=separator)
    try:
        found = [record_of((name, value) for name, value in row.items() if name) for row in rows]
    except csv.Error as error:
        raise DataError(f"the table cannot be read near line {rows.line_num + 1:,}: {error}") from None
    return in_order(row for row in found if row)


def event_folders(folder: Path) -> list[Path]:
    """Folders that hold event files, the outermost first."""
    return sorted(
        {path.parent for path in folder.rglob("events.out.tfevents.*")}, key=lambda path: (len(path.parts), path)
    )


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Records by step. A writer for each curve (`add_scalars`) has a folder for each, whose name then names the number."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    by_step: dict[int, dict[str, float]] = defaultdict(dict)
    for place in event_folders(folder):
        events = EventAccumulator(str(place), size_guidance={SCALARS: 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            name = tag if place == folder or len(event_folders(folder)) == 1 else _named(tag, place.name)
            for event in events.Scalars(tag):
                by_step[event.step][name] = event.value
    return in_order({"step": step, **record_of(values)} for step, values in sorted(by_step.items()))


def _named(tag: str, folder: str) -> str:
    """`add_scalars("loss", {"D": ...})` writes the tag `loss` in a folder `loss_D`."""
    return folder if folder.startswith(tag.replace("/", "_")) else tag
