"""Names that other trainers use for the keys of our records, and rows of a log as records with increasing steps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ganglion.doctor.numbers import number_of, read_number
from ganglion.vitals.records import is_step

__all__ = ["ALIASES", "MOST_RECORDS", "in_order", "key_of", "record_of", "with_separation"]


ALIASES: dict[str, tuple[str, ...]] = {
    key: tuple(words.split())
    for key, words in {
        "step": "step global_step steps iter iters iteration iterations n_iter it batch_idx cur_nimg",
        "epoch": "epoch epochs progress_epoch",
        "kimg": "kimg progress_kimg nkimg",
        "loss_d": """
            loss_d d_loss lossd dloss errd err_d d_err loss_dis dis_loss loss_disc disc_loss discriminator_loss
            loss_discriminator loss_critic critic_loss c_loss d_total_loss d_loss_total loss_d_loss loss_d_total
            netd_loss loss_netd total_d_loss train_d_loss train_loss_d
        """,
        "loss_g": """
            loss_g g_loss lossg gloss errg err_g g_err loss_gen gen_loss generator_loss loss_generator
            g_total_loss g_loss_total loss_g_loss loss_g_total netg_loss loss_netg adv_loss_g total_g_loss
            train_g_loss train_loss_g
        """,
        "d_real": "d_x dx d_real real_prob prob_real p_real d_x_real d_real_prob real_score",
        "d_fake": "d_g_z dgz d_fake fake_prob prob_fake p_fake d_g_z1 d_g_z_1 d_fake_prob fake_score",
        "logit_real": "logit_real real_logit real_logits logits_real scores_real loss_scores_real d_logits_real",
        "logit_fake": "logit_fake fake_logit fake_logits logits_fake scores_fake loss_scores_fake d_logits_fake",
        "sign_real": "loss_signs_real signs_real",
        "sign_fake": "loss_signs_fake signs_fake",
        "accuracy_real": "accuracy_real acc_real real_acc d_acc_real real_accuracy",
        "accuracy_fake": "accuracy_fake acc_fake fake_acc d_acc_fake fake_accuracy",
        "loss_d_r1": "r1 r1_penalty loss_r1 loss_r1_penalty r1_loss loss_d_reg d_reg r1_reg",
        "loss_d_wgan_gp": "gp gradient_penalty grad_penalty loss_gp gp_loss d_gp loss_d_wgan_gp",
        "earth_mover": "wasserstein wasserstein_distance w_dist wdist em_distance earth_mover wasserstein_d w_distance",
        "grad_g": "grad_norm_g g_grad_norm grad_g gradnorm_g generator_grad_norm",
        "grad_d": "grad_norm_d d_grad_norm grad_d gradnorm_d discriminator_grad_norm",
        "lr_g": "lr_g g_lr generator_lr learning_rate_g",
        "lr_d": "lr_d d_lr discriminator_lr learning_rate_d",
        "fid": "fid fid50k fid50k_full metrics_fid fid_score metrics_fid50k_full best_fid frechet_inception_distance",
    }.items()
}
"""Other names by our key, in lower case, with one underscore for everything between words."""

PROGRESS = {"step", "epoch", "kimg", "lr_g", "lr_d"}
SCORES = {"fid"}
"""NaN here usually means that the score was not computed."""

KEYS = {alias: key for key, aliases in ALIASES.items() for alias in aliases}

LOSSES = {"loss_d": "loss of the discriminator", "loss_g": "loss of the generator"}

SURROUNDINGS = (
    "train",
    "training",
    "val",
    "loss",
    "losses",
    "metrics",
    "metric",
    "stats",
    "gan",
    "model",
    "scalars",
    "scalar",
)
"""Prefixes that are ignored."""


def key_of(name: str) -> str:
    """Our key for a name; the normalised name itself where there is none."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    words = plain.split("_")
    candidates = [plain]
    while len(words) > 1 and words[0] in SURROUNDINGS:
        words = words[1:]
        candidates.append("_".join(words))
    return next((KEYS[candidate] for candidate in candidates if candidate in KEYS), plain)


def record_of(values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Numbers by our keys. A value that is not finite becomes `non_finite`. Empty for an invalid step, such as -1 or NaN."""
    found: dict[str, Any] = {}
    for name, value in values.items() if isinstance(values, Mapping) else values:
        number, key = number_of(value), key_of(name)
        if key == "step" and (step := read_number(value)) is not None and not 0 <= step < 2**63:
            return {}
        if number is None or key == "non_finite":  # set below only
            continue
        if math.isfinite(number):
            found.setdefault(key, number)
        elif key in ALIASES.keys() - PROGRESS - SCORES or "loss" in key:
            found.setdefault(
                "non_finite",
                {"tensor": LOSSES.get(key, name)},
            )
    return found


def with_separation(record: dict[str, Any]) -> dict[str, Any]:
    """Adds derived values: accuracies from mean signs, and the AUC of two normal distributions of logits."""
    for side, right in (("real", 1), ("fake", -1)):
        if (sign := record.pop(f"sign_{side}", None)) is not None:
            record.setdefault(f"accuracy_{side}", (1 + right * sign) / 2)
    needed = ("logit_real", "logit_fake", "logit_real_std", "logit_fake_std")
    if "separation" not in record and all(key in record for key in needed):
        real, fake, real_std, fake_std = (float(record[key]) for key in needed)
        spread = math.hypot(real_std, fake_std)
        record["separation"] = 0.5 * (1 + math.erf((real - fake) / (spread * 2**0.5))) if spread else 0.5
    return record


MOST_RECORDS = 400
"""Single batches are noisy: a longer log is averaged to this many records."""


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records with increasing steps. Rows of one step are merged; where a log restarts, later rows replace earlier ones.

    A row without a step is merged with the one before; where no row has a step, rows are counted. Rows whose step is negative
    or has more than 63 bits are dropped.
    """
    records: list[dict[str, Any]] = []
    counted = True
    for number, row in enumerate(rows, start=1):
        counted = counted and "step" not in row
        record, step = dict(row), number if counted else round(row.get("step", records[-1]["step"] if records else 0))
        if not is_step(step):
            continue
        while records and records[-1]["step"] > step:
            records.pop()
        if "non_finite" in record:
            record["non_finite"] = {"step": step, **record["non_finite"]}
        if records and records[-1]["step"] == step:
            records[-1] = records[-1] | record | {"step": step}
        else:
            records.append({**record, "step": step})
    return [with_separation(record) for record in _means(records)]


def _means(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(records) <= MOST_RECORDS:
        return list(records)
    edges = [round(i * len(records) / MOST_RECORDS) for i in range(MOST_RECORDS + 1)]
    return [_mean(records[first:last]) for first, last in pairwise(edges) if last > first]


def _mean(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the numbers; the last step; the first value under other keys."""
    mean: dict[str, Any] = {}
    for key in dict.fromkeys(key for record in records for key in record):
        values = [record[key] for record in records if key in record]
        numbers = [value for value in values if isinstance(value, int | float)]
        mean[key] = sum(numbers) / len(numbers) if len(numbers) == len(values) else values[0]
    return mean | {"step": records[-1]["step"]}
