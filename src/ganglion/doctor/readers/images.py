"""How many images a step is: from the log, or from the user."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.counters import Counting
from ganglion.doctor.readers.grouping import Group, Roles, carried
from ganglion.doctor.readers.names import words_of

__all__ = ["images_of"]


BATCH = {
    "batch size",
    "batchsize",
    "batch_size",
    "bs",
    "mini batch size",
    "train batch size",
    "training batch size",
    "opt batch size",
}
DATA = {"number of training images", "dataset size", "the number of training images", "num train images", "training set size",
        "number of images", "images in dataset", "train size", "num images"}  # fmt: skip
IMAGES_IN_ITERS = {"epoch", "iters", "time", "data"}
"""The counters of a line whose `iters` adds up batch sizes: pytorch-CycleGAN-and-pix2pix and its children."""


def images_of(
    rows: Rows, groups: Sequence[Group], counting: Counting, roles: Roles, batch: int | None, per_epoch: int | None
) -> Callable[[int, float], float | None]:  # fmt: skip
    """A function from a step and its epoch to thousands of images that D has seen; None where that is not known."""
    if counting.unit == "image":
        return lambda step, epoch: step / 1000
    in_iters = {column.place.name for column in rows.columns} >= IMAGES_IN_ITERS and len(counting.columns) == 2
    batch = 1 if counting.unit == "step" and in_iters else batch or _setting(rows, BATCH)
    per_epoch = per_epoch or _setting(rows, DATA)
    if counting.unit == "epoch":
        return (lambda step, epoch: step * per_epoch / 1000) if per_epoch else (lambda step, epoch: None)
    if counting.unit == "step":
        per = counting.batches_per_epoch
        if batch is None and per_epoch and per:
            return lambda step, epoch: step * per_epoch / per / 1000
        if batch:
            return lambda step, epoch: step * batch / 1000
    return _printed(groups, counting, roles)


def _setting(rows: Rows, names: set[str]) -> int | None:
    """A setting that the log prints with one value."""
    for i, column in enumerate(rows.columns):
        if " ".join(words_of(column.place.name)) in names or column.place.name.lower() in names:
            values = set(rows.values_of(i, 5))
            if len(values) == 1 and (value := values.pop()) >= 1 and value == int(value):
                return int(value)
    return None


def _printed(groups: Sequence[Group], counting: Counting, roles: Roles) -> Callable[[int, float], float | None]:
    """From a counter of images beside the steps."""
    for column, kind in roles.counters.items():
        if kind not in ("images", "kimg") or column in counting.columns:
            continue
        values = carried(list(groups), column) / (1000 if kind == "images" else 1)
        known = {int(counting.steps[i]): float(values[i]) for i in counting.kept if math.isfinite(values[i])}
        if (
            len(known) > 1
            and np.all(np.diff([known[step] for step in sorted(known)]) >= 0)
            and len(set(known.values())) > 1
        ):
            return lambda step, epoch, known=known: known.get(step)  # type: ignore[misc]
    return lambda step, epoch: None
