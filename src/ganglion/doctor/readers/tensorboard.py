"""TensorBoard's event files: every scalar of a folder, its sub-folders taken as parts of one run."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from ganglion.doctor.readers.names import record_of
from ganglion.doctor.readers.series import in_order

__all__ = ["event_folders", "read_events"]


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
