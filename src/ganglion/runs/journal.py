"""The journal of a run: records on disk and in TensorBoard, the live diagnosis of them, and what is said of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from ganglion.doctor.examine import IncrementalDiagnosis
from ganglion.doctor.verdict import State, Verdict
from ganglion.pictures.sheets import displayed
from ganglion.platform.files import storage_errors, write_atomically
from ganglion.recipe.schema import Training
from ganglion.training.players import TrainingProgress
from ganglion.vitals.records import Record, read_lines, read_records

__all__ = ["Lines", "LiveDiagnosis", "VitalsLog"]


GROUPS = {
    "loss": "loss", "logit": "judgement", "logits": "judgement", "d": "judgement", "accuracy": "judgement",
    "separation": "judgement", "held": "judgement", "earth": "judgement", "lr": "rates", "images": "speed",
    "seconds": "speed", "grad": "gradients", "update": "gradients", "first": "gradients", "weight": "weights",
    "clip": "weights", "dead": "weights", "layers": "layers",
}  # fmt: skip
"""By the first word of a key; others are of the samples."""

NOT_SHOWN = ("step", "eta_sec", "non_finite", "range_real", "range_fake")


class Lines:
    """A JSONL file that grows by whole lines. What a lost life of the run wrote after `resumed_step` is taken out; where
    that is 0 the run begins anew, and so does the file."""

    def __init__(self, path: Path, resumed_step: int) -> None:
        self.path = path
        kept = [line for line in read_lines(path) if resumed_step and line.get("step", 0) <= resumed_step]
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def write(self, line: Mapping[str, Any]) -> None:
        """On disk when this returns. Raises StorageError."""
        with storage_errors(self.path):
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class VitalsLog:
    """Appends records to `vitals.jsonl` and TensorBoard."""

    def __init__(self, run: Path, resumed_step: int) -> None:
        self._lines = Lines(run / "vitals.jsonl", resumed_step)
        self._place = run
        with storage_errors(run):
            self._board = SummaryWriter(str(run / "tensorboard"), purge_step=resumed_step + 1)

    def write(self, record: Record) -> None:
        """One line, on disk when this returns. Raises StorageError."""
        self._lines.write(record)
        with storage_errors(self._place):
            for name, value in record.items():
                if name not in NOT_SHOWN:
                    self._show(name, value, record["step"])

    def picture(self, name: str, pixels_hwc: NDArray[Any], step: int) -> None:
        """A picture for TensorBoard, uint8 (H, W, C)."""
        self._board.add_image(name, displayed(pixels_hwc), step, dataformats="HWC")

    def close(self) -> None:
        self._lines.close()
        self._board.close()

    def _show(self, name: str, value: Any, step: int) -> None:
        tag = f"{GROUPS.get(name.partition('_')[0], 'samples')}/{name}"
        if isinstance(value, int | float):
            self._board.add_scalar(tag, value, step)
        elif isinstance(value, Mapping) and "low" in value:
            for part in (key for key in value if key not in ("low", "high")):
                self._histogram(tag if part == "counts" else f"{tag}_{part}", value, value[part], step)
        elif isinstance(value, Mapping):
            for layer, (gradient, weight, update) in value.items():
                for what, number in (("gradient", gradient), ("weight", weight), ("update", update)):
                    if number is not None:
                        self._board.add_scalar(f"{tag}/{layer}/{what}", number, step)

    def _histogram(self, tag: str, histogram: Mapping[str, Any], counts: list[int], step: int) -> None:
        edges = np.linspace(histogram["low"], histogram["high"], len(counts) + 1)
        centres, weights = (edges[1:] + edges[:-1]) / 2, np.array(counts, np.float64)
        self._board.add_histogram_raw(
            tag, histogram["low"], histogram["high"], int(weights.sum()), float(centres @ weights),
            float(centres**2 @ weights), edges[1:].tolist(), counts, step,
        )  # fmt: skip


PATIENCE = 1 / 3  # of a run without a better score after which it is done
LEAST_KIMG = 20  # of a run that can be done


class LiveDiagnosis:
    """Takes each record as it comes. `say` shows a paragraph to a person."""

    def __init__(self, run: Path, resumed_step: int, say: Callable[[str], None]) -> None:
        """To be made after the vitals' log, which takes out records of a lost life."""
        self._follower = IncrementalDiagnosis(read_records(run / "vitals.jsonl"))
        self._lines = Lines(run / "findings.jsonl", resumed_step)
        self._say = say

    @property
    def verdict(self) -> Verdict:
        return self._follower.verdict

    @property
    def state(self) -> State:
        return self.verdict.state

    def take(self, record: Record) -> None:
        """Examines the run with this record, and tells what has changed. Raises StorageError."""
        for event in self._follower.take(record):
            self._lines.write(event.to_json())
            self._say(event.text())

    def reason_to_stop(self, training: Training, position: TrainingProgress) -> str | None:
        """In a person's words; None while the run is to go on."""
        if training.stop_when_failing and self.state == "failing":
            return (
                f"the verdict is failing: {', '.join(f.code for f in self.verdict.findings if f.severity == 'failing')}"
            )
        kimg = position.images / 1000
        if training.stop_when_done and position.lowest_kimg is not None and kimg >= LEAST_KIMG:
            waited = kimg - position.lowest_kimg
            if waited >= PATIENCE * kimg:
                return f"done: no better score for {waited:,.0f} of {kimg:,.0f} kimg"
        return None

    def close(self) -> None:
        self._lines.close()
