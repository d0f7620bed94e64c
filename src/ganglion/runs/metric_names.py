"""Under which name and in which group TensorBoard and trackers show the numbers of a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["NOT_PLOTTED", "metric_name", "scalars"]

GROUPS = {
    "loss": "loss", "logit": "discriminator", "logits": "discriminator", "d": "discriminator", "accuracy": "discriminator",
    "separation": "discriminator", "held": "discriminator", "earth": "discriminator", "lr": "rates", "images": "speed",
    "seconds": "speed", "other": "speed", "grad": "gradients", "update": "gradients", "first": "gradients", "weight": "weights",
    "clip": "weights", "dead": "weights", "parameters": "weights", "layers": "layers",
    "kimg": "speed", "augment": "discriminator",
}  # fmt: skip
"""The group by the first word of a key; other keys are in the group `samples`."""

NOT_PLOTTED = ("step", "eta_sec", "non_finite", "range_real", "range_fake")


def metric_name(key: str) -> str:
    """GROUP/KEY, such as `loss/loss_d`."""
    return f"{GROUPS.get(key.partition('_')[0], 'samples')}/{key}"


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """The single numbers of a record by their metric name; histograms and layers are left out."""
    return {
        metric_name(key): float(value)
        for key, value in record.items()
        if key not in NOT_PLOTTED and isinstance(value, int | float) and not isinstance(value, bool)
    }
