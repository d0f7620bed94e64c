"""Which adversarial loss a log probably shows, from names, signs and sizes. Conclusions from losses alone depend on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Objective", "objective_of"]


Floats = NDArray[np.float64]
WORDS = {
    "wasserstein": r"wasserstein|wgan|gradient.?penalty|\bgp\b|critic|earth.?mover|em.?dist",
    "relativistic": r"relativistic|ra_?gan|rel_avg|r3gan",
    "hinge": r"hinge",
    "least-squares": r"ls_?gan|least.?squares",
    "logistic": r"\bbce|logistic|non.?saturating|softplus|vanilla|minimax",
}


class Objective(NamedTuple):
    name: str
    """logistic, wasserstein, hinge, relativistic, least-squares, `margin` for one of hinge and relativistic; or unknown."""
    confidence: float
    """0 to 1; an estimate, not calibrated."""
    why: str


def objective_of(values: Mapping[str, Floats], words: Iterable[str]) -> Objective:
    """`values`: series (T,) by our keys. `words`: names of columns, and what the log says of its settings."""
    text = " ".join(words).lower()
    for name in ("relativistic", "hinge", "least-squares"):
        if re.search(WORDS[name], text):
            return Objective(name, 0.9, "the log names it")
    d, g = (_both(values, "loss_d"), _both(values, "loss_g"))
    if "earth_mover" in values or "loss_d_wgan_gp" in values or re.search(WORDS["wasserstein"], text):
        certain = len(d) and (d < 0).mean() > 0.2
        return Objective(
            "wasserstein", 0.95 if certain else 0.8, "the log names it, or prints its gradient penalty or distance"
        )
    if len(d) and (d < -1e-9).mean() > 0.05:
        return Objective("wasserstein", 0.85, "D's loss falls below 0")
    if (fit := _from_probabilities(values)) is not None:
        return fit
    if len(g) and (g < -1e-9).mean() > 0.02:
        return Objective("hinge", 0.7, "G's loss falls below 0, D's does not")
    if not len(d) or not len(g):
        return Objective("unknown", 0.0, "one of the two losses is not in the log")
    return _from_losses(values["loss_d"], values["loss_g"], bool(re.search(WORDS["logistic"], text)))


def _both(values: Mapping[str, Floats], key: str) -> Floats:
    found = values.get(key, np.zeros(0))
    return np.asarray(found[np.isfinite(found)])


def _from_probabilities(values: Mapping[str, Floats]) -> Objective | None:
    if not {"d_real", "d_fake", "loss_d"} <= values.keys():
        return None
    real, fake, d = (values[key] for key in ("d_real", "d_fake", "loss_d"))
    both = np.isfinite(real) & np.isfinite(fake) & np.isfinite(d)
    if not both.any():
        return None
    r, f = np.clip(real[both], 1e-6, 1 - 1e-6), np.clip(fake[both], 1e-6, 1 - 1e-6)
    logistic, squares = -np.log(r) - np.log1p(-f), (1 - r) ** 2 + f**2
    away = {
        name: min(float(np.median(np.abs(d[both] - share * loss) / (np.abs(loss) + 0.1))) for share in (1, 0.5))
        for name, loss in (("logistic", logistic), ("least-squares", squares))
    }
    best = min(away, key=lambda name: away[name])
    if away[best] < 0.5:
        return Objective(best, 0.9 if away[best] < 0.25 else 0.7, "D's loss fits its probabilities")
    return Objective("logistic", 0.6, "D's output is a probability")


def _from_losses(loss_d: Floats, loss_g: Floats, said: bool) -> Objective:
    """Mean losses of -ln D obey loss_d >= -ln(1 - exp(-loss_g)), by Jensen's inequality, or half of it where D's is a mean."""
    both = np.isfinite(loss_d) & np.isfinite(loss_g)
    d, g = loss_d[both], loss_g[both]
    if not len(d):
        return Objective("unknown", 0.0, "the two losses are never in one record")
    bound = -np.log(-np.expm1(-np.clip(g, 1e-9, None)))
    below = (d < 0.4 * bound - 0.002).mean()
    zeros = (d <= 1e-9).mean()
    if said and below < 0.3:
        return Objective("logistic", 0.9, "the log names it")
    early = slice(0, max(1, len(d) // 10))
    starts = 0.55 < np.median(d[early]) < 1.7 and 0.3 < np.median(g[early]) < 3
    if zeros > 0.1 and below < 0.5 and not starts:
        return Objective("margin", 0.6, "D's loss is exactly 0 in many records, as with a hinge or relativistic loss")
    if below > 0.3:
        if g.max() < 1.6 and d.max() < 1.6:
            return Objective("least-squares", 0.7, "both losses are too small for a logistic loss")
        return Objective("margin", 0.6, "the two losses do not fit a logistic loss")
    if starts or np.any((d > 1.05 * bound) & (g < 3)):
        return Objective("logistic", 0.75, "the losses fit each other and start where a logistic loss does")
    return Objective("logistic", 0.6, "the losses fit each other as those of a logistic loss do")
