from __future__ import annotations

from pathlib import Path

import pytest

import ganglion
from ganglion.errors import DataError
from ganglion.evaluation.curve import Curve
from ganglion.metrics.evaluation import Evaluation
from ganglion.studio.background import Stopped, Task
from ganglion.studio.scores import Asked, bars, curve_charts, curve_table, facts, measure, score_table


@pytest.fixture(scope="module")
def evaluation(tiny_run: ganglion.Run, cache: Path) -> Evaluation:
    asked = Asked(tiny_run.path, None, 80, features="random", metrics=("fid", "kid", "precision", "coverage"))
    found = measure(asked, cache, Task("scores"))
    assert isinstance(found, Evaluation)
    return found


@pytest.fixture(scope="module")
def curve(tiny_run: ganglion.Run, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Curve:
    import shutil

    own = shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("curve") / "run")
    asked = Asked(own, None, 80, features="random", metrics=("kid", "precision"), checkpoint="all")
    found = measure(asked, cache, Task("scores"))
    assert isinstance(found, Curve)
    return found


def test_they_are_those_of_ganglion_evaluate(evaluation: Evaluation, tiny_run: ganglion.Run, cache: Path) -> None:
    again = ganglion.evaluate(
        str(tiny_run.path), n=80, features="random", metrics=["fid", "kid", "precision", "coverage"], cache=cache, quiet=True,
        device="cpu",
    )  # fmt: skip
    assert [(one.name, one.value, one.floor) for one in evaluation.scores] == [
        (one.name, one.value, one.floor) for one in again.scores
    ]


def test_the_table_has_a_row_for_each_score_with_its_floor(evaluation: Evaluation) -> None:
    html = score_table(evaluation)
    assert html.count("<th scope='row'>") == len(evaluation.scores)
    assert f"{evaluation['kid']:.4g}" in html
    assert all(f"{one.floor:.4g}" in html for one in evaluation.scores if one.floor is not None)
    assert all(name in html for name in evaluation.left_out)
    assert any("samples" in line and "real images" in line for line in facts(evaluation))


def test_names_in_the_table_are_no_markup(evaluation: Evaluation) -> None:
    from dataclasses import replace

    odd = replace(evaluation, left_out={"fid": "there are <b>few</b>"})
    assert "&lt;b&gt;few" in score_table(odd)


def test_shares_are_drawn_beside_their_floors(evaluation: Evaluation) -> None:
    chart = bars(evaluation)
    assert chart is not None
    points = (
        chart.to_dict()["data"]["values"]
        if "data" in chart.to_dict()
        else chart.to_dict()["layer"][0]["data"]["values"]
    )
    assert {point["score"] for point in points} == {"precision", "coverage"}
    assert {point["of"] for point in points} == {"samples", "floor: real images"}


def test_a_curve_has_a_row_for_each_checkpoint_and_a_chart_for_each_score(curve: Curve, tiny_run: ganglion.Run) -> None:
    html = curve_table(curve)
    assert all(f">{step}</th>" in html for step in tiny_run.steps_saved())
    assert html.count("<span> best</span>") >= 2
    charts = curve_charts(curve)
    assert [chart.to_dict()["title"] for chart in charts] == ["kid, lower is better", "precision, higher is better"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"samples": 1}, "number of samples is from 2"), ({"samples": 10**7}, "number of samples is from 2"),
        ({"seeds": 0}, "number of seeds is from 1"), ({"against": "no-such-folder"}, "no file or folder 'no-such-folder'"),
        ({"metrics": ("fidd",)}, "there is no score 'fidd'"), ({"features": "nothing"}, "there are no features 'nothing'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_said(
    change: dict[str, object], why: str, tiny_run: ganglion.Run, cache: Path
) -> None:
    asked = Asked(**({"run": tiny_run.path, "against": None, "samples": 80, "features": "random"} | change))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=why):
        measure(asked, cache, Task("scores"))


@pytest.mark.parametrize("checkpoint", ["best", "all"])
def test_it_can_be_stopped_at_once(checkpoint: str, tiny_run: ganglion.Run, cache: Path) -> None:
    task = Task("scores")
    task.stop()
    with pytest.raises(Stopped):
        measure(Asked(tiny_run.path, None, 80, features="random", checkpoint=checkpoint), cache, task)
