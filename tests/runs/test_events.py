from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganglion.doctor.examine import FindingEvent, examine
from ganglion.doctor.readers.treatments import Ending, Treatment
from ganglion.doctor.verdict import Verdict
from ganglion.runs.events import JsonEvents, prints_on_stderr
from ganglion.vitals.records import read_records
from made_records import SICK
from tiny import TINY, as_options


def test_each_event_is_an_object_a_line_with_its_type():
    stream = io.StringIO()
    events = JsonEvents(lambda text: None, stream)
    finding = examine(SICK["mode-collapse"]).findings[0]
    events.start(run="r", step=0)
    events.record({"step": 3, "loss_d": 0.5}, Verdict("watch"))
    events.finding(FindingEvent(True, 3, finding))
    events.sheet("fixed", Path("r/3.png"), 3)
    events.end("finished", Verdict("failing", [finding], 3), step=3)
    start, record, raised, samples, end = map(json.loads, stream.getvalue().splitlines())
    assert start == {"type": "start", "run": "r", "step": 0}
    assert record == {"type": "record", "step": 3, "loss_d": 0.5, "state": "watch"}
    assert (raised["type"], raised["event"], raised["code"]) == ("finding", "raised", finding.code)
    assert samples == {"type": "samples", "step": 3, "kind": "fixed", "path": str(Path("r/3.png"))}
    assert (end["outcome"], end["step"], end["verdict"]["findings"][0]["code"]) == ("finished", 3, finding.code)


def test_the_start_of_another_attempt_tells_what_led_to_it_and_the_end_which_is_the_best():
    stream = io.StringIO()
    events = JsonEvents(lambda text: None, stream)
    treatments = [
        Treatment(n, 9, 0.1, 1.0, ["x"], "x", "slower", "Lower it", {}, "", None, "5 steps", 1, {}) for n in (1, 2)
    ]
    events.start(treatments, run="r", step=0)
    events.treated(Ending(2, 3, {"2": 1.5}, "healthy", 0.3, {"training.steps": 40.0}))
    start, treated = map(json.loads, stream.getvalue().splitlines())
    assert (start["type"], start["attempt"], start["treatment"]["number"], start["treatment"]["remedy"]) == (
        "start",
        3,
        2,
        "slower",
    )
    assert "recipe" not in start["treatment"]
    assert (treated["type"], treated["best"], treated["last"]) == ("treated", 2, 3)


class Closed(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:  # noqa: ARG002
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_that_has_gone_is_told_once_and_stops_nothing():
    said: list[str] = []
    events = JsonEvents(said.append, Closed())
    for step in range(3):
        events.record({"step": step}, Verdict("healthy"))
    assert said == ["Standard output takes no more events (Broken pipe); the training continues"]


def test_prints_go_to_standard_error_while_events_are_wanted(capsys):
    with prints_on_stderr(True):
        print("a")  # noqa: T201
    with prints_on_stderr(False):
        print("b")  # noqa: T201
    assert capsys.readouterr() == ("b\n", "a\n")


NETWORKS = """
import torch
from torch import nn
print("imported")
def generator(recipe):
    print("made")
    return nn.Sequential(nn.Linear(recipe.latent.dim, 256), nn.Unflatten(1, (1, 16, 16)), nn.Tanh())
def discriminator(recipe):
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
"""


@pytest.fixture
def train(cache: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def run(*words: str, shell: str = "") -> subprocess.CompletedProcess[str]:
        settings = as_options({key: value for key, value in TINY.items() if not key.endswith("width")})
        command = [sys.executable, "-m", "ganglion.cli.app", "train", "digits", "--size", "16", "--steps", "12", "--run", "r",
                   "--device", "cpu", "--no-report", *settings, *words]  # fmt: skip
        environment = {**os.environ, "GANGLION_CACHE": str(cache)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_a_training_prints_nothing_but_events_on_standard_output(train, tmp_path):  # type: ignore[no-untyped-def]
    (tmp_path / "own.py").write_text(NETWORKS)
    done = train("--recipe", "dcgan", "--networks", "own.py", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    records = [
        {k: v for k, v in event.items() if k not in ("type", "state")} for event in events if event["type"] == "record"
    ]
    assert records == read_records(tmp_path / "r" / "vitals.jsonl")
    assert [events[0]["type"], events[-1]["type"], events[-1]["outcome"]] == ["start", "end", "finished"]
    sheets = {event["path"] for event in events if event["type"] == "samples"}
    assert {Path(path) for path in sheets} == {p.relative_to(tmp_path) for p in (tmp_path / "r/samples").rglob("*.png")}
    assert "imported" in done.stderr
    assert "made" in done.stderr
    again = train("--recipe", "dcgan", "--networks", "own.py", "--json")  # it is finished
    assert [json.loads(line)["type"] for line in again.stdout.splitlines()] == ["start", "end"]


def test_a_quiet_training_prints_nothing_and_still_says_what_is_wrong(train):  # type: ignore[no-untyped-def]
    done = train("--recipe", "dcgan", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    refused = train("--recipe", "wgan", "-q", "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "r was made with another recipe" in refused.stderr
