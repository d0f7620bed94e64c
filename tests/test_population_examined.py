"""What is made of the population's results: truth, error rates, alternatives, and the model of how likely a good end is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from ganglion.doctor import probability
from ganglion.doctor.features import FROM_VITALS
from ganglion.doctor.probability import SOURCES, Model
from population import examination
from population.alternatives import by_score, of_losses, small_loss, threshold_of
from population.examination import doctor_without_program, interval, judged, kinds, rate, table, wrong
from population.fit import LEAF, RATE, RIDGE, ROUNDS, Rows, brier, fit, left_out, rows_of
from population.split import SetAsideError, fitted, parts
from population.stored import STORED, columns_of, read, records_of, store
from population.truth import truths


def result(kind: str, distance: float | None, seed: int = 0, finite: bool = True, loss: float = 1.3) -> dict[str, Any]:
    records: list[dict[str, Any]] = [
        {"step": 50 * n, "kimg": 1.6 * n, "loss_d": loss, "loss_g": 0.8, "diversity": 1.0} for n in range(1, 30)
    ]
    if not finite:
        records[-1]["non_finite"] = "loss_d"
    return {
        "id": f"tutorial.mnist.{kind}.0.{seed}", "program": "tutorial", "data": "mnist", "kind": kind, "strength": 0,
        "seed": seed, "finite": finite, "distance": distance, "classes": 1.0, "failed": 10.0, "error": None, "own_run": False,
        "records": records,
    }  # fmt: skip


RESULTS = [result("none", 0.1, seed) for seed in range(3)] + [
    result("d-rate-up", 0.5, loss=0.01), result("range", 0.15), result("nan", 0.1, finite=False), result("g-rate-up", None)
]  # fmt: skip


def test_truth_is_by_the_healthy_runs_of_the_same_program_and_data() -> None:
    found = {name.split(".")[2]: sick for name, sick in truths(RESULTS).items()}
    assert found == {"none": False, "d-rate-up": True, "range": False, "nan": True, "g-rate-up": True}
    assert truths(RESULTS[1:]) == {name: sick for name, sick in truths(RESULTS).items() if name != RESULTS[0]["id"]}
    assert truths(RESULTS[3:]) == {}
    assert truths([one | {"failed": 0.1} for one in RESULTS]) == {}  # the program does not learn


def test_what_a_rule_says_is_counted() -> None:
    def small(one: dict[str, Any], records: Any) -> tuple[bool, tuple[str, ...]]:
        return records[-1]["loss_d"] < 0.1, ("discriminator-wins",)

    found = [one for one in judged(RESULTS, small, truths(RESULTS), over_time=True) if one.alarm]
    assert [(one.result["kind"], one.sick, one.right_cause) for one in found] == [("d-rate-up", True, True)]
    assert found[0].since is not None
    assert found[0].since < 0.1


def test_tables_and_lists_name_runs_that_are_judged_wrongly() -> None:
    truth = truths(RESULTS)
    assert "| NaN check | 0.33 (0.06 to 0.79; 3) | 0.00" in table(RESULTS, truth, RESULTS)
    assert "| d-rate-up | 1 | 1 | 0 | 0 |" in kinds(RESULTS, truth)
    assert "MISSED tutorial.mnist.g-rate-up.0.0" in wrong(RESULTS, truth)


@pytest.mark.parametrize(("hits", "count", "low", "high"), [(0, 0, 0, 1), (94, 100, 0.875, 0.972), (10, 10, 0.722, 1)])
def test_intervals_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert interval(hits, count) == pytest.approx((low, high), abs=0.001)


def test_an_alarm_on_the_way_is_counted_and_one_that_passes_is_no_alarm_at_the_end() -> None:
    one = result("none", 0.1)
    loss = [0.01 if 10 <= n < 15 else 1.3 for n in range(29)]
    one["records"] = [record | {"loss_d": value} for record, value in zip(one["records"], loss, strict=True)]

    def small(result: dict[str, Any], records: Any) -> tuple[bool, tuple[str, ...]]:
        return records[-1]["loss_d"] < 0.1, ()

    (found,) = judged([one], small, {one["id"]: False}, over_time=True)
    assert (found.alarm, found.ever, found.since) == (False, True, None)


def test_a_threshold_is_the_best_on_what_was_fitted() -> None:
    truth = truths(RESULTS)
    known = [one for one in RESULTS if one["kind"] in ("none", "d-rate-up")]
    assert threshold_of(small_loss, known, truth) == pytest.approx(-(0.01 + 1.3) / 2)
    alarm = by_score(small_loss, known, truth)
    assert [alarm(one, one["records"])[0] for one in RESULTS] == [one["kind"] == "d-rate-up" for one in RESULTS]


def test_what_is_kept_is_what_the_runs_left(tmp_path: Path) -> None:
    records = [{"step": 1, "loss_d": 1.23456, "range_real": [0.123456, 1.0]}, {"step": 2, "logits": {"low": 1}}]
    for number, one in enumerate(RESULTS):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "result.json").write_text(json.dumps(one | {"records": records}))
    store(tmp_path, tmp_path / "runs")
    found = read(tmp_path / "runs")
    assert [one["id"] for one in found] == [one["id"] for one in RESULTS]
    assert found[0]["records"] == [{"step": 1, "loss_d": 1.235, "range_real": [0.1235, 1.0]}, {"step": 2}]
    assert records_of(columns_of([])) == []


# The model


def made_rows(source: str = "vitals") -> Rows:
    """300 runs of three programs; they end well where the second feature is small, mostly."""
    random, count = np.random.default_rng(0), len(SOURCES[source])
    table = random.normal(size=(300, count))
    table[random.random((300, count)) < 0.2] = np.nan
    well = (np.nan_to_num(-table[:, 1]) > 0.3) | (random.random(300) < 0.1)
    return Rows(table, well, [], np.array(["a", "b", "c"] * 100), np.ones(300))


@pytest.mark.parametrize("source", SOURCES)
def test_the_model_is_what_scikit_learn_fitted(source: str) -> None:
    rows, names = made_rows(source), list(SOURCES[source])
    model = fit(rows, source)
    boosted = HistGradientBoostingClassifier(
        max_iter=ROUNDS[source], learning_rate=RATE, max_leaf_nodes=2, min_samples_leaf=LEAF, l2_regularization=RIDGE,
        early_stopping=False, max_bins=32, monotonic_cst=[one.direction for one in SOURCES[source].values()],
    ).fit(rows.features, rows.well)  # fmt: skip
    odds = model.bias + model.effects(rows.features, names).sum(1)
    np.testing.assert_allclose(odds, boosted.decision_function(rows.features), atol=1e-3)  # values have four decimals
    again = Model.read(source, json.loads(json.dumps(model.plain())))
    np.testing.assert_array_equal(again.probabilities(rows.features, names), model.probabilities(rows.features, names))


def test_effects_are_compared_with_the_mean_run() -> None:
    rows = made_rows()
    effects = fit(rows, "vitals").effects(rows.features, list(FROM_VITALS))
    np.testing.assert_allclose(effects.mean(0), 0, atol=1e-3)
    assert np.abs(effects).mean(0).argmax() == 1


def test_a_program_is_judged_by_a_model_that_has_not_seen_it() -> None:
    rows = made_rows()
    swapped = rows._replace(well=np.where(rows.programs == "a", ~rows.well, rows.well))
    of_a = rows.programs == "a"
    assert brier(left_out(rows, "vitals")[of_a], rows.well[of_a]) < 0.15
    assert brier(left_out(swapped, "vitals")[of_a], swapped.well[of_a]) > 0.4


def test_a_run_is_asked_of_the_model_without_its_program_which_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shipped, known = probability.models(), [one for one in RESULTS if one["kind"] != "g-rate-up"]
    without = Model("vitals", -3.0, {})
    asked: list[Model] = []

    def doctor(one: dict[str, Any], records: Any) -> tuple[bool, tuple[str, ...]]:
        asked.append(probability.models()["vitals"])
        assert not probability.population_effects("vitals").any()  # of a model without a shape, as this one is
        return False, ()

    monkeypatch.setattr(examination, "rows_of", lambda *_: None)
    monkeypatch.setattr(examination, "models_without", lambda *_: {"tutorial": without})
    monkeypatch.setattr(examination, "by_doctor", doctor)
    doctor_without_program(known, truths(known))(known[0], known[0]["records"])
    assert asked == [without]
    assert probability.models() is shipped
    assert probability.population_effects("vitals").any()


def test_each_run_counts_after_a_tenth_a_third_and_all_of_its_records() -> None:
    truth = truths(RESULTS)
    rows = rows_of(RESULTS, truth, "losses")
    assert rows.runs == [one["id"] for one in RESULTS for _ in range(3)]
    images = rows.features[:3, list(SOURCES["losses"]).index("thousands of images")]
    np.testing.assert_allclose(images, np.log2([4.8, 16.0, 46.4]))
    assert {"diversity"} & set(RESULTS[0]["records"][0])
    assert not {"diversity"} & set(of_losses(RESULTS[0]["records"])[0])


def test_what_was_set_aside_is_not_fitted() -> None:
    known, aside = parts([*RESULTS, RESULTS[0] | {"program": "dcgan"}])
    assert fitted(known) == RESULTS
    with pytest.raises(SetAsideError):
        fitted(aside)


# The runs that are kept

PAGE = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text(encoding="utf-8")


def test_the_kept_runs_are_few_megabytes() -> None:
    assert sum(path.stat().st_size for path in STORED.iterdir()) < 6e6


@pytest.mark.parametrize("part", ["fitted", "aside"])
def test_the_page_has_the_error_rates_of_the_doctor_as_it_is(part: str) -> None:
    results = read()
    truth = truths(results)
    known, aside = parts(results)
    found = judged(aside if part == "aside" else known, doctor_without_program(known, truth), truth)
    row = PAGE.partition(f"<!-- {part}:begin -->")[2].partition("| the doctor |")[2].splitlines()[0]
    recall, false_alarms, _, causes, _ = (cell.strip() for cell in row.strip("| ").split("|"))
    ill, well = [one for one in found if one.sick], [one for one in found if not one.sick]
    assert recall == rate([one.alarm for one in ill])
    assert false_alarms == rate([one.alarm for one in well])
    assert causes == rate([one.right_cause for one in ill if one.first is not None and one.result["kind"] != "none"])
