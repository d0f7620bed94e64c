"""Whether what a log prints of D on reals and on fakes are probabilities, logits, or the two halves of D's loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["kind_of_opinion"]


Floats = NDArray[np.float64]
CLOSE = 0.03
"""Relative deviation of a printed sum from the sum of printed numbers."""


def kind_of_opinion(
    kind: str, real: Floats | None, fake: Floats | None, loss_d: Floats | None, halves_known: bool, terms: bool
) -> tuple[str, str]:
    """`probability`, `logit`, `loss`, or an empty text where it cannot be told; and why, where that is worth saying.

    `kind` is what the name says: logit, probability, score, opinion (`D(x)`) or nothing. `real`, `fake`, `loss_d` (T,).
    `halves_known`: other columns are the halves of D's loss. `terms`: G's loss is printed in terms, as in image translation.
    """
    real, fake = _with_values(real), _with_values(fake)
    values = np.concatenate([np.zeros(0), *(v[np.isfinite(v)] for v in (real, fake) if v is not None)])
    if not len(values):
        return ("", "it has no finite value")
    if kind == "logit":
        return ("logit", "")
    if kind == "probability" and values.max() > 1.5 and values.max() <= 100 and values.min() >= 0:
        return ("probability", "read as percentages")
    inside = bool(values.min() >= 0 and values.max() <= 1)
    if kind in ("probability", "score", "opinion"):
        if inside:
            return ("probability", "")
        return ("logit", "taken for logits: they leave [0, 1]")
    return _unnamed(real, fake, loss_d, halves_known, terms, inside, bool(values.min() < 0))


def _with_values(series: Floats | None) -> Floats | None:
    return series if series is not None and np.isfinite(series).any() else None


def _unnamed(
    real: Floats | None, fake: Floats | None, loss_d: Floats | None, halves_known: bool, terms: bool, inside: bool,
    negative: bool,
) -> tuple[str, str]:  # fmt: skip
    """The same for `D_real` and `D_fake`, whose names leave it open."""
    if halves_known:
        return ("probability" if inside else "logit", "")
    if real is not None and fake is not None and loss_d is not None and (found := _by_loss(real, fake, loss_d, inside)):
        return found
    if negative:
        return ("logit", "taken for logits: they leave [0, 1]")
    if terms:
        return ("loss", "taken for the halves of D's loss, as beside the terms of G's loss")
    if real is None or fake is None:
        return (
            "",
            "it may be a probability, a logit or a loss; --map d_real=NAME, logit_real=NAME or loss_d_real=NAME says which",
        )
    r, f = float(np.nanmedian(real)), float(np.nanmedian(fake))
    if inside and r > f + 0.1 and (r > 0.6 or r + f > 0.8):
        return ("probability", "taken for probabilities: D(real) is above D(fake), both in [0, 1]")
    if inside and max(r, f) < 0.5 and loss_d is None:
        return ("loss", "taken for the halves of D's loss: both are small")
    return (
        "",
        "they may be probabilities, logits or losses; --map d_real=NAME, logit_real=NAME or loss_d_real=NAME says which",
    )


def _by_loss(real: Floats, fake: Floats, loss_d: Floats, inside: bool) -> tuple[str, str] | None:
    """What D's loss says of the two, where it fits one reading of them."""
    if any(_close(loss_d, part) for part in (real + fake, (real + fake) / 2)):
        return ("loss", "taken for the halves of D's loss, which is their sum or mean")
    if inside and _close(loss_d, _logistic(real, fake), 0.35):
        return ("probability", "taken for probabilities: D's loss fits them")
    if _close(loss_d, fake - real):
        return ("logit", "taken for D's outputs, whose difference is D's loss")
    return None


def _close(a: Floats, b: Floats, share: float = CLOSE) -> bool:
    """Whether two series agree, at the precision with which logs print."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 1:
        return False
    away = np.abs(a[both] - b[both])
    return bool(np.median(away) <= share * max(float(np.median(np.abs(a[both]))), 1e-9) + 0.002)


def _logistic(real: Floats, fake: Floats) -> Floats:
    """-ln D(real) - ln(1 - D(fake)) of mean probabilities, the smallest logistic loss that goes with them."""
    real, fake = np.clip(real, 1e-6, 1 - 1e-6), np.clip(fake, 1e-6, 1 - 1e-6)
    return np.asarray(-np.log(real) - np.log1p(-fake))
