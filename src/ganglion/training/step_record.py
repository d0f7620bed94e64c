"""What a record holds of the steps since the last one, and how a run ends whose numbers are no longer finite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ganglion.errors import TrainingFailed
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.collectives import Collectives
from ganglion.training.players import Players
from ganglion.training.running_stats import RunningStats
from ganglion.vitals.records import Record

__all__ = ["non_finite_anywhere", "raise_if_non_finite", "record_of"]


def record_of(
    measured: dict[str, Any], progress: TrainingProgress, last: tuple[int, float], fraction: float, scale: float,
    recipe: Recipe, players: Players,
) -> Record:  # fmt: skip
    images, seconds = progress.images - last[0], progress.seconds - last[1]
    if "non_finite" not in measured and (bad := _first_non_finite(players.state())):
        measured["non_finite"] = {"step": progress.step, "tensor": bad}
    return {
        "step": progress.step,
        "kimg": progress.images / 1000,
        "seconds": round(progress.seconds, 3),
        "images_per_sec": round(images / max(seconds, 1e-9), 2),
        "eta_sec": round(progress.seconds * (1 / fraction - 1), 1),
        "lr_g": recipe.optimizer.generator.lr * scale,
        "lr_d": recipe.optimizer.discriminator.lr * scale,
        **measured,
        **_of_this_recipe(measured, recipe, players.running_stats),
    }


def _of_this_recipe(measured: dict[str, Any], recipe: Recipe, running: RunningStats) -> Record:
    """What only some recipes have: a critic's estimate of the earth mover's distance, the strength of augmentation."""
    special: Record = {}
    if recipe.objective.traits.critic and "logit_real" in measured and "logit_fake" in measured:
        special["earth_mover"] = measured["logit_real"] - measured["logit_fake"]  # times D's Lipschitz constant
    if recipe.augment.kind == "ada":
        special["augment_strength"] = round(float(running.strength), 6)
    return special


def non_finite_anywhere(together: Collectives, record: Record) -> Record:
    """What is not finite in any of the processes, so that all of them end at the same step with the same words."""
    bad = together.first_of(record.get("non_finite"))
    return {} if bad is None else {"non_finite": bad}


def raise_if_non_finite(record: Record) -> None:
    """Raises TrainingFailed, with nothing saved over."""
    if bad := record.get("non_finite"):
        raise TrainingFailed(
            f"numbers stopped being finite at step {bad['step']:,}: first the {bad['tensor']}; the checkpoints before it "
            "are intact. Try lower learning rates: --set optimizer.generator.lr=... --set optimizer.discriminator.lr=..."
        )


def _first_non_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    named = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    finite = torch.stack([tensor.isfinite().all() for _, tensor in named]).tolist()  # one transfer
    return next((name for (name, _), good in zip(named, finite, strict=True) if not good), None)
