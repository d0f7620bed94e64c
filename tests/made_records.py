"""Records of runs that never were: one that is well, and one with each fault, of which the answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["SICK", "healthy", "with_values"]

Records = list[dict[str, Any]]
FLOOR = 80.0


def healthy(n: int = 60) -> Records:
    """Samples approach the data and stay there; D separates most pairs; both networks are updated."""
    records: Records = [{"step": 0, "kimg": 0.0, **_samples(0.0)}]
    for i in range(1, n):
        done = i / n
        records.append({
            "step": 50 * i, "kimg": 1.6 * i, "lr_g": 2e-4, "lr_d": 2e-4, "loss_d": 0.9 + 0.1 * math.sin(i), "loss_g": 1.4,
            "separation": 0.9 + 0.05 * math.cos(1.7 * i), "logit_real": 1.0, "logit_fake": -1.0, "d_real": 0.7, "d_fake": 0.3,
            "accuracy_real": 0.8, "accuracy_fake": 0.8, "grad_g": 3.0, "grad_g_max": 5.0, "grad_g_first": 1.0,
            "grad_g_last": 1.0, "grad_d": 5.0, "grad_d_max": 9.0, "grad_d_first": 2.0, "grad_d_last": 1.0, "update_g": 5e-3,
            "update_d": 5e-3, "weight_g": 10 + done, "weight_d": 10 + done, "parameters_g": 60_000, "parameters_d": 40_000,
            "swd": FLOOR * (1.05 + 7 * math.exp(-8 * done)) * (1 + 0.02 * math.sin(2.3 * i)), "swd_floor": FLOOR,
            "z_response": _samples(done)["diversity"], "train_eval": 0.05, "held_out": 0.5, "nearest": 0.1,
            "range_real": [-1.0, 1.0, -0.3, 0.7], "range_fake": [-0.99, 0.98, -0.3, 0.6], "separation_eval": 0.97,
            "separation_framed": 0.95, "dead_g": 0.0, "dead_d": 0.0, "moves_d_with_g": 0.0, "moves_g_with_d": 0.0,
            "unzeroed_g": 0.0, "unzeroed_d": 0.0, "eval_mode_g": 0.0, "eval_mode_d": 0.0, "pull_d_real": 1.0,
            "pull_d_fake": -1.0, "pull_g_fake": 1.0, **_samples(done),
        })  # fmt: skip
    return records


def _samples(done: float) -> dict[str, float]:
    """First faint and alike, then as the data."""
    grown = 1 - math.exp(-10 * done)
    return {
        "diversity": 0.02 + 0.95 * grown, "contrast": 0.03 + 0.97 * grown, "duplicates": 0.0 if grown > 0.2 else 1.0,
        "fine": 0.1 + 1.1 * grown, "saturation": 0.3 * grown, "saturation_real": 0.35,
    }  # fmt: skip


def with_values(records: Records, values: Mapping[str, Any], first: int = 1) -> Records:
    """From record `first` on, other values: constants, or functions of the record's place from 0 to 1."""
    return [
        record
        if i < first
        else record | {key: value(i / len(records)) if callable(value) else value for key, value in values.items()}
        for i, record in enumerate(records)
    ]


def far(times: float = 6.0) -> Callable[[float], float]:
    """A distance of so many floors that hardly changes."""
    return lambda done: FLOOR * times * (1 - 0.01 * done)


def _sick(values: Mapping[str, Any], first: int = 1, n: int = 60) -> Records:
    return with_values(healthy(n), values, first)


STUCK = {"swd": far(), "diversity": 0.2, "contrast": 0.3, "fine": 0.8, "duplicates": 0.1}
SURE = {**STUCK, "separation": 1.0, "logit_real": 9.0, "logit_fake": -9.0}

SICK: dict[str, Records] = {
    "non-finite": [*healthy(20), {"step": 1000, "kimg": 32.0, "non_finite": {"step": 987, "tensor": "loss of the generator"}}],
    "optimizer-crosstalk": _sick({"moves_d_with_g": 1.0}),
    "gradients-not-zeroed": _sick({"unzeroed_d": 1.0}),
    "eval-mode": _sick({"eval_mode_g": 1.0}),
    "labels-swapped": _sick({"pull_g_fake": -1.0}),
    "range-mismatch": _sick({"range_real": [0.0, 255.0, 80.0, 70.0]}),
    "padding-shortcut": _sick({**SURE, "diversity": 0.5, "contrast": 0.6, "separation_eval": 1.0, "separation_framed": 0.45}),
    "loss-clamped": _sick({"loss_g": 100.0, "loss_d": 0.0}),
    "latent-ignored": _sick({"z_response": 0.01, "diversity": 0.8}),
    "batchnorm-mismatch": _sick({"train_eval": 0.9}),
    "bad-initialization": _sick({**STUCK, "diversity": 1.3, "contrast": 1.2, "fine": 24.0, "saturation": 0.6}, first=0),
    "exploding-gradient": _sick({
        **STUCK, "logit_real": lambda done: 10 * math.exp(12 * done), "logit_fake": 0.0,
        "grad_d": lambda done: 5 * math.exp(10 * done),
    }),
    "learning-rate-too-high": _sick({**STUCK, "update_g": 0.2, "weight_g": lambda done: 10 * math.exp(4 * done)}),
    "learning-rate-too-low": _sick({**STUCK, "update_g": 1e-6, "update_d": 1e-6, "separation": 0.9}),
    "clip-saturation": _sick({"clip_share": 0.95}),
    "capacity-imbalance": _sick({**SURE, "parameters_d": 6_000_000}),
    "late-collapse": _sick({"swd": far(3.0)}, first=40),
    "generator-wins": _sick({**STUCK, "separation": 0.3}),
    "blank-collapse": _sick({"contrast": 0.01, "diversity": 0.01, "swd": far(9.0)}, first=3),
    "noise-collapse": _sick({"fine": 12.0, "swd": far(9.0)}, first=5),
    "mode-collapse": _sick({"diversity": 0.1, "contrast": 1.0, "swd": far(5.0)}, first=3),
    "partial-collapse": _sick({"diversity": 0.4, "contrast": 1.0}, first=3),
    "vanishing-generator-gradient": _sick({**SURE, "grad_g_first": 1e-4, "update_g": 1e-5}, first=4),
    "discriminator-wins": _sick(SURE),
    "discriminator-overfitting": _sick({"held_out": 0.93}),
    "memorization": _sick({"nearest": 0.9}),
    "growing-oscillation": _sick({"swd": lambda done: FLOOR * (2.2 + math.exp(3 * (done - 1)) * 1.8 * math.sin(40 * done))}),
    "oscillation": _sick({"swd": lambda done: FLOOR * (2 + 0.7 * math.sin(40 * done))}),
    "stalled": _sick({"swd": lambda done: FLOOR * (3.0 + 0.02 * math.sin(90 * done))}),
    "non-convergence": _sick({
        "swd": 2.3 * FLOOR, "separation": 0.56, "update_g": 1e-3, "update_d": 5e-4, "z_response": 0.7, "diversity": 0.75,
    }),
}  # fmt: skip
