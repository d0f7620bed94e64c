from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

import ganglion
from ganglion.platform.process_identity import identity_of
from ganglion.runs.folder import locked
from ganglion.studio.jobs import Jobs
from ganglion.studio.overview import WRITTEN, Runs, activity_of, run_folders, sheet_steps, signature_of


@pytest.fixture
def folder(tiny_run: ganglion.Run, tmp_path: Path) -> Path:
    """A copy of a finished run, a watched one, and folders that are none."""
    runs = tmp_path / "runs"
    shutil.copytree(tiny_run.path, runs / "deep" / "tiny")
    watched = runs / "watched"
    watched.mkdir()
    shutil.copy(tiny_run.path / "vitals.jsonl", watched)
    (runs / "notes" / ".hidden").mkdir(parents=True)
    return runs


def runs_of(folder: Path) -> Runs:
    return Runs(folder, Jobs(folder.parent / "jobs"))


def test_every_run_below_the_folder_is_found_and_nothing_inside_a_run(folder: Path) -> None:
    (folder / "deep" / "tiny" / "inner").mkdir()
    (folder / "deep" / "tiny" / "inner" / "recipe.yaml").write_text("")
    assert [path.relative_to(folder).as_posix() for path in run_folders(folder)] == ["watched", "deep/tiny"]


def test_a_finished_run_in_numbers(folder: Path, tiny_run: ganglion.Run) -> None:
    found = next(one for one in runs_of(folder).summaries() if one.name == "deep/tiny")
    last = tiny_run.records()[-1]
    assert found.activity == "finished"
    assert found.state == ganglion.diagnose(tiny_run).state
    assert found.kimg == last["kimg"]
    assert found.images_per_sec == last["images_per_sec"]
    assert found.score == min(r["frechet"] for r in tiny_run.records() if "frechet" in r)
    assert found.sheet == sheet_steps(tiny_run.fixed_samples)[-1] == 30
    assert found.fraction == 1
    assert found.facts == "dcgan · digits at 16"


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_last_makes_it_read_again_too(folder: Path, name: str) -> None:
    path, before = folder / "deep" / "tiny", signature_of(folder / "deep" / "tiny")
    assert signature_of(path) == before
    os.utime(path / name, ns=(1, 1)) if (path / name).exists() else (path / name).touch()
    assert signature_of(path) != before


def test_watched_trainings_are_told_apart(folder: Path) -> None:
    assert {one.name: one.own for one in runs_of(folder).summaries()} == {"deep/tiny": True, "watched": False}


def test_a_run_is_read_again_only_when_its_files_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runs_of(folder)
    first = runs.summaries()
    monkeypatch.setattr("ganglion.studio.overview.summary_of", lambda path, name: pytest.fail("read again"))
    assert runs.summaries() == first
    (folder / "watched" / "findings.jsonl").write_text('{"event": "raised"}\n')
    with pytest.raises(pytest.fail.Exception):
        runs.summaries()


def test_a_run_that_trains_stands_first(folder: Path) -> None:
    lines = (folder / "deep" / "tiny" / "vitals.jsonl").read_text().splitlines()[:3]
    (folder / "deep" / "tiny" / "vitals.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "watched" / "vitals.jsonl").touch()
    with locked(folder / "deep" / "tiny"):
        found = runs_of(folder).summaries()[0]
        assert (found.name, found.activity) == ("deep/tiny", "training")
        assert found.left_sec is not None
        assert 0 < (found.fraction or 0) < 1
    assert next(one for one in runs_of(folder).summaries() if one.name == "deep/tiny").activity == "stopped"


def test_a_run_that_was_ended_by_its_own_rule_is_finished(folder: Path) -> None:
    run = folder / "deep" / "tiny"
    state_file = run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip() / "state.json"
    state = json.loads(state_file.read_text())
    state["progress"]["stopped"] = "done: no better score"
    state_file.write_text(json.dumps(state))
    assert activity_of(run, 12.0, 0.0) == "finished"


def test_a_watched_training_is_live_while_it_writes(folder: Path) -> None:
    now = time.time()
    assert activity_of(folder / "watched", None, now - 5, lambda: now) == "training"
    assert activity_of(folder / "watched", None, now - 500, lambda: now) == "watched"


def test_a_training_that_starts_is_listed_before_it_has_a_folder(folder: Path) -> None:
    jobs = Jobs(folder.parent / "jobs", lambda command, log, folder: identity_of())
    jobs.start(["train"], folder / "coming")
    found = Runs(folder, jobs).summaries()
    assert (found[0].name, found[0].activity) == ("coming", "starting")


BROKEN = {"vitals.jsonl": ["", "{", '{"step": 1}', '{"step": 1, "kimg": "x"}'], "recipe.yaml": ["", "a: [", "name: 3"]}


@pytest.mark.parametrize(("file", "text"), [(file, text) for file, texts in BROKEN.items() for text in texts])
def test_a_run_that_cannot_be_read_does_not_hide_the_others(folder: Path, file: str, text: str) -> None:
    (folder / "deep" / "tiny" / file).write_text(text)
    assert {one.name for one in runs_of(folder).summaries()} == {"deep/tiny", "watched"}


def test_a_run_that_is_deleted_disappears(folder: Path) -> None:
    runs = runs_of(folder)
    assert len(runs.summaries()) == 2
    shutil.rmtree(folder / "deep")
    assert [one.name for one in runs.summaries()] == ["watched"]
    shutil.rmtree(folder)
    assert runs.summaries() == []
