"""Overrides that make a run of a second or two: 16x16 pixels, a tick every 5 steps, a snapshot every 10."""

from __future__ import annotations

__all__ = ["TINY", "as_options"]

TINY = {
    "generator.width": 4,
    "discriminator.width": 4,
    "latent.dim": 8,
    "training.batch": 8,
    "training.tick_kimg": 0.04,
    "training.snapshot_kimg": 0.08,
}


def as_options(settings: dict[str, object]) -> list[str]:
    """The same for a command line."""
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
