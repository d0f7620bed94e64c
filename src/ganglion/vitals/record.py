"""The record: one line of vitals. It is written as JSON, to TensorBoard and, by `status_line`, to the screen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from ganglion.data.atomic import storage_errors, write_atomically

__all__ = ["Record", "VitalsLog", "read_records", "status_line"]

Record = dict[str, Any]
"""Numbers by name. Always `step` and `kimg`; the others where they were measured."""

TENSORBOARD_GROUPS = {"loss": "loss", "logit": "logits", "d": "predictions", "lr": "rates", "images": "speed"}


class VitalsLog:
    """Appends records to `vitals.jsonl` and TensorBoard. Records after `resumed_step` are of a life that was lost."""

    def __init__(self, run: Path, resumed_step: int) -> None:
        self.path = run / "vitals.jsonl"
        kept = [record for record in read_records(self.path) if record["step"] <= resumed_step]
        write_atomically(self.path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        self._file = self.path.open("a", encoding="utf-8")
        with storage_errors(run):
            self._board = SummaryWriter(str(run / "tensorboard"), purge_step=resumed_step + 1)

    def write(self, record: Record) -> None:
        """One line, on disk when this returns."""
        with storage_errors(self.path):
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            for name, value in record.items():
                if name not in ("step", "eta_sec"):
                    self._board.add_scalar(_board_name(name), value, record["step"])

    def picture(self, name: str, pixels_hwc: NDArray[Any], step: int) -> None:
        """A picture for TensorBoard, uint8 (H, W, C)."""
        self._board.add_image(name, pixels_hwc, step, dataformats="HWC")

    def close(self) -> None:
        self._file.close()
        self._board.close()


def read_records(path: Path) -> list[Record]:
    """Every whole record in a `vitals.jsonl`; a last line that a kill cut off is left out."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "step" in record:
            records.append(record)
    return records


def status_line(record: Mapping[str, Any]) -> str:
    """The same values for a person: progress, speed, time left, losses, what D believes of real and of fake."""
    parts = [f"{record['kimg']:,.1f} kimg", f"{record['images_per_sec']:,.0f} images/s"]
    if record.get("eta_sec") is not None:
        parts.append(f"{_clock(record['eta_sec'])} left")
    parts.append(f"loss D {record['loss_d']:.2f} G {record['loss_g']:.2f}")
    parts.append(f"D(real) {record['d_real']:.2f} D(fake) {record['d_fake']:.2f}")
    if "sliced_wasserstein" in record:
        parts.append(f"distance {record['sliced_wasserstein']:.1f}")
    return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _board_name(name: str) -> str:
    group = TENSORBOARD_GROUPS.get(name.partition("_")[0], "run")
    return f"{group}/{name}"
