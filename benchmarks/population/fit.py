"""Fits the probability that a run ends well to the part of the population that was not set aside.

    python benchmarks/population/fit.py                        how good it is, each program left out in turn
    python benchmarks/population/fit.py --write                and src/ganglion/doctor/probability.json, with the runs that
                                                               others are compared with

Each run counts after a tenth, a third and all of its records, so that the model holds for a run that is under way. Stumps are
boosted (Friedman 2001): each round adds a step in one feature, so that the sum is an additive model; few rounds and wide
leaves, since there are few programs.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

import ganglion
from ganglion.doctor.examine import examine, severity_of
from ganglion.doctor.features import Feature, features
from ganglion.doctor.history import History, Thinned
from ganglion.doctor.probability import SOURCES, Model, Shape
from ganglion.doctor.similar_runs import SimilarRun
from ganglion.doctor.verdict import Verdict
from population.alternatives import objective_of_losses, of_losses
from population.interventions import INTERVENTIONS
from population.split import fitted, parts
from population.stored import STORED, read
from population.truth import truths

__all__ = ["Rows", "brier", "fit", "left_out", "models_without", "rows_of"]

SHARES = (0.1, 1 / 3, 1.0)
ROUNDS, RATE, LEAF, RIDGE = {"vitals": 100, "losses": 15}, 0.1, 12, 2.0
DOCTOR = Path(ganglion.__file__).parent / "doctor"
DIGITS = 4


class Rows(NamedTuple):
    """Runs at each of SHARES: features (N, F), whether they ended well (N,), and which run and program each is of."""

    features: NDArray[np.float64]
    well: NDArray[np.bool_]
    runs: list[str]
    programs: NDArray[np.str_]
    shares: NDArray[np.float64]


def rows_of(results: list[dict[str, Any]], truth: dict[str, bool], source: str) -> Rows:
    chosen: dict[str, Feature] = SOURCES[source]
    table, well, runs, programs, shares = [], [], [], [], []
    for one in results:
        if one["id"] not in truth:
            continue
        for share in SHARES:
            records = one["records"][: max(1, round(share * len(one["records"])))]
            objective = ""
            if source == "losses":
                objective, records = objective_of_losses(records), of_losses(records)
            kept = Thinned(records).records
            if not kept:
                continue
            history = History(kept, objective)
            history.worst = others_severity(examine(kept, one["own_run"], objective=objective))
            table.append(features(history, chosen))
            well.append(not truth[one["id"]])
            runs.append(one["id"])
            programs.append(one["program"])
            shares.append(share)
    return Rows(np.array(table), np.array(well), runs, np.array(programs), np.array(shares))


def others_severity(verdict: Verdict) -> int:
    """Of the worst finding that the model does not make itself: 0 where there is none, 1 watch, 2 failing."""
    return severity_of(finding for finding in verdict.findings if finding.code != "non-convergence")


def fit(rows: Rows, source: str) -> Model:
    """The additive model of these rows."""
    boosted = HistGradientBoostingClassifier(
        max_iter=ROUNDS[source], learning_rate=RATE, max_leaf_nodes=2, min_samples_leaf=LEAF, l2_regularization=RIDGE,
        early_stopping=False, max_bins=32, monotonic_cst=[one.direction for one in SOURCES[source].values()],
    ).fit(rows.features, rows.well)  # fmt: skip
    names = list(SOURCES[source])
    shapes = {
        name: shape for place, name in enumerate(names) if (shape := _shape(boosted, rows.features[:, place], place))
    }
    model = Model(source, 0.0, shapes)
    centres = model.effects(rows.features, names).mean(0)
    centred = {
        name: Shape(one.thresholds, (one.values - centres[names.index(name)]).round(DIGITS),
                    round(one.missing - centres[names.index(name)], DIGITS))
        for name, one in shapes.items()
    }  # fmt: skip
    odds = boosted.decision_function(rows.features) - Model(source, 0.0, centred).effects(rows.features, names).sum(1)
    return Model(source, round(float(odds.mean()), DIGITS), centred)


def _shape(boosted: HistGradientBoostingClassifier, column: NDArray[np.float64], place: int) -> Shape | None:
    """What the stumps of one feature come to."""
    stumps = [stump for (tree,) in boosted._predictors if (stump := tree.nodes)[0]["feature_idx"] == place]
    stumps = [stump for stump in stumps if not stump[0]["is_leaf"]]
    if not stumps:
        return None
    thresholds = np.unique([_finite(stump[0]["num_threshold"]) for stump in stumps])
    values, missing = np.zeros(len(thresholds) + 1), 0.0
    for stump in stumps:
        root, left, right = stump[0], stump[stump[0]["left"]]["value"], stump[stump[0]["right"]]["value"]
        below = np.arange(len(values)) <= np.searchsorted(thresholds, _finite(root["num_threshold"]))
        values += np.where(below, left, right)
        missing += left if root["missing_go_to_left"] else right
    return Shape(thresholds, values, float(missing))


def _finite(value: float) -> float:
    """A threshold that parts what was measured from what was not is infinite, which JSON cannot hold."""
    return float(np.clip(value, -1e300, 1e300))


def models_without(rows: Rows, source: str) -> dict[str, Model]:
    """By program: the model that was fitted without any run of it."""
    found = {}
    for program in np.unique(rows.programs):
        rest = rows.programs != program
        if not rest.any():
            continue
        found[str(program)] = fit(
            Rows(rows.features[rest], rows.well[rest], [], rows.programs[rest], rows.shares[rest]), source
        )
    return found


def left_out(rows: Rows, source: str) -> NDArray[np.float64]:
    """Probabilities (N,), each of a model that was fitted without any run of that program."""
    found = np.full(len(rows.well), np.nan)
    for program, model in models_without(rows, source).items():
        out = rows.programs == program
        found[out] = model.probabilities(rows.features[out], list(SOURCES[source]))
    return found


def brier(probabilities: NDArray[np.float64], well: NDArray[np.bool_]) -> float:
    return float(np.square(probabilities - well).mean())


def report(rows: Rows, probabilities: NDArray[np.float64]) -> str:
    lines = ["| share of the run | Brier | of the base rate | right side of 0.5 | AUC |", "|---|---|---|---|---|"]
    for share in SHARES:
        here = rows.shares == share
        p, well = probabilities[here], rows.well[here]
        ranks = (p[well][:, None] > p[~well]).mean() + 0.5 * (p[well][:, None] == p[~well]).mean()
        base = brier(np.full(len(well), well.mean()), well)
        right = np.mean((p > 0.5) == well)
        lines.append(f"| {share:.2f} | {brier(p, well):.3f} | {base:.3f} | {right:.2f} | {ranks:.2f} |")
    return "\n".join(lines)


def write_runs(results: list[dict[str, Any]], truth: dict[str, bool]) -> None:
    """The runs that others are compared with: what they were, and their features at the end."""
    kept = [one for one in results if one["id"] in truth and one["records"]]
    ended = {source: rows_of(kept, truth, source) for source in SOURCES}
    rows = {source: found.features[found.shares == 1] for source, found in ended.items()}
    runs = [
        SimilarRun(one["id"], one["program"], one["data"], change_in_words(one), not truth[one["id"]]) for one in kept
    ]
    tree = {
        "runs": [run._asdict() for run in runs],
        "features": {source: [[_digits(x) for x in row] for row in found.tolist()] for source, found in rows.items()},
    }
    (DOCTOR / "similar_runs.json").write_text(json.dumps(tree, separators=(",", ":")) + "\n")


def change_in_words(one: dict[str, Any]) -> str:
    """What was done to a run; empty where nothing was."""
    intervention = INTERVENTIONS[one["kind"]]
    return "" if one["kind"] == "none" else f"{intervention.about} ({intervention.strengths[one['strength']].name})"


def _digits(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if value == value else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=STORED)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    everything = read(asked.results)
    truth = truths(everything)
    chosen = fitted(parts(everything)[0])
    models = {}
    for source in SOURCES:
        rows = rows_of(chosen, truth, source)
        print(
            f"\n{source}: {len(set(rows.runs))} runs, each program left out in turn\n{report(rows, left_out(rows, source))}"
        )
        models[source] = fit(rows, source).plain()
    if asked.write:
        (DOCTOR / "probability.json").write_text(json.dumps(models, indent=1) + "\n")
        write_runs(chosen, truth)


if __name__ == "__main__":
    main()
