"""TensorBoard events as rows, by step."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from ganglion.doctor.readers.columns import Rows
from ganglion.errors import DataError

__all__ = ["event_folders", "read_events"]


SPLITS = re.compile(r"train|training|val|valid|validation|test|eval", re.I)


def event_folders(folder: Path) -> list[Path]:
    """Folders that hold event files, the outermost first."""
    return sorted(
        {path.parent for path in folder.rglob("*tfevents*") if path.is_file()}, key=lambda path: (len(path.parts), path)
    )


def read_events(where: Path, rows: Rows, run: int | None = None) -> Rows:
    """Every scalar of an event file, or of a folder and its sub-folders.

    `add_scalars` writes a folder for each curve, Keras one for training and one for validation. Where several folders hold
    the same curves, they are runs: the newest is read, or number `run`, from 1, oldest first.
    """
    folders = [where] if where.is_file() else event_folders(where)
    curves = {folder: _curves(folder) for folder in folders}
    runs = _runs(where, folders, curves)
    if run is not None and not 1 <= run <= len(runs):
        raise DataError(
            f"there is no run {run} in {where}: it holds {len(runs)}; give --run a number from 1 to {len(runs)}"
        )
    chosen = runs[(run or len(runs)) - 1] if runs else []
    if len(runs) > 1:
        names = ", ".join(f"{i}: {_run_name(where, group)}" for i, group in enumerate(runs, start=1))
        rows.notes.append(
            f"{len(runs)} runs were found ({names}); run {run or len(runs)} was read, --run N reads another"
        )
    by_step: dict[int, dict[str, float]] = defaultdict(dict)
    for folder in chosen:
        for tag, points in curves[folder].items():
            name = _name(tag, folder, len(chosen) == 1)
            for _, step, value in points:
                by_step[step][name] = value
    rows.kind = "TensorBoard events"
    tags = {tag for folder in chosen for tag in curves[folder]}
    counter = "epoch" if tags and all(tag.startswith("epoch_") for tag in tags) else "step"  # Keras, once an epoch
    for line, (step, values) in enumerate(sorted(by_step.items()), start=1):
        rows.add_named([(counter, float(step)), *values.items()], line)
    rows.lines = len(by_step)
    return rows


def _curves(folder: Path) -> dict[str, list[tuple[float, int, float]]]:
    """Time, step and value of each point, by tag: scalars of PyTorch, and tensors of one number of TensorFlow 2."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, TENSORS, EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0, TENSORS: 0})
    try:
        events.Reload()
    except Exception as error:  # a damaged file raises what it likes
        raise DataError(f"the TensorBoard events in {folder} cannot be read: {error}") from None
    found: dict[str, list[tuple[float, int, float]]] = {}
    for tag in events.Tags()["scalars"]:
        found[tag] = [(e.wall_time, e.step, float(e.value)) for e in events.Scalars(tag)]
    for tag in events.Tags()["tensors"]:
        points: list[tuple[float, int, float]] = []
        for event in events.Tensors(tag):
            array: Any = tensor_util.make_ndarray(event.tensor_proto)
            if array.size == 1 and array.dtype.kind in "fiu":
                points.append((event.wall_time, event.step, float(array.reshape(()))))
        if points:
            found[tag] = points
    return found


def _name(tag: str, folder: Path, only: bool) -> str:
    """`add_scalars("loss", {"D": ...})` writes the tag `loss` in a folder `loss_D`."""
    if only:
        return tag
    if folder.name.startswith(tag.replace("/", "_")) and folder.name != tag:
        return folder.name
    return (
        f"{folder.name}/{tag}" if SPLITS.fullmatch(folder.name) and not folder.name.lower().startswith("train") else tag
    )


def _runs(where: Path, folders: list[Path], curves: dict[Path, Any]) -> list[list[Path]]:
    """Folders by run, oldest run first: those with a curve of one name in common are different runs."""
    runs: list[tuple[set[str], list[Path]]] = []
    for folder in folders:
        if not curves[folder]:
            continue
        names = {_name(tag, folder, False) for tag in curves[folder]}
        home = next((run for run in runs if not run[0] & names and _related(where, folder, run[1][0])), None)
        if home is None:
            runs.append((names, [folder]))
        else:
            home[0].update(names)
            home[1].append(folder)
    return sorted(
        (run for _, run in runs), key=lambda group: max(points[-1][0] for f in group for points in curves[f].values())
    )


def _related(where: Path, one: Path, other: Path) -> bool:
    """Whether two folders may be of one run: one is in the other, or both are in the same folder."""
    return one.parent == other.parent or other in one.parents or one.parent.parent == other.parent or other == where


def _run_name(where: Path, group: list[Path]) -> str:
    try:
        return group[0].relative_to(where).as_posix() if group[0] != where else group[0].name
    except ValueError:
        return group[0].name
