"""The model that is shipped: what it says of stored runs, how it says it, and how it is made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from ganglion.doctor.examine import examine
from ganglion.doctor.history import History
from ganglion.doctor.probability import LEAST, SOURCES, Chance, Model, Reason, Shape, chance_of, models
from ganglion.doctor.similar_runs import Neighbours
from ganglion.doctor.verdict import Verdict
from made_records import SICK, healthy
from stored_records import ILL, WELL


def chances(runs: Iterable[dict[str, Any]]) -> np.ndarray:
    verdicts = [examine(run["records"], run["own_run"]) for run in runs]
    return np.array([verdict.chance.probability for verdict in verdicts if verdict.chance is not None])


def test_stored_healthy_runs_are_given_better_chances_than_stored_sick_ones() -> None:
    """Of the clinic's runs of digits at 16x16, none of which the model was fitted to."""
    well, ill = chances(WELL.values()), chances(ILL.values())
    assert (well[:, None] > ill).mean() > 0.8


def test_without_vitals_the_losses_are_judged_and_without_losses_nothing_is_said() -> None:
    losses = [{key: record[key] for key in ("step", "kimg", "loss_d", "loss_g")} for record in healthy()[1:]]
    found = chance_of(History(losses))
    assert found is not None
    assert found.source == "losses"
    assert "judged by losses alone" in found.text()
    assert chance_of(History([{"step": n, "kimg": 1.0 * n} for n in range(20)])) is None
    assert chance_of(History(healthy())).source == "vitals"  # type: ignore[union-attr]


@pytest.mark.parametrize("code", SICK)
def test_the_verdict_has_it_in_text_and_json(code: str) -> None:
    verdict = examine(SICK[code])
    assert verdict.chance is not None
    assert LEAST <= verdict.chance.probability <= 1 - LEAST
    plain = json.loads(json.dumps(verdict.to_json(), allow_nan=False))["chance"]
    assert plain["probability"] == pytest.approx(verdict.chance.probability, abs=0.001)
    assert len(plain["similar"]) == 3
    assert 0 <= plain["similar_well"] <= plain["similar_counted"] == 10
    lines = verdict.text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith("Chance of a good end: "))
    assert sum(line.strip() == run.text() for line in lines[place:] for run in verdict.chance.similar.nearest) >= 3


def test_after_a_nan_the_chance_is_the_least_and_that_is_the_reason() -> None:
    chance = examine(SICK["non-finite"]).chance
    assert chance is not None
    assert chance.probability == LEAST
    assert "against it: records with a NaN or infinity 1)" in chance.text()


def test_a_finding_lowers_the_chance() -> None:
    told = History(healthy())
    well = chance_of(told)
    told.worst = 2
    ill = chance_of(told)
    assert well is not None
    assert ill is not None
    assert ill.probability < well.probability


def test_reasons_are_named_with_their_values() -> None:
    chance = Chance(
        0.3, "vitals", [Reason("diversity", 0.125, -1.2), Reason("AUC of D's logits", 0.8, 0.5)], Neighbours([], 2, 10)
    )
    assert chance.text() == (
        "30 % (for it: AUC of D's logits 0.8; against it: diversity 0.125). "
        "Of the 10 most similar runs of the population 8 ended badly."
    )


@pytest.mark.parametrize(
    ("probability", "told"),
    [(0.3, "but most runs with such records ended badly"), (0.6, "how good the samples are is another question")],
)
def test_of_a_run_without_findings_the_headline_tells_that_it_is_likely_to_end_badly(
    probability: float, told: str
) -> None:
    verdict = Verdict("healthy", step=1000, chance=Chance(probability, "vitals", [], Neighbours([], 2, 10)))
    assert verdict.headline == f"no findings at step 1,000; {told}"
    assert f"Verdict healthy: {verdict.headline}\n" in verdict.text()


def test_a_shape_is_constant_between_its_thresholds() -> None:
    shape = Shape(np.array([0.0, 1.0]), np.array([-1.0, 2.0, 5.0]), 7.0)
    assert shape(np.array([-3.0, 0.0, 0.5, 1.0, 9.0, np.nan])).tolist() == [-1, -1, 2, 2, 5, 7]


def test_the_log_odds_are_the_sum_of_the_shares() -> None:
    names = ["a", "b"]
    one = Shape(np.array([0.0]), np.array([-1.0, 1.0]), 0.0)
    model = Model("vitals", 0.5, {"a": one, "b": one})
    rows = np.array([[1.0, 1.0], [-1.0, np.nan]])
    assert model.effects(rows, names).tolist() == [[1, 1], [-1, 0]]
    np.testing.assert_allclose(model.probabilities(rows, names), 1 / (1 + np.exp([-2.5, 0.5])))


@pytest.mark.parametrize("source", SOURCES)
def test_the_shipped_model_names_only_features_that_there_are(source: str) -> None:
    shapes = models()[source].shapes
    assert shapes
    assert set(shapes) <= set(SOURCES[source])
    assert all(len(one.values) == len(one.thresholds) + 1 for one in shapes.values())


def test_what_is_known_to_be_bad_never_makes_a_good_end_more_likely() -> None:
    shapes, directions = models()["vitals"].shapes, {name: one.direction for name, one in SOURCES["vitals"].items()}
    bounded = [directions[name] * np.diff(shape.values) for name, shape in shapes.items() if directions[name]]
    assert len(bounded) >= 2
    assert all((steps >= -1e-3).all() for steps in bounded)
