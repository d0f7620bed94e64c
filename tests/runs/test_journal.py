from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganglion.recipe.resolve import recipe_text, resolve
from ganglion.runs.journal import RunJournal
from ganglion.vitals.records import Record, read_records, status_line
from made_records import SICK, healthy, with_values


def record(step: int, **more: float) -> Record:
    return {
        "step": step, "kimg": step * 0.064, "seconds": step / 10, "images_per_sec": 640.0, "eta_sec": 75.0, "lr_g": 2e-4,
        "lr_d": 1e-4, "loss_d": 1.25 + step, "loss_g": 0.75, "logit_real": 2.0, "logit_fake": -2.0, "d_real": 0.88,
        "d_fake": 0.12,
    } | more  # fmt: skip


def written(run: Path, resumed_step: int, *steps: int) -> None:
    log = RunJournal(run, resumed_step, lambda text: None)
    for step in steps:
        log.write(record(step))
    log.close()


def board(run: Path) -> EventAccumulator:
    found = EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    return found


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in board(run).Scalars(name)]


def make_older(run: Path) -> None:
    """Files of an earlier life bear an earlier time; within one second their order would be that of a counter."""
    for file in (run / "tensorboard").iterdir():
        file.rename(file.with_name(re.sub(r"tfevents\.\d+", "tfevents.1000000000", file.name)))


def test_what_a_log_writes_is_what_is_read(tmp_path):
    log = RunJournal(tmp_path, 0, lambda text: None)
    records = [record(step, frechet=1 / 3 * step) for step in (5, 10, 15)]
    for one in records:
        log.write(one)
    log.close()
    assert read_records(tmp_path / "vitals.jsonl") == records


def test_a_record_is_on_disk_as_one_line_when_write_returns(tmp_path):
    log = RunJournal(tmp_path, 0, lambda text: None)
    for step in (1, 2):
        log.write(record(step))
        lines = (tmp_path / "vitals.jsonl").read_bytes().split(b"\n")
        assert [json.loads(line)["step"] for line in lines[:-1]] == list(range(1, step + 1))
        assert lines[-1] == b""
    log.close()


def test_a_resumed_log_drops_the_records_of_the_life_that_was_lost(tmp_path):
    written(tmp_path, 0, 5, 10, 15, 20)
    written(tmp_path, 10, 12)
    assert [one["step"] for one in read_records(tmp_path / "vitals.jsonl")] == [5, 10, 12]


def test_a_log_that_begins_anew_drops_all(tmp_path):
    written(tmp_path, 0, 0, 5, 10)
    written(tmp_path, 0)
    assert read_records(tmp_path / "vitals.jsonl") == []


def test_a_last_line_that_a_kill_cut_off_is_left_out_at_every_length(tmp_path):
    path = tmp_path / "vitals.jsonl"
    written(tmp_path, 0, 5, 10)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert [one["step"] for one in read_records(path)] == [5]


def test_a_log_goes_on_after_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "vitals.jsonl"
    written(tmp_path, 0, 5, 10)
    path.write_bytes(path.read_bytes()[:-20])
    written(tmp_path, 10, 15)
    assert [one["step"] for one in read_records(path)] == [5, 15]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_run_that_has_no_record_reads_as_none(tmp_path):
    assert read_records(tmp_path / "vitals.jsonl") == []


def test_tensorboard_reads_the_same_numbers(tmp_path):
    written(tmp_path, 0, 5, 10)
    assert scalars(tmp_path, "loss/loss_d") == [(5, 6.25), (10, 11.25)]
    assert scalars(tmp_path, "discriminator/logit_fake") == [(5, -2.0), (10, -2.0)]
    assert scalars(tmp_path, "rates/lr_g")[0][1] == pytest.approx(2e-4, rel=1e-6)


def test_tensorboard_has_every_number_but_the_step_and_the_time_left(tmp_path):
    written(tmp_path, 0, 5)
    names = [tag.partition("/")[2] for tag in board(tmp_path).Tags()["scalars"]]
    assert sorted(names) == sorted(set(record(5)) - {"step", "eta_sec"})


def test_a_resumed_log_purges_tensorboard_of_the_life_that_was_lost(tmp_path):
    written(tmp_path, 0, 5, 10, 15, 20)
    make_older(tmp_path)
    written(tmp_path, 10, 12)
    assert [step for step, _ in scalars(tmp_path, "loss/loss_d")] == [5, 10, 12]


