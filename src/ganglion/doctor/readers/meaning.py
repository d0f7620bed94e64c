"""What the columns of a log mean for a GAN: which is D's loss, which G's adversarial loss among its other terms, which are
probabilities and which logits. Names propose; values and neighbours decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.grouping import Roles
from ganglion.doctor.readers.names import COUNTER_KINDS, Name
from ganglion.doctor.readers.opinions import kind_of_opinion

__all__ = ["KEYS", "Meaning", "Series", "meanings"]


Series = Mapping[int, NDArray[np.float64]]
"""By column its values (T,) over the records; NaN where a record lacks one."""

KEYS = {
    "loss_d": "loss of D", "loss_g": "adversarial loss of G", "loss_g_total": "loss of G with all its terms",
    "loss_d_real": "loss of D on reals", "loss_d_fake": "loss of D on fakes", "d_real": "probability D(real)",
    "d_fake": "probability D(fake)", "logit_real": "logit of D on reals", "logit_fake": "logit of D on fakes",
    "logit_real_std": "deviation of D's logits on reals", "logit_fake_std": "deviation of D's logits on fakes",
    "accuracy_d": "accuracy of D", "accuracy_real": "accuracy of D on reals", "accuracy_fake": "accuracy of D on fakes",
    "sign_real": "mean sign of D's logits on reals", "sign_fake": "mean sign of D's logits on fakes",
    "loss_d_wgan_gp": "gradient penalty", "loss_d_r1": "R1 penalty", "loss_d_r2": "R2 penalty",
    "earth_mover": "Wasserstein distance", "grad_g": "gradient norm of G", "grad_d": "gradient norm of D",
    "lr_g": "learning rate of G", "lr_d": "learning rate of D", "lr": "learning rate", "fid": "FID", "kid": "KID",
    "inception": "Inception score", "precision": "precision", "recall": "recall",
}  # fmt: skip
"""Keys of records in words. Other terms of losses have keys such as `loss_g_cycle`."""

OF_D = {
    "gp": "loss_d_wgan_gp",
    "r1": "loss_d_r1",
    "r2": "loss_d_r2",
    "drift": "loss_d_drift",
    "penalty": "loss_d_penalty",
}
OF_G = {"l1", "l2", "pixel", "reconstruction", "cycle", "identity", "perceptual", "style", "tv", "mel", "fm", "pl", "diversity",
        "duration", "edge"}  # fmt: skip
TOWARDS_A_TARGET = {"l1", "l2", "pixel", "reconstruction", "cycle", "identity", "perceptual", "style", "mel", "fm"}
"""Terms that are usually larger than the adversarial one, so that a sum with them says nothing of D."""
SCORES = {"fid", "kid", "inception", "precision", "recall"}
UNUSED_STATISTICS = {"min", "max", "target", "weight", "count", "size"}


@dataclass
class Meaning:
    """Columns by the key of our records."""

    keys: dict[str, int] = field(default_factory=dict)
    scale: dict[int, float] = field(default_factory=dict)
    """Factors, such as 0.01 of percentages."""
    sums: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Keys that are sums of columns."""
    notes: list[str] = field(default_factory=list)
    unsure: dict[int, str] = field(default_factory=dict)
    """Columns that may be one thing or another, and are therefore not used: why."""
    pair: str = ""


def meanings(rows: Rows, roles: Roles, series: Series, given: Mapping[int, str]) -> list[Meaning]:
    """One, or two for a log of two pairs of networks. `given`: the user's keys for columns."""
    names = {i: roles.names[i] for i in roles.measured | given.keys() if i in series}
    pairs = {name.pair for name in names.values() if name.player == "d" and name.pair and name.kind in ("", "loss")}
    labels = sorted(pairs) if len(pairs) > 1 else [""]
    found = []
    for label in labels:
        own = {i: name for i, name in names.items() if not label or name.pair in ("", label) or i in given}
        found.append(_meaning(rows, own, series, given, label))
    return [meaning for meaning in found if meaning.keys] or found[:1]


