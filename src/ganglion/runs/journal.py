"""The journal of a training, ours or a watched one: records on disk, in TensorBoard and for loggers, findings, the verdict."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.examine import FindingEvent, IncrementalDiagnosis
from ganglion.doctor.readers.run_folder import setup_of, with_checkpoint
from ganglion.doctor.run_setup import RunSetup
from ganglion.doctor.verdict import Verdict
from ganglion.pictures.sheets import save_image
from ganglion.platform.files import storage_errors, write_atomically
from ganglion.runs.metric_names import NOT_PLOTTED, metric_name
from ganglion.vitals.records import Record, is_step, read_lines, read_records

__all__ = ["JsonLines", "Logger", "RunJournal", "TensorBoardLog"]


class Logger(Protocol):
    """What else takes the records of a training: trackers, events on standard output. Its calls return soon, without errors."""

    def record(self, record: Record, verdict: Verdict) -> None:
        """A record, and the verdict with it."""

    def finding(self, event: FindingEvent) -> None:
        """A finding was raised or cleared."""

    def sheet(self, kind: str, path: Path, step: int) -> None:
        """A sheet of samples was written; `kind` is fixed or fresh."""


class RunJournal:
    """Writes and diagnoses the records of a training. Without a folder nothing is written; `say` prints a paragraph."""

    def __init__(
        self, folder: Path | None, resumed_step: int, say: Callable[[str], None], own_run: bool = True,
        loggers: Sequence[Logger] = (), records: Sequence[Record] = (),
    ) -> None:  # fmt: skip
        """Lines after `resumed_step`, of a lost session, are removed; 0 starts empty. Raises StorageError.

        `own_run`: of `ganglion train`; remedies are then commands for the run in `folder`. `records`: those so far, without a
        folder to read.
        """
        self._folder, self._say, self._loggers = folder, say, loggers
        self._setup = setup_of(folder) if folder is not None and own_run else None
        self._vitals = self._findings = self._board = None  # type: Any
        if folder is not None:
            self._vitals = JsonLines(folder / "vitals.jsonl", resumed_step)
            self._findings = JsonLines(folder / "findings.jsonl", resumed_step)
            self._board = TensorBoardLog(folder, resumed_step)
        earlier = records if folder is None else read_records(folder / "vitals.jsonl")
        self._diagnosis = IncrementalDiagnosis(earlier, own_run, self._setup)

    @property
    def verdict(self) -> Verdict:
        return self._diagnosis.verdict

    def diagnose(self, record: Record) -> Verdict:
        """The verdict with this record; findings that it raises or clears are written and printed. Raises StorageError."""
        events = self._diagnosis.take(record, self._setup_now())
        for event in events:
            self._say(event.text())
        for event in events:
            if self._findings:
                self._findings.write(event.to_json())
        for event in events:
            for logger in self._loggers:
                logger.finding(event)
        return self.verdict

    def _setup_now(self) -> RunSetup | None:
        """How the run was started; with weights to start from once there is a checkpoint."""
        if self._setup is not None and self._folder is not None and not self._setup.has_checkpoint:
            self._setup = with_checkpoint(self._setup, self._folder)
        return self._setup

    def stop_writing(self) -> None:
        """Records are still diagnosed; files stay as they are."""
        with contextlib.suppress(Exception):
            self.close()
        self._vitals = self._findings = self._board = self._folder = None

    def write(self, record: Record) -> None:
        """Appends a record, synced to disk. Raises StorageError."""
        if self._vitals:
            self._vitals.write(record)
            self._board.write(record)
        for logger in self._loggers:
            logger.record(record, self.verdict)

    def save_sheet(self, kind: str, sheet_hwc: NDArray[np.uint8], step: int) -> None:
        """Writes a sheet of samples, uint8 (H, W, C), to samples/`kind`/STEP.png and TensorBoard. Raises StorageError."""
        if self._folder:
            path = self._folder / "samples" / kind / f"{step:08d}.png"
            save_image(sheet_hwc, path)
            self._board.write_image(f"samples/{kind}", sheet_hwc, step)
            for logger in self._loggers:
                logger.sheet(kind, path, step)

    def close(self) -> None:
        for log in (self._vitals, self._findings, self._board):
            if log:
                log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class JsonLines:
    """A JSONL file to which lines are appended. Lines with a step after `resumed_step` are removed; 0 removes all."""

    def __init__(self, path: Path, resumed_step: int) -> None:
        self.path = path
        kept = [line for line in read_lines(path) if is_step(line.get("step")) and line["step"] <= resumed_step]
        kept = kept if resumed_step else []
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends a line, synced to disk. Raises StorageError."""
        with storage_errors(self.path):
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class TensorBoardLog:
    """Event files under RUN/tensorboard."""

    def __init__(self, run: Path, resumed_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second to import

        self._run = run
        with storage_errors(run):
            self._board = SummaryWriter(str(run / "tensorboard"), purge_step=resumed_step + 1)

    def write(self, record: Record) -> None:
        """Numbers as scalars, histograms as histograms, layers as one scalar per number. Raises StorageError."""
        with storage_errors(self._run):
            for name, value in record.items():
                if name not in NOT_PLOTTED:
                    self._plot(name, value, record["step"])

    def write_image(self, name: str, pixels_hwc: NDArray[Any], step: int) -> None:
        """uint8 (H, W, C)."""
        self._board.add_image(name, pixels_hwc, step, dataformats="HWC")

    def close(self) -> None:
        self._board.close()

    def _plot(self, name: str, value: Any, step: int) -> None:
        tag = metric_name(name)
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