def test_tensorboard_shows_pictures(tmp_path):
    log = RunJournal(tmp_path, 0, lambda text: None)
    log.save_sheet("fixed", np.zeros((8, 12, 3), np.uint8), 5)
    log.close()
    (image,) = board(tmp_path).Images("samples/fixed")
    assert (image.step, image.height, image.width) == (5, 8, 12)


def test_the_status_line_shows_the_records_own_numbers():
    line = status_line(record(1000, swd=123.456, loss_d=1.2345, images_per_sec=1234.5, separation=0.87), "healthy")
    assert line == "64.0 kimg  1,234 images/s  1:15 left  loss D 1.23 G 0.75  D AUC 0.87  SWD 123  healthy"


def test_the_status_line_shows_the_distance_with_its_floor():
    assert "  SWD 85 (floor 34)" in status_line(record(1000, swd=85.4, swd_floor=33.6))


def test_the_status_line_shows_the_probability_of_adaptive_augmentation():
    assert "augment p 0.35" in status_line(record(1000, augment_strength=0.3512))
    assert "augment" not in status_line(record(1000))


def test_the_status_line_leaves_out_what_was_not_measured():
    line = status_line(record(1000, eta_sec=None))
    assert not any(word in line for word in ("left", "SWD", "AUC", "None"))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3599.7, "1:00:00"), (3661, "1:01:01"), (90061, "25:01:01")],
)
def test_the_time_left_reads_as_a_clock(seconds, shown):
    assert f"  {shown} left  " in status_line(record(1, eta_sec=seconds))


def attended(folder: Path, records: list[dict[str, object]]) -> tuple[RunJournal, list[str]]:
    said: list[str] = []
    journal = RunJournal(folder, 0, said.append)
    for record in records:
        journal.write(record)
        journal.diagnose(record)
    journal.close()
    return journal, said


def test_what_is_raised_is_said_and_kept_on_record(tmp_path: Path) -> None:
    journal, said = attended(tmp_path, SICK["mode-collapse"])
    assert journal.verdict.state == "failing"
    assert any("failing: mode-collapse" in text for text in said)
    lines = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} <= {"raised", "cleared"}
    assert "mode-collapse" in {line["code"] for line in lines}


def test_while_a_run_goes_on_remedies_are_commands_for_it(tmp_path: Path) -> None:
    """With new weights before there is a checkpoint, from the best ones after."""
    (tmp_path / "recipe.yaml").write_text(recipe_text(resolve("fast", {"data.source": "digits"})))
    (tmp_path / "environment.json").write_text('{"command": "ganglion train digits --device cpu"}')
    journal, commands = RunJournal(tmp_path, 0, lambda text: None), []
    for i, record in enumerate(with_values(healthy(), {"swd": 480.0, "diversity": 0.1, "contrast": 1.0}, first=20)):
        if i == 50:
            (tmp_path / "checkpoints").mkdir()
            (tmp_path / "checkpoints" / "best").write_text("00000001")
        remedies = [one for finding in journal.diagnose(record).findings for one in finding.remedies]
        commands += [one.command for one in remedies if one.name == "lower-both-rates"]
    journal.close()
    rest = f"--run {tmp_path}-lower-both-rates --device cpu --set optimizer.generator.lr=0.0015"
    assert commands[0].startswith(f"ganglion train digits --recipe {tmp_path}/recipe.yaml {rest}")
    assert commands[-1].startswith(f"ganglion train digits --from {tmp_path}:best {rest}")


def test_of_a_healthy_run_nothing_is_said(tmp_path: Path) -> None:
    journal, said = attended(tmp_path, healthy())
    assert (journal.verdict.state, said) == ("healthy", [])
    assert (tmp_path / "findings.jsonl").read_text() == ""


def test_a_resumed_run_forgets_what_a_lost_life_found(tmp_path: Path) -> None:
    attended(tmp_path, SICK["mode-collapse"])
    (tmp_path / "vitals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in healthy(5)))
    journal = RunJournal(tmp_path, 200, lambda text: None)
    journal.close()
    assert journal.verdict.state in ("unknown", "healthy")
    lines = (tmp_path / "findings.jsonl").read_text().splitlines()
    assert all(json.loads(line)["step"] <= 200 for line in lines)
