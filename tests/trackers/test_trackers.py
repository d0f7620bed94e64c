"""What trackers are given of a run, with a tracker that writes down its calls; the real ones are in files of their own."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.doctor.examine import FindingEvent, examine
from ganglion.doctor.verdict import Verdict
from ganglion.trackers.content import RunFacts
from ganglion.trackers.history import best_checkpoint
from ganglion.trackers.trackers import Trackers
from made_records import SICK


class Recorder:
    """A tracker that writes down its calls, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failing = False
        self.answer = threading.Event()
        self.answer.set()

    def start(self, facts: RunFacts, known: dict[str, Any]) -> str:  # noqa: ARG002
        self.answer.wait(20)
        if self.failing:
            raise ConnectionError("nobody there")
        self.calls.append(("start", dict(known)))
        known.setdefault("id", "abc")
        return "at home"

    def record(self, metrics: dict[str, float], step: int) -> None:
        self.calls.append(("record", step, metrics))

    def sheet(self, name: str, path: Path, step: int) -> None:  # noqa: ARG002
        self.calls.append(("sheet", step, name))

    def finding(self, event: dict[str, Any], still: list[dict[str, Any]], step: int) -> None:
        self.calls.append(("finding", step, event["event"], event["code"], len(still)))

    def verdict(self, label: str) -> None:
        self.calls.append(("verdict", label))

    def checkpoint(self, folder: Path) -> None:
        self.calls.append(("checkpoint", sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*"))))

    def finish(self, outcome: str, summary: dict[str, Any]) -> None:
        self.calls.append(("finish", outcome, summary))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == kind]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tiny_run: ganglion.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.path, tmp_path / "run"))


def trackers(recorder: Recorder, said: list[str], folder: Path | None, step: int = 0, **more: Any) -> Trackers:
    return Trackers(["wandb"], RunFacts("run"), said.append, folder, step, make=lambda *_: recorder, **more)


def line(step: int, **more: Any) -> dict[str, Any]:
    return {"step": step, "kimg": step * 0.1, "loss_d": 1.5, **more}


def ended(given: Trackers, records: list[dict[str, Any]] | None = None) -> None:
    given.close("finished", records or [], "healthy")


def test_a_record_arrives_as_numbers_in_groups_with_the_findings_that_hold(recorder, said):
    given = trackers(recorder, said, None)
    finding = examine(SICK["mode-collapse"]).findings[0]
    given.finding(FindingEvent(True, 5, finding))
    given.record(line(5, logits={"low": 0, "high": 1, "real": [1]}, seen=["x"]), Verdict("failing"))
    given.finding(FindingEvent(False, 6, finding))
    given.record(line(6), Verdict("healthy"))
    ended(given)
    assert [call[1:4] for call in recorder.of("finding")] == [(5, "raised", finding.code), (6, "cleared", finding.code)]
    common = {"speed/kimg": 0.5, "loss/loss_d": 1.5}
    severity = 2.0 if finding.severity == "failing" else 1.0
    assert recorder.of("record")[0] == ("record", 5, common | {"verdict/findings": 1.0, "verdict/severity": severity})
    assert recorder.of("record")[1][2]["verdict/severity"] == 0.0
    assert recorder.of("verdict") == [("verdict", "failing"), ("verdict", "healthy")]


def test_the_verdict_is_sent_where_it_changes_only(recorder, said):
    given = trackers(recorder, said, None)
    for step in range(1, 6):
        given.record(line(step), Verdict("healthy" if step < 4 else "watch"))
    ended(given)
    assert recorder.of("verdict") == [("verdict", "healthy"), ("verdict", "watch")]


def test_a_tracker_that_comes_late_is_given_the_whole_run(recorder, said, folder):
    given = trackers(recorder, said, folder, 30)
    ended(given, ganglion.Run(folder).records())
    assert [call[1] for call in recorder.of("record")] == [0, 5, 10, 15, 20, 25, 30]
    assert sorted(call[1:] for call in recorder.of("sheet")) == [
        (step, f"samples/{kind}") for step in (0, 10, 20, 30) for kind in ("fixed", "fresh")
    ]
    order = [(call[1], call[0]) for call in recorder.calls if call[0] in ("record", "sheet")]
    assert order == sorted(order, key=lambda one: (one[0], one[1] == "record"))
    assert said == ["Weights & Biases: at home"]


