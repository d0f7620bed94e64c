"""Records of a watched training: made, diagnosed, written; and the verdict, which says no more than was seen."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganglion.data.pixels import to_uint8
from ganglion.doctor.verdict import Verdict
from ganglion.errors import StorageError
from ganglion.pictures.sheets import sheet
from ganglion.platform.files import storage_errors, write_atomically
from ganglion.runs.events import Outcome
from ganglion.runs.journal import RunJournal
from ganglion.trackers.content import RunFacts
from ganglion.trackers.trackers import Trackers
from ganglion.vitals.probe import parameter_counts
from ganglion.vitals.records import Record, read_records
from ganglion.watching.account import Account
from ganglion.watching.optimizers import Optimizers
from ganglion.watching.state import CannotLook
from ganglion.watching.steps import FIXED, SCORES, Steps

__all__ = ["Records"]

SAMPLES = "samples"
BOUNDED = ("Tanh", "Sigmoid", "Hardtanh", "Clamp", "ClampMin", "Hardsigmoid")
"""Functions at G's end that fix its range; without one, G can learn any range."""
NEGATED = ("logit_real", "logit_fake")


class Records:
    """The records of a training, and the files that hold them."""

    def __init__(
        self, out: Path | None, steps: Steps, optimizers: Optimizers, account: Account, trackers: Sequence[str] = ()
    ) -> None:  # fmt: skip
        self.made: list[Record] = []
        self._steps, self._optimizers, self._account = steps, optimizers, account
        self._folder = out if out is not None and _is_first_process() else None
        self._writes, self._opened = self._folder is not None, False
        self._trackers = _trackers(trackers, out, account)
        self._journal = self._new_journal(None, 0)  # until the first record, or those of a checkpoint
        if self._folder is not None:
            with storage_errors(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
        self._logged: dict[str, float] = {}
        self._bad_logged: dict[str, Any] | None = None
        self._said, self._complete = 0, False  # kinds of measurements in the last summary

    def plain(self) -> list[Record]:
        """The records as plain values, as they are in `vitals.jsonl`."""
        return [dict(json.loads(json.dumps(record))) for record in self.made]

    def go_on(self, records: Sequence[Record], step: int) -> None:
        """Takes these records, of a checkpoint at `step`, as those so far; what the files hold after that step is removed."""
        self.made = list(records)
        self._said, self._complete = 0, False
        if self._writes and "files" not in self._account.ended:
            self._account.run("files", self._open, step)
        else:
            self._journal = self._new_journal(None, step, self.made)

    def _new_journal(self, folder: Path | None, step: int, records: Sequence[Record] = ()) -> RunJournal:
        loggers = [self._trackers] if self._trackers else []
        return RunJournal(folder, step, self._account.say, own_run=False, loggers=loggers, records=records)

    def log(self, name: str, value: Any) -> None:
        """A number of the user for the next record."""
        number = float(value)
        if math.isfinite(number):
            self._logged[name] = number
        elif self._bad_logged is None:
            self._bad_logged = {"step": self._account.step, "tensor": name}

    def make(self) -> None:
        """The record of this step, and before the first one that of step 0."""
        run, steps = self._account.run, self._steps
        if self._account.step == 1:
            first = run("the samples of the initial weights", steps.probe.first_statistics, steps.passes.first)
            if first:
                self._keep({"step": 0, "kimg": 0.0, **first}, None)
        steps.passes.first = None
        steps.probe.call_varied(self._account.step)
        record: Record = {
            "step": self._account.step,
            "kimg": steps.count.images / 1000,
            **(run("statistics", self._of_steps) or {}),
        }
        record |= run("learning rates", self._optimizers.rates) or {}
        record |= run("crosstalk of optimisers", self._optimizers.crosstalk) or {}
        record |= run("counting of weights", parameter_counts, steps.probe) or {}
        record |= self._logged
        if self._bad_logged is not None:
            record.setdefault("non_finite", self._bad_logged)
        self._logged, self._bad_logged = {}, None
        pictures = None
        if "non_finite" not in record:
            record |= self._of_samples(record.get("separation"))
            pictures = steps.probe.pictures() if self._writes else None
        record["seen"], record["unseen"] = self._seen(record), self._account.unseen
        self._keep(record, pictures)
        first = len(self.made) == 1 or self._account.step == 1
        if first or (len(record["seen"]) > self._said and "separation" in record and not self._complete):
            self._said, self._complete = len(record["seen"]), "separation" in record
            self._account.say(self._account.summary(record["seen"]))

    def verdict(self, every: int) -> Verdict:
        """The doctor's, with what is not seen now."""
        found = self._journal.verdict
        reasons = dict.fromkeys([*found.unseen, *self._account.unseen])
        state = found.state
        last = self.made[-1]["step"] if self.made else 0
        if state == "healthy" and self._account.step > last + 2 * every:
            state = "unknown"
            reasons[f"anything since step {last:,}: no record was made"] = None
        return replace(found, state=state, unseen=list(reasons), own_run=False)

    def add_non_finite(self) -> None:
        """A record of this step if a weight is not finite and no record says so yet."""
        if self._account.step == 0 or any("non_finite" in record for record in self.made):
            return
        for player, network in (
            ("generator", self._steps.probe.generator),
            ("discriminator", self._steps.probe.discriminator),
        ):
            for name, weight in network.named_parameters():
                if not bool(weight.isfinite().all()):
                    bad = {"step": self._account.step, "tensor": f"{player}.{name} (weight)"}
                    record = {"step": self._account.step, "kimg": self._steps.count.images / 1000, "non_finite": bad}
                    self._keep(record, None)
                    return

    def close(self, outcome: Outcome = "finished") -> None:
        self._journal.close()
        if self._trackers:
            self._trackers.close(outcome, self.made, self._journal.verdict.label)

    # Parts of a record

    def _of_steps(self) -> dict[str, Any]:
        found = self._steps.stats.read()
        if self._steps.opinion.raised < 0:  # probabilities and the AUC are of "real"; logits are as D returns them
            found |= {name: -found[name] for name in NEGATED if name in found}
            if "logits" in found:
                old = found["logits"]
                flipped = {side: old[side][::-1] for side in ("real", "fake")}
                found["logits"] = {"low": -old["high"], "high": -old["low"], **flipped}
        return found

    def _of_samples(self, d_auc: float | None) -> dict[str, Any]:
        """From G called again; where that fails, from the batches of the training."""
        steps, account = self._steps, self._account
        found = None
        if steps.probe.replayable:
            found = account.run(FIXED, self._measure, d_auc)
            if FIXED in account.ended:
                steps.probe.replayable = False
        if not steps.probe.replayable:
            found = account.run("samples of the training's batches", steps.probe.measure, steps.last, d_auc)
        found = found or {}
        account.note(SAMPLES, None if "diversity" in found else steps.probe.why_no_samples(SCORES in account.reasons))
        if steps.passes.end_of_g not in BOUNDED:
            found = {key: value for key, value in found.items() if key not in ("range_real", "range_fake")}
        return found

    def _measure(self, d_auc: float | None) -> dict[str, Any] | None:
        steps = self._steps
        try:
            return steps.probe.measure(steps.last, d_auc)
        except CannotLook as reason:
            steps.probe.replayable, steps.cannot_look = False, str(reason)
            self._account.note(FIXED, str(reason))
            return None

    def _seen(self, record: Record) -> list[str]:
        steps, found = self._steps, []
        if "logit_real" in record or "separation" in record:
            found.append(f"reals and fakes at D's input, and D's score: {steps.describe_score()}")
        if "diversity" in record:
            found.append(steps.probe.describe())
        found += ["gradients of G"] if "grad_g" in record else []
        found += ["gradients of D"] if "grad_d" in record else []
        found += [f"{steps.count.images:,} real images so far"] if steps.count.images else []
        return found

    def _open(self, step: int) -> None:
        """The files of the folder, up to `step`; those of another training are renamed. Raises StorageError."""
        self._journal.close()
        self._opened = True
        if self._folder is None:
            return
        there = [record for record in read_records(self._folder / "vitals.jsonl") if record["step"] <= step]
        if step == 0 or there != self.made:
            _set_aside(self._folder)
            lines = "".join(json.dumps(record) + "\n" for record in self.made)
            write_atomically(self._folder / "vitals.jsonl", lines.encode())
        self._journal = self._new_journal(self._folder, step)

    def _keep(self, record: Record, pictures: Tensor | None) -> None:
        if self._writes and not self._opened:
            self._account.run("files", self._open, 0)
        self.made.append(record)
        if self._account.run("diagnosis", self._diagnose, record) is None:
            return
        if "files" not in self._account.ended:
            if self._writes and pictures is not None and pictures.shape[1] in (1, 3, 4):
                self._account.run("sheets of samples", self._save, pictures, record["step"])
            self._account.run(
                "files", self._journal.write, record
            )  # last: a tracker takes a step's sheet before its record

    def _diagnose(self, record: Record) -> Verdict:
        if "files" in self._account.ended:
            self._journal.stop_writing()
        try:
            return self._journal.diagnose(record)
        except (OSError, StorageError, ValueError) as error:  # the finding was said, and could not be written
            self._account.end("files", error)
            self._journal.stop_writing()
            return self._journal.verdict

    def _save(self, pictures: Tensor, step: int) -> None:
        self._journal.save_sheet("fixed", sheet(to_uint8(pictures).cpu().numpy()), step)


def _trackers(names: Sequence[str], out: Path | None, account: Account) -> Trackers | None:
    """Of the first process. The caller's own run of a tracker is gone on with, where there is one."""
    if not names or not _is_first_process():
        return None
    facts = RunFacts(out.resolve().name if out else "watched")
    return Trackers(names, facts, account.say, beside=True)


def _set_aside(folder: Path) -> None:
    """Renames the files of another training, and its samples."""
    for name in ("vitals.jsonl", "findings.jsonl", "samples"):
        if (folder / name).exists():
            number = next(n for n in range(1, 10**6) if not (folder / f"{name}.old-{n}").exists())
            (folder / name).rename(folder / f"{name}.old-{number}")


def _is_first_process() -> bool:
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not there or torch.distributed.get_rank() == 0
