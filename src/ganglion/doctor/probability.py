"""How likely a run is to end well, from what its records show: a model of few numbers, fitted to a population of trainings.

log p / (1 - p) = b + sum over features f of s_f(x_f), where s_f is constant between a few thresholds (a generalised additive
model, Hastie and Tibshirani 1986), so that each feature's share in the result can be told. Fitted and shipped by
benchmarks/population/fit.py on the part of the population that was not set aside; docs/doctor.md has its error rates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.evidence import number_text
from ganglion.doctor.features import FROM_LOSSES, FROM_VITALS, Feature, features
from ganglion.doctor.history import History
from ganglion.doctor.similar_runs import Neighbours, neighbours, population

__all__ = ["Chance", "Model", "Reason", "Shape", "chance_of", "from_vitals", "models"]

LEAST = 0.02
"""No probability is given nearer to 0 or 1 than this: the population is too small to tell."""
REASONS = 3
SLIGHT = 0.25  # share of the log-odds below which a feature is no reason


class Reason(NamedTuple):
    """A feature and its share in the log-odds, compared with the mean of the population."""

    name: str
    value: float
    """As it is in evidence: of a size the size itself."""
    effect: float

    def __str__(self) -> str:
        return f"{self.name} {number_text(self.value)}"


@dataclass(frozen=True)
class Chance:
    """That a run ends well, as the population's judge understands it."""

    probability: float
    source: str
    """What it was told from: vitals or losses."""
    reasons: list[Reason]
    """The strongest first; positive effects speak for a good end."""
    similar: Neighbours

    def text(self) -> str:
        """Two sentences."""
        of = "" if self.source == "vitals" else ", judged by losses alone"
        told = f"{100 * self.probability:.0f} %{of}"
        good = [str(one) for one in self.reasons if one.effect > 0]
        bad = [str(one) for one in self.reasons if one.effect < 0]
        parts = [f"for it: {', '.join(good)}"] if good else []
        parts += [f"against it: {', '.join(bad)}"] if bad else []
        why = f" ({'; '.join(parts)})" if parts else ""
        badly = self.similar.counted - self.similar.well
        return f"{told}{why}. Of the {self.similar.counted} most similar runs of the population {badly} ended badly."

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "probability": round(self.probability, 3), "source": self.source,
            "reasons": [one._asdict() for one in self.reasons],
            "similar": [one._asdict() for one in self.similar.nearest],
            "similar_well": self.similar.well, "similar_counted": self.similar.counted,
        }  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """s_f of one feature: a value between each two thresholds, and one where the feature was not measured."""

    thresholds: NDArray[np.float64]
    values: NDArray[np.float64]
    """One more than thresholds."""
    missing: float

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of a column (N,)."""
        known = self.values[np.searchsorted(self.thresholds, x, side="left")]
        return np.where(np.isnan(x), self.missing, known)


@dataclass(frozen=True)
class Model:
    source: str
    bias: float
    shapes: Mapping[str, Shape]
    """By the feature's name."""

    @classmethod
    def read(cls, source: str, plain: Mapping[str, Any]) -> Self:
        shapes = {
            name: Shape(np.array(one["thresholds"], np.float64), np.array(one["values"], np.float64), one["missing"])
            for name, one in plain["shapes"].items()
        }
        return cls(source, plain["bias"], shapes)

    def plain(self) -> dict[str, Any]:
        shapes = {
            name: {"thresholds": one.thresholds.tolist(), "values": one.values.tolist(), "missing": one.missing}
            for name, one in self.shapes.items()
        }
        return {"bias": self.bias, "shapes": shapes}

    def effects(self, rows: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
        """Of features (N, F), named in order, each one's share (N, F) in the log-odds."""
        columns = [
            self.shapes[name](rows[:, place]) if name in self.shapes else np.zeros(len(rows))
            for place, name in enumerate(names)
        ]
        return np.stack(columns, axis=1)

    def probabilities(self, rows: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
        """(N,) of features (N, F)."""
        odds = self.bias + self.effects(rows, names).sum(1)
        return np.asarray(np.clip(1 / (1 + np.exp(-odds)), LEAST, 1 - LEAST))


SOURCES: dict[str, dict[str, Feature]] = {"vitals": FROM_VITALS, "losses": FROM_LOSSES}


@cache
def models() -> dict[str, Model]:
    """By what they read: vitals or losses."""
    text = files("ganglion.doctor").joinpath("probability.json").read_text(encoding="utf-8")
    return {source: Model.read(source, plain) for source, plain in json.loads(text).items()}


@cache
def population_effects(source: str) -> NDArray[np.float64]:
    """Of the runs (N, F) that others are compared with; the same for every record of a training."""
    return models()[source].effects(population().features[source], list(SOURCES[source]))


def from_vitals(history: History) -> float:
    """How likely the run is to end well; NaN where samples or D's logits were not measured."""
    if not _has_vitals(history):
        return math.nan
    chosen = SOURCES["vitals"]
    return float(models()["vitals"].probabilities(features(history, chosen)[None], list(chosen))[0])


def _has_vitals(history: History) -> bool:
    return history.has("diversity") and history.has("separation")


def chance_of(history: History) -> Chance | None:
    """From the vitals where samples were measured, otherwise from the losses; None where there are neither. After a NaN no run
    ends well, whatever else the records show.
    """
    source = "vitals" if _has_vitals(history) else "losses"
    if source == "losses" and not (history.has("loss_d") and history.has("loss_g")):
        return None
    model, chosen = models()[source], SOURCES[source]
    names, row = list(chosen), features(history, chosen)
    effects = model.effects(row[None], names)[0]
    order = sorted(range(len(names)), key=lambda place: -abs(effects[place]))
    reasons = [
        Reason(names[place], chosen[names[place]].shown(float(row[place])), float(effects[place]))
        for place in order[:REASONS]
        if abs(effects[place]) > SLIGHT and math.isfinite(row[place])
    ]
    similar = neighbours(effects, population_effects(source))
    if spoilt := sum(record.get("non_finite") is not None for record in history.records):
        return Chance(LEAST, source, [Reason("records with a NaN or infinity", spoilt, math.log(LEAST))], similar)
    return Chance(float(model.probabilities(row[None], names)[0]), source, reasons, similar)
