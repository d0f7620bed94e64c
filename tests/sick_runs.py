"""Runs on a few small images that are really sick, and what of a treated run must not depend on whether it was cut short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import ganglion
from ganglion.recipe.resolve import resolve
from ganglion.training.train import train
from tiny import TINY

__all__ = ["D_WINS_STEPS", "MINE", "SICK", "d_wins", "outcome", "pictures", "tiny_treated", "weights"]

SICK: dict[str, object] = {"optimizer.discriminator.lr": 1e20}
"""NaN at once; what the first remedy makes of it trains on."""


MINE = resolve("dcgan").model_copy(update={"name": "mine"})
"""A recipe of one's own, so that there are no values of a preset to go back to."""


def pictures(count: int = 48) -> np.ndarray:
    """Discs of several sizes, gray, 16x16."""
    y, x = np.mgrid[:16, :16] - 7.5
    sizes = np.linspace(2, 7, count)[:, None, None]
    return np.where(x**2 + y**2 < sizes**2, 230, 20).astype(np.uint8)


def tiny_treated(run: Path, cache: Path, settings: dict[str, object] = SICK, **asked: Any) -> ganglion.Run:
    options: dict[str, Any] = {
        "recipe": "dcgan", "size": 16, "steps": 40, "precision": "32", "device": "cpu", "threads": 1, "treat": True,
        "set": TINY | settings, "quiet": True, "source": pictures(),
    }  # fmt: skip
    return train(run=run, cache=cache, **options | asked)


def weights(run: Path) -> dict[str, bytes]:
    folder = ganglion.Run(run).checkpoint("latest")
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.safetensors"))}


def outcome(run: Path) -> dict[str, Any]:
    """All that must not depend on whether a run was cut short; not its times."""
    lines = [json.loads(line) for line in (run / "treatments.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line.pop("seconds", None)
        line.get("recipe", {}).get("training", {}).pop("start_from", None)
    exact = ("step", "kimg", "loss_d", "loss_g", "frechet")
    records = [[record.get(key) for key in exact] for record in ganglion.Run(run).records()]
    kept = {
        one.name: [[record.get(key) for key in exact] for record in ganglion.Run(one).records()]
        for one in (run / "attempts").iterdir()
    }
    return {"weights": weights(run), "treatments": lines, "records": records, "attempts": kept}


D_WINS: dict[str, object] = {
    "training.batch": 32, "discriminator.width": 8, "discriminator.norm": "none", "optimizer.discriminator.lr": 0.002,
    "optimizer.generator.lr": 6e-6, "training.tick_kimg": 0.4, "training.snapshot_kimg": 2.4,
}  # fmt: skip
"""D learns three hundred times as fast as G."""


D_WINS_STEPS = 700


def d_wins(run: Path, cache: Path, **asked: Any) -> ganglion.Run:
    digits = (load_digits().images[:300] * 15).astype(np.uint8)
    return tiny_treated(run, cache, D_WINS, source=digits, recipe=MINE, **{"steps": D_WINS_STEPS} | asked)