def _meaning(rows: Rows, names: Mapping[int, Name], series: Series, given: Mapping[int, str], pair: str) -> Meaning:
    meaning = Meaning(pair=pair)
    for column, key in given.items():
        if key not in COUNTER_KINDS and column in series:
            meaning.keys[key] = column
    free = {i: name for i, name in _of_one_run(rows, names, meaning).items() if i not in given}
    free = {i: name for i, name in free.items() if rows.columns[i].place.part == 0}
    ordered = sorted(free, key=lambda i: _priority(free[i], i))
    proposals = {i: _proposal(free[i]) for i in ordered}
    for i in ordered:
        key = proposals[i]
        if key and not key.startswith(("opinion", "loss_g")):
            meaning.keys.setdefault(key, i)
    _halves(rows, ordered, free, series, meaning)
    _loss_of_g(rows, ordered, proposals, series, meaning)
    _loss_of_d(rows, series, meaning)
    _percent(rows, series, meaning)
    _further_values(rows, names, meaning)
    return meaning


def _priority(name: Name, column: int) -> tuple[int, int]:
    """Values of the training before validations, single values before means of many."""
    return (4 * (name.split == "val") + 2 * (name.statistic in ("mean",)) + 3 * (name.statistic == "best"), column)


def _proposal(name: Name) -> str:
    """A key by the name alone: `opinion_real` for what D says of reals, which may be a probability, a logit or a loss."""
    if name.statistic in UNUSED_STATISTICS or (name.split == "val" and name.kind not in SCORES):
        return ""
    if name.statistic == "std":
        return f"logit_{name.side}_std" if name.kind in ("score", "logit") and name.side else ""
    if name.kind in SCORES:
        return name.kind
    if name.kind in ("sign", "accuracy"):
        return (
            f"{name.kind}_{name.side or 'd'}" if name.player != "g" and (name.side or name.kind == "accuracy") else ""
        )
    if name.kind in ("grad", "lr"):
        return f"{name.kind}_{name.player}" if name.player else ("lr" if name.kind == "lr" else "")
    if name.kind == "distance":
        return "earth_mover"
    if name.kind in ("opinion", "score", "logit", "probability"):
        return f"opinion_{name.side}" if name.side and name.player != "g" else ""
    return _loss_key(name)


def _loss_key(name: Name) -> str:
    player, term = name.player, name.term
    if term in OF_D and player != "g":
        return OF_D[term]
    if not player:
        if term == "adversarial":
            return "loss_g_adversarial"
        if term in OF_G:
            return f"loss_g_{term}"
        if name.side and not term:
            return f"loss_d_{name.side}" if name.kind == "loss" else f"opinion_{name.side}"
        return f"loss_{term}" if term and term != "total" else ""
    if player == "g":
        return f"loss_g_{term or ('adversarial' if name.side == 'fake' else name.side) or 'plain'}"
    if name.side:
        if term and term != "adversarial":
            return f"loss_d_{term}_{name.side}"
        return f"loss_d_{name.side}" if name.kind == "loss" else f"opinion_{name.side}"
    return f"loss_d_{term}" if term else "loss_d"


def _halves(
    rows: Rows, ordered: Sequence[int], names: Mapping[int, Name], series: Series, meaning: Meaning
) -> None:  # fmt: skip
    """What is printed of D on reals and on fakes: probabilities, logits or halves of its loss."""
    sides = {side: [i for i in ordered if _proposal(names[i]) == f"opinion_{side}"] for side in ("real", "fake")}
    loss_d = next(
        (series[meaning.keys[key]] for key in ("loss_d", "loss_d_total", "loss_d_adversarial") if key in meaning.keys),
        None,
    )
    terms = any(name.term in OF_G | {"adversarial"} and name.kind in ("", "loss") for name in names.values())
    for kind in ("logit", "probability", "score", "opinion", ""):
        columns = {side: next((i for i in sides[side] if names[i].kind == kind), None) for side in sides}
        real, fake = columns["real"], columns["fake"]
        if real is None and fake is None:
            continue
        values = [series[i] if i is not None else None for i in (real, fake)]
        halves_known = "loss_d_real" in meaning.keys or "loss_d_fake" in meaning.keys
        decided, why = kind_of_opinion(kind, values[0], values[1], loss_d, halves_known, terms)
        for side, i in columns.items():
            if i is None:
                continue
            if not decided:
                meaning.unsure[i] = why
            else:
                key = {"probability": f"d_{side}", "logit": f"logit_{side}", "loss": f"loss_d_{side}"}[decided]
                meaning.keys.setdefault(key, i)
        if why and decided:
            label = " and ".join(rows.columns[i].place.label for i in columns.values() if i is not None)
            meaning.notes.append(f"{label}: {why}")


