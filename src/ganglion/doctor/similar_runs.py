"""The runs of the clinic's population that look most like a run, and how they ended.

Likeness is closeness of what each feature comes to in the probability of a good end (doctor/probability.py), so that features
count for as much as they tell.
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIMILAR", "Neighbours", "SimilarRun", "neighbours", "population"]

SIMILAR, COUNTED = 3, 10


class SimilarRun(NamedTuple):
    """A run of the population."""

    id: str
    program: str
    data: str
    change: str
    """What was done to it, in words; empty where nothing was."""
    well: bool
    """Whether it ended well."""

    def text(self) -> str:
        done = f", {self.change}" if self.change else ""
        return f"{self.program} on {self.data}{done}: ended {'well' if self.well else 'badly'}"

    @property
    def picture(self) -> str:
        """Eight of its samples in a row, as a data URI."""
        with _resource("similar_runs.zip").open("rb") as file, ZipFile(file) as archive:
            return f"data:image/webp;base64,{b64encode(archive.read(f'{self.id}.webp')).decode()}"


class Neighbours(NamedTuple):
    """The nearest runs of the population, nearest first."""

    nearest: list[SimilarRun]
    """SIMILAR of them."""
    well: int
    """How many of the `counted` nearest ended well."""
    counted: int


class Population(NamedTuple):
    runs: list[SimilarRun]
    features: dict[str, NDArray[np.float64]]
    """By what they are read from, vitals or losses: (N, F)."""


@cache
def population() -> Population:
    """All runs with which others are compared."""
    tree: dict[str, Any] = json.loads(_resource("similar_runs.json").read_text(encoding="utf-8"))
    runs = [SimilarRun(**one) for one in tree["runs"]]
    features = {source: np.array(rows, np.float64) for source, rows in tree["features"].items()}  # null becomes NaN
    return Population(runs, features)


def neighbours(effects: NDArray[np.float64], known: NDArray[np.float64]) -> Neighbours:
    """Of a run's effects (F,) among those of the population (N, F)."""
    runs = population().runs
    order = np.argsort(np.abs(known - effects).sum(1), kind="stable")
    counted = order[:COUNTED]
    return Neighbours(
        [runs[place] for place in order[:SIMILAR]], sum(runs[place].well for place in counted), len(counted)
    )


def _resource(name: str) -> Any:
    return files("ganglion.doctor").joinpath(name)
