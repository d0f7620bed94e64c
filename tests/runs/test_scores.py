from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import ganglion
from ganglion.metrics.evaluation import Evaluation, Result, SetFacts
from ganglion.runs.scores import keep_scores, kept_scores

REAL = SetFacts("photos", 100, 16, 16, 1, "crop", "content")
FOUND = Evaluation(
    REAL, replace(REAL, name="samples", content="other"), "random", "hash", "about", 8, 1, None, (50, 50),
    [Result("fid", 2.0, "lower", "a distance", 1.0)], {}, [], 0.1,
)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> ganglion.Run:
    return ganglion.Run(tmp_path)


def test_what_is_kept_is_read_back_newest_last(run: ganglion.Run) -> None:
    assert kept_scores(run) == []
    keep_scores(run, "00000010", FOUND)
    keep_scores(run, "00000020", FOUND)
    assert [one.checkpoint for one in kept_scores(run)] == ["00000010", "00000020"]
    assert kept_scores(run)[0].evaluation["scores"][0]["value"] == 2.0


def test_equal_settings_replace_and_others_are_kept_beside(run: ganglion.Run) -> None:
    keep_scores(run, "00000010", FOUND)
    others = [{"features_hash": "another"}, {"seeds": 3}, {"held_out_content": "other held-out images"}]
    for other in others:
        keep_scores(run, "00000010", replace(FOUND, **other))
    keep_scores(run, "00000010", replace(FOUND, scores=[replace(FOUND.scores[0], value=3.0)]))
    assert [one.evaluation["scores"][0]["value"] for one in kept_scores(run)] == [2.0, 2.0, 2.0, 3.0]
    for other, one in zip(others, kept_scores(run)[:3], strict=True):
        assert other.items() <= one.evaluation.items()


def test_scores_of_other_names_stay_and_what_was_measured_since_is_not_left_out(run: ganglion.Run) -> None:
    kid = Result("kid", 0.1, "lower", "another distance", 0.0)
    keep_scores(run, "00000010", replace(FOUND, left_out={"kid": "too few", "swd": "too few"}))
    keep_scores(run, "00000010", replace(FOUND, scores=[kid]))
    (kept,) = kept_scores(run)
    assert {score["name"]: score["value"] for score in kept.evaluation["scores"]} == {"kid": 0.1, "fid": 2.0}
    assert kept.evaluation["left_out"] == {"swd": "too few"}


@pytest.mark.parametrize("content", ["", "[1]", "{}", '[{"checkpoint": "1"}]', "\x00"])
def test_a_file_that_is_no_such_list_counts_as_none(run: ganglion.Run, content: str) -> None:
    run.evaluation_path.write_text(content, encoding="utf-8")
    assert kept_scores(run) == []
    keep_scores(run, "00000010", FOUND)
    assert len(kept_scores(run)) == 1
