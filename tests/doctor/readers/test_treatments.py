from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganglion.doctor.readers.treatments import Ending, Treatment, ending_of, treated, treatments_of

FIRST = Treatment(
    1, 400, 25.6, 12.5, ["mode-collapse", "vanishing-generator-gradient"], "mode-collapse", "lower-g-rate",
    "Lower G's learning rate from 0.004 to 0.001", {"optimizer.generator.lr": 0.001}, "", 320, "74.4 kimg", 2, {"name": "fast"},
)  # fmt: skip
END = Ending(1, 2, {"1": 21.5, "2": 30.25}, "healthy", 74.4, {"training.kimg": 100.0})


def written(folder: Path, *lines: Treatment | Ending | dict[str, Any] | str) -> Path:
    texts = [
        line if isinstance(line, str) else json.dumps(line if isinstance(line, dict) else line.to_json()) for line in lines
    ]  # fmt: skip
    (folder / "treatments.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return folder


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written(tmp_path, FIRST, replace(FIRST, number=2), END)
    assert treatments_of(tmp_path) == [FIRST, replace(FIRST, number=2)]
    assert ending_of(tmp_path) == END


def test_a_run_that_was_not_treated_has_nothing_to_tell(tmp_path: Path) -> None:
    assert (treatments_of(tmp_path), ending_of(tmp_path), treated(tmp_path)) == ([], None, [])


def test_a_run_that_goes_on_after_its_end_has_not_ended(tmp_path: Path) -> None:
    written(tmp_path, FIRST, END, replace(FIRST, number=2))
    assert ending_of(tmp_path) is None
    assert treated(tmp_path)[-1] == "Attempt 3 has not ended yet."


@pytest.mark.parametrize(
    "line", ["{", "[1]", {"event": "treatment"}, {"event": "end"}, {"event": "other", "number": 2}]
)
def test_a_line_that_cannot_be_read_is_passed_over(tmp_path: Path, line: str | dict[str, Any]) -> None:
    written(tmp_path, FIRST, line)
    assert treatments_of(tmp_path) == [FIRST]
    assert ending_of(tmp_path) is None


def test_a_treatment_says_what_was_done_when_and_why() -> None:
    assert FIRST.text() == (
        "Treatment 1, at 25.6 kimg (step 400) of attempt 1, failing by mode-collapse, vanishing-generator-gradient. Lower G's "
        "learning rate from 0.004 to 0.001. Back to the weights of step 320; 74.4 kimg are left."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": None}, "Back to the start; 74.4 kimg are left."),
        ({"start": 0}, "Back to the weights that it started from;"),
        ({"cause": "generator-wins"}, "(its cause: generator-wins)"),
    ],
)
def test_it_says_where_the_run_goes_back_to_and_a_cause_that_is_none_of_the_failures(
    change: dict[str, Any], said: str
) -> None:
    assert said in replace(FIRST, **change).text()


def test_the_end_says_which_attempt_is_the_best_by_which_scores() -> None:
    assert END.text() == (
        "Attempt 2, the last one, ended healthy after 74.4 kimg. Best scores that compare, lower is better: 21.5 in attempt "
        "1, 30.25 in attempt 2. The run holds attempt 1, whose best checkpoint is the best of all. The other attempt is in its "
        "folder attempts."
    )
    assert "none in attempt 1, 30.25 in attempt 2" in replace(END, best=2, scores={"2": 30.25}).text()
    assert "scores" not in replace(END, scores={}).text()