def _loss_of_g(
    rows: Rows, ordered: Sequence[int], proposals: Mapping[int, str], series: Series, meaning: Meaning
) -> None:
    """G's adversarial loss, and the others of its terms."""
    of: dict[str, int] = {}
    for i in ordered:
        if proposals[i].startswith("loss_g"):
            of.setdefault(proposals[i].removeprefix("loss_g_"), i)
    adversarial, plain, total = of.pop("adversarial", None), of.pop("plain", None), of.pop("total", None)
    for term, i in of.items():
        meaning.keys.setdefault(f"loss_g_{term}", i)
    if "loss_g" in meaning.keys:
        return
    terms = [of[term] for term in of.keys() & TOWARDS_A_TARGET]
    whole = total if total is not None else plain
    if adversarial is None and plain is not None and not (total is None and _is_total(series, plain, terms)):
        adversarial = plain
    elif adversarial is None and whole is not None and not terms:
        adversarial = whole
    elif adversarial is None and whole is not None:
        label = rows.columns[whole].place.label
        meaning.notes.append(f"{label} seems to be the sum of G's terms; its adversarial term alone is not in the log")
    if adversarial is not None:
        meaning.keys["loss_g"] = adversarial
    if whole is not None and whole != adversarial:
        meaning.keys.setdefault("loss_g_total", whole)


def _is_total(series: Series, plain: int, terms: Sequence[int]) -> bool:
    """Whether a loss of G is larger than each of its other terms, as a sum of them is."""
    if not terms:
        return False
    value, parts = series[plain], np.stack([series[i] for i in terms])
    both = np.isfinite(value) & np.isfinite(parts).all(0)
    return bool(both.any() and np.mean(value[both] >= parts[:, both].sum(0)) > 0.95 and (parts[:, both] >= 0).all())


def _loss_of_d(rows: Rows, series: Series, meaning: Meaning) -> None:
    """D's loss where only its parts are printed."""
    if "loss_d" in meaning.keys:
        return
    for key in ("loss_d_adversarial", "loss_d_total"):
        if key in meaning.keys:
            meaning.keys["loss_d"] = meaning.keys.pop(key)
            return
    real, fake = meaning.keys.get("loss_d_real"), meaning.keys.get("loss_d_fake")
    if real is not None and fake is not None:
        meaning.sums["loss_d"] = (real, fake)
        meaning.notes.append(
            f"loss_d is {rows.columns[real].place.label} + {rows.columns[fake].place.label}: the log has no sum of them"
        )


def _percent(rows: Rows, series: Series, meaning: Meaning) -> None:
    """Accuracies and probabilities between 0 and 1."""
    for key in ("accuracy_d", "accuracy_real", "accuracy_fake", "d_real", "d_fake"):
        column = meaning.keys.get(key)
        if column is not None and (rows.columns[column].unit == "%" or np.nanmax(series[column], initial=0) > 1.5):
            meaning.scale[column] = 0.01


def _of_one_run(rows: Rows, names: Mapping[int, Name], meaning: Meaning) -> dict[int, Name]:
    """Of runs side by side, as W&B exports them (`run-1 - d_loss`, `run-2 - d_loss`), the columns of the first."""
    run_of = {i: label.split(" - ")[0] for i in names if " - " in (label := rows.columns[i].place.label)}
    runs = list(dict.fromkeys(run_of.values()))
    if len(runs) < 2:
        return dict(names)
    meaning.notes.append(
        f"the table holds {len(runs)} runs side by side ({', '.join(runs)}): {runs[0]} was taken; "
        "--map d_loss=NAME,g_loss=NAME takes another"
    )
    return {i: name for i, name in names.items() if run_of.get(i, runs[0]) == runs[0]}


def _further_values(rows: Rows, names: Mapping[int, Name], meaning: Meaning) -> None:
    used = {rows.columns[i].place.label: i for i in meaning.keys.values()}
    for label, i in used.items():
        place = rows.columns[i].place
        if rows.find(place._replace(part=1)) is not None and names.get(i) and names[i].kind in ("", "loss"):
            meaning.notes.append(f"{label} has several values in a line: the first was taken")
