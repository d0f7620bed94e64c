"""How well it was known beforehand, and after a tenth of a run, what a folder comes to. Used by benchmarks/folders.py."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ganglion
from ganglion.doctor.examine import examine
from ganglion.recipe.measured import MeasuredRun, expectations, similar

__all__ = ["after_a_tenth", "foretold"]

QUARTILES = (0.25, 0.5, 0.75)
LEAST = 0.02  # relative distances below it are as good as 0


def after_a_tenth(run: ganglion.Run) -> float | None:
    """The doctor's chance of a good end after a tenth of the images shown, or at the first record after it that has one."""
    records = run.records()
    count = sum(record["kimg"] <= records[-1]["kimg"] / 10 for record in records)
    chances = (examine(records[:n]).chance for n in range(count, len(records) + 1))
    return next((chance.probability for chance in chances if chance), None)


def foretold(results: list[dict[str, Any]], rows: list[MeasuredRun]) -> str:
    """Brier scores of forecasts of which folders converge, and how far off the outlook was; each knows the other folders only.

    `rows`: relative distances along the runs of `results`.
    """
    hits = np.array([result["converged"] for result in results])
    others = (hits.sum() - hits) / (len(hits) - 1)
    kin = np.array([_share_of_similar(result, results) for result in results])
    chances = np.array([result["chance"] for result in results], float)
    known = ~np.isnan(chances)
    scores = [
        f"{_brier(others, hits):.2f} (the share of the other folders)",
        f"{_brier(kin, hits):.2f} (of those alike in number and size, which is what can be known before a training)",
        f"{_brier(chances[known], hits[known]):.2f} (the chance of a good end after a tenth of the run)",
    ]
    return f"Brier scores as forecasts of what converges: {', '.join(scores)}. {_outlook(results, rows)}"


def _brier(probabilities: NDArray[np.float64], hits: NDArray[np.bool_]) -> float:
    return float(np.square(probabilities - hits).mean())


def _share_of_similar(result: dict[str, Any], results: list[dict[str, Any]]) -> float:
    """Of the others, by Laplace's rule of succession."""
    hits = [other["converged"] for other in results if other is not result and similar(_kind(other), _kind(result))]
    return (sum(hits) + 1) / (len(hits) + 2)


def _kind(result: dict[str, Any]) -> tuple[int, int]:
    """(images, side)"""
    return result["images"], min(result["size"][:2])


def _outlook(results: list[dict[str, Any]], rows: list[MeasuredRun]) -> str:
    """What `ganglion check` says by the other folders, against the relative distance that the run ends with."""
    factors: list[float] = []
    for result in results:
        last = max((row for row in rows if row.what == result["name"]), key=lambda row: row.kimg)
        theirs = [row for row in rows if row.what != result["name"]]
        found = expectations(result["recipe"], result["images"], last.side, result["kimg"], theirs)
        distances = [one.relative_distance for one in found if one.relative_distance is not None]
        if distances and last.relative_distance is not None:
            factors.append(
                float(np.exp(abs(np.log(max(median(distances), LEAST) / max(last.relative_distance, LEAST)))))
            )
    low, middle, high = (float(np.quantile(factors, share)) for share in QUARTILES) if factors else (np.nan,) * 3
    return (
        f"The relative distance that check expects by similar folders is off by a factor of {middle:.1f} in the median "
        f"({low:.1f} to {high:.1f} in the middle half)."
    )
