from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import ganglion
from ganglion.platform.process_identity import identity_of
from ganglion.studio.details import Readings, remedies_of
from ganglion.studio.fragments import duration, parts_of_run, rendered, rows_of_runs
from ganglion.studio.jobs import Jobs
from ganglion.studio.overview import RunSummary

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def run(tiny_run: ganglion.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run.path, tmp_path / "tiny"))


@pytest.fixture
def readings(tmp_path: Path) -> Readings:
    return Readings(Jobs(tmp_path / "jobs"))


def test_the_page_shows_what_the_run_holds(run: Path, readings: Readings) -> None:
    found = readings.details(run, "tiny")
    assert found.activity == "finished"
    assert found.verdict is not None
    assert found.verdict.state == ganglion.diagnose(run).state
    assert [shot["step"] for shot in found.snapshots] == sorted(
        int(path.stem) for path in (run / "samples" / "fixed").glob("*")
    )
    assert [shot["step"] for shot in found.snapshots if shot["best"]] == [
        int((run / "checkpoints" / "best").read_text())
    ]
    assert all(shot["fixed"] for shot in found.snapshots)
    assert found.snapshots[-1]["fresh"]


def test_charts_are_those_of_the_report_and_are_made_again_with_new_records(run: Path, readings: Readings) -> None:
    mark, panels = readings.charts(run)
    assert {"loss", "separation", "speed"} <= {panel.name for panel in panels}
    assert readings.charts(run) == (mark, panels)
    records = (run / "vitals.jsonl").read_text()
    (run / "vitals.jsonl").write_text(records + records.splitlines()[-1].replace('"step": 30', '"step": 31') + "\n")
    assert readings.charts(run)[0] != mark


def test_the_log_of_findings_is_newest_first_and_explains_each_once(run: Path, readings: Readings) -> None:
    lines = [
        {"event": event, "code": "mode-collapse", "severity": severity, "step": step, "why": "One image."}
        for event, severity, step in (("raised", "watch", 5), ("raised", "failing", 10), ("cleared", "failing", 20))
    ]
    (run / "findings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{broken\n")
    events = readings.details(run, "tiny").events
    assert [(event.what, event.step) for event in events] == [("cleared", 20), ("raised", 10), ("raised", 5)]
    assert [event.why for event in events] == ["One image.", "", ""]


def test_a_training_that_failed_to_start_says_why(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", lambda command, log, folder: identity_of() | {"started": 0})
    job = jobs.start(["train"], tmp_path / "none")
    job.log.write_text("error: photos/ is empty: add images\n")
    found = Readings(jobs).details(tmp_path / "none", "none")
    assert found.activity == "stopped"
    assert found.failure == "photos/ is empty: add images"
    assert "photos/ is empty" in parts_of_run(found)["output"]["html"]


def test_a_run_that_was_trained_elsewhere_since_says_nothing_of_an_older_start(run: Path, tmp_path: Path) -> None:
    lines = (run / "vitals.jsonl").read_text().splitlines()[:3]
    jobs = Jobs(tmp_path / "jobs", lambda command, log, folder: identity_of() | {"started": 0})
    jobs.start(["train"], run).log.write_text("error: photos/ is empty: add images\n")
    (run / "vitals.jsonl").write_text("\n".join(lines) + "\n")
    found = Readings(jobs).details(run, "tiny")
    assert (found.activity, found.failure) == ("stopped", "")


def test_a_training_that_starts_shows_its_output(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs", lambda command, log, folder: identity_of())
    jobs.start(["train"], tmp_path / "coming").log.write_text("Scanning images: 10\n")
    found = Readings(jobs).details(tmp_path / "coming", "coming")
    assert found.activity == "starting"
    assert "Scanning images: 10" in parts_of_run(found)["output"]["html"]


def test_names_are_never_taken_for_html(run: Path, readings: Readings) -> None:
    (run / "findings.jsonl").write_text(
        json.dumps({"event": "raised", "code": EVIL, "severity": EVIL, "step": 1, "why": EVIL})
    )
    pages = [part["html"] for part in parts_of_run(readings.details(run, EVIL)).values()]
    pages += [
        part["html"] for part in rows_of_runs([RunSummary(EVIL, "stopped", facts=EVIL, findings=(EVIL,))], run).values()
    ]
    facts = {"images": 1, "description": EVIL, "refused": EVIL, "notes": [EVIL], "chosen": {"size": [1, 1], "channels": 1,
             "fit": EVIL, "trim": EVIL, "resample": EVIL}, "reasons": {}, "sizes": [[EVIL, 1]], "labels": {EVIL: 1},
             "duplicates": 0, "bad": [[EVIL, EVIL]]}  # fmt: skip
    look = {"recipe": EVIL, "reasons": [EVIL]}
    pages.append(rendered("train_images.html", look=look, facts=facts, preview="", augmented=""))
    pages.append(rendered("said.html", text=EVIL, kind="problem"))
    assert sum("&lt;img" in page for page in pages) >= 5
    assert not [page for page in pages if "<img src=x" in page]


def test_only_remedies_with_options_have_a_button() -> None:
    from ganglion.doctor.verdict import Finding, Remedy

    lines = ("", "ganglion train a --run b --set c=1", "ganglion.train(images)")
    remedies = [Remedy("x", "x", command=line) for line in lines] + [Remedy("loop", "slower", code="lr /= 2")]
    assert remedies_of(Finding("x", "watch", 0, [], "", remedies)) == [remedies[1]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0 s"), (89, "89 s"), (600, "10 min"), (7200, "2.0 h"), (86400, "24 h"), (86400 * 3, "3.0 days")],
)
def test_durations_in_words(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