def test_a_resumed_run_goes_on_with_the_same_id_and_sends_nothing_twice(recorder, said, folder):
    ended(trackers(recorder, said, folder, 20))
    recorder.calls.clear()
    given = trackers(
        recorder, said, folder, 15
    )  # killed after the record of step 20, and resumed from the checkpoint before
    for step in (16, 18, 20, 22):
        given.record(line(step), Verdict("healthy"))
    ended(given)
    assert recorder.of("start")[0][1]["id"] == "abc"
    assert [call[1] for call in recorder.of("record")] == [22]
    assert not recorder.of("sheet")


def test_what_a_tracker_missed_while_it_was_away_is_sent_with_the_next_session(recorder, said, folder):
    recorder.failing = True
    given = trackers(recorder, said, folder, 10)
    given.record(line(15), Verdict("healthy"))
    given.close("interrupted", [], "healthy")
    assert said == [
        "wandb: ConnectionError: nobody there; the training goes on, and what wandb lacks is sent when it can be",
        "wandb: it lacks the last 3 of its entries; the same command sends them",
    ]
    recorder.failing = False
    ended(trackers(recorder, said, folder, 30))
    assert [call[1] for call in recorder.of("record")] == [0, 5, 10, 15, 20, 25, 30]


def test_a_tracker_that_hangs_at_the_end_is_left_after_a_while(recorder, said, folder):
    recorder.answer.clear()
    given = trackers(recorder, said, folder, 30, patience_sec=2.1)
    ended(given)
    assert said[0].startswith("Waiting for wandb, at most 0 s")
    assert said[1:] == ["wandb: no answer in time; it lacks the last 2 of its entries; the same command sends them"]
    recorder.answer.set()


def test_a_damaged_file_of_ids_begins_a_new_run(recorder, said, folder):
    for content in (b"\xff\xfe", b"[1]", b'{"wandb": 3}', b"{", b'{"wandb": {"step": "7"}}'):
        (folder / "trackers.json").write_bytes(content)
        recorder.calls.clear()
        ended(trackers(recorder, said, folder, 30))
        assert "id" not in recorder.of("start")[0][1]
        assert json.loads((folder / "trackers.json").read_text())["wandb"] == {"id": "abc", "step": 30}


def test_the_end_has_the_scores_of_the_best_checkpoint(recorder, said, folder):
    run = ganglion.Run(folder)
    given = trackers(recorder, said, folder, 30)
    given.close("finished", run.records(), "unknown")
    ((_, outcome, summary),) = recorder.of("finish")
    record = next(one for one in run.records() if one["step"] == run.best_step)
    assert outcome == "finished"
    assert summary["best/frechet"] == record["frechet"]
    assert (summary["best/step"], summary["verdict"]) == (run.best_step, "unknown")


def test_the_checkpoint_that_is_kept_is_a_run_that_can_be_loaded(recorder, said, folder, tmp_path):
    run = ganglion.Run(folder)
    with best_checkpoint(run) as made:
        copy = shutil.copytree(made, tmp_path / "elsewhere")
    assert (ganglion.load(copy).sample(4, seed=1) == ganglion.load(folder).sample(4, seed=1)).all()
    given = trackers(recorder, said, folder, 30, checkpoint=True)
    ended(given)
    assert f"checkpoints/{run.best_step:08d}/ema.safetensors" in recorder.of("checkpoint")[0][1]


def test_a_run_without_a_checkpoint_keeps_none(recorder, said, folder):
    shutil.rmtree(folder / "checkpoints")
    given = trackers(recorder, said, folder, 30, checkpoint=True)
    ended(given)
    assert not recorder.of("checkpoint")
    assert recorder.of("finish")
