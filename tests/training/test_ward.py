from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ganglion.recipe.schema import Training
from ganglion.training.players import Position
from ganglion.training.ward import Ward
from made_records import SICK, healthy

PLAIN = Training(kimg=100)
POSITION = Position(step=100, images=90_000, best_score=50.0, lowest_kimg=80.0)


def attended(folder: Path, records: list[dict[str, object]]) -> tuple[Ward, list[str]]:
    said: list[str] = []
    ward = Ward(folder, 10**9, said.append)
    for record in records:
        ward.take(record)
    ward.close()
    return ward, said


def test_what_is_raised_is_said_and_kept_on_record(tmp_path: Path) -> None:
    ward, said = attended(tmp_path, SICK["mode-collapse"])
    assert ward.state == "failing"
    assert any("failing: mode-collapse" in text for text in said)
    lines = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text().splitlines()]
    assert {line["event"] for line in lines} <= {"raised", "cleared"}
    assert "mode-collapse" in {line["code"] for line in lines}


def test_of_a_healthy_run_nothing_is_said(tmp_path: Path) -> None:
    ward, said = attended(tmp_path, healthy())
    assert (ward.state, said) == ("healthy", [])
    assert (tmp_path / "findings.jsonl").read_text() == ""


def test_a_resumed_run_forgets_what_a_lost_life_found(tmp_path: Path) -> None:
    attended(tmp_path, SICK["mode-collapse"])
    (tmp_path / "vitals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in healthy(5)))
    ward = Ward(tmp_path, 200, lambda text: None)
    ward.close()
    assert ward.state in ("unknown", "healthy")
    lines = (tmp_path / "findings.jsonl").read_text().splitlines()
    assert all(json.loads(line)["step"] <= 200 for line in lines)


def test_a_failing_run_stops_where_that_was_asked_for(tmp_path: Path) -> None:
    ward, _ = attended(tmp_path, SICK["mode-collapse"])
    assert ward.reason_to_stop(PLAIN, POSITION) is None
    reason = ward.reason_to_stop(Training(kimg=100, stop_when_failing=True), POSITION)
    assert reason is not None
    assert "mode-collapse" in reason


def test_a_run_is_done_when_a_third_of_it_brought_no_better_score(tmp_path: Path) -> None:
    ward, _ = attended(tmp_path, healthy())
    done = Training(kimg=100, stop_when_done=True)
    assert ward.reason_to_stop(done, POSITION) is None
    assert ward.reason_to_stop(done, replace(POSITION, lowest_kimg=60.0)) == "done: no better score for 30 of 90 kimg"
    assert ward.reason_to_stop(done, replace(POSITION, lowest_kimg=None)) is None
    assert ward.reason_to_stop(done, replace(POSITION, images=15_000, lowest_kimg=1.0)) is None  # too early to say
    assert ward.reason_to_stop(PLAIN, replace(POSITION, lowest_kimg=1.0)) is None


def stops(folder: Path, scores: Iterable[float], resumed: bool = False) -> list[bool]:
    """Whether a run with `stop_when_done` would stop after each of its snapshots, one every 5 kimg."""
    ward, _ = attended(folder, healthy())
    position, found = Position(), []
    for number, score in enumerate(scores, start=1):
        position.step, position.images = 100 * number, 5000 * number
        position.keep_best(score)
        if resumed:  # as a checkpoint stores it
            position = Position(**json.loads(json.dumps(asdict(position))))
        found.append(ward.reason_to_stop(Training(kimg=1000, stop_when_done=True), position) is not None)
    return found


def plateau(seed: int) -> list[float]:
    """Scores that fall for 10 snapshots and then only vary by their noise of 1 %, as of one generator."""
    noise = random.Random(seed)
    return [50 * max(1.0, 3 - 0.2 * i) * (1 + 0.01 * noise.uniform(-1, 1)) for i in range(60)]


@pytest.mark.parametrize("gain", [0.02, 0.029])
def test_a_run_whose_score_falls_steadily_goes_on_though_each_gain_is_within_the_noise(
    tmp_path: Path, gain: float
) -> None:
    assert not any(stops(tmp_path, [100 * (1 - gain) ** i for i in range(60)]))


@pytest.mark.parametrize("seed", range(3))
def test_a_run_whose_score_only_varies_by_its_noise_stops(tmp_path: Path, seed: int) -> None:
    found = stops(tmp_path, plateau(seed))
    assert not any(found[:10])
    assert all(found[20:])


@pytest.mark.parametrize("scores", [plateau(0), [100 * 0.98**i for i in range(30)] + [55.0] * 30])
def test_a_resumed_run_stops_where_the_uninterrupted_one_does(tmp_path: Path, scores: list[float]) -> None:
    once = stops(tmp_path, scores)
    assert any(once)
    assert stops(tmp_path, scores, resumed=True) == once
