"""The doctor beside a run that is going on: says what is raised and cleared, keeps it on record, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganglion.doctor.follow import Follower
from ganglion.doctor.verdict import State, Verdict
from ganglion.recipe.schema import Training
from ganglion.training.players import Position
from ganglion.vitals.log import Lines
from ganglion.vitals.records import Record, read_records

__all__ = ["Ward"]

PATIENCE = 1 / 3  # of a run without a better score after which it is done
LEAST_KIMG = 20  # of a run that can be done


class Ward:
    """Takes each record as it comes. `say` shows a paragraph to a person."""

    def __init__(self, run: Path, resumed_step: int, say: Callable[[str], None]) -> None:
        """To be made after the vitals' log, which takes out records of a lost life."""
        self._follower = Follower(read_records(run / "vitals.jsonl"))
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

    def reason_to_stop(self, training: Training, position: Position) -> str | None:
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
