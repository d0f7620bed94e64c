"""Optimisation: learning rates, exploding gradients, oscillation, no progress, initialisation."""

from __future__ import annotations

import math

import numpy as np

from ganglion.doctor.history import (
    History,
    amplitude_and_crossings,
    convergence_evidence,
    distance,
    distance_evidence,
    growth,
    largest_mean_logit,
    lr_not_decayed,
    median,
    not_converging,
    smallest_recent_distance,
)
from ganglion.doctor.rule import AVERAGE, NO_MOMENTUM, R1, SLOWER, SLOWER_D, STOP, Limits, Rule, RuleHit
from ganglion.doctor.verdict import Evidence, Remedy, Severity

__all__ = [
    "BAD_INITIALIZATION",
    "EXPLODING_GRADIENT",
    "GROWING_OSCILLATION",
    "LEARNING_RATE_TOO_HIGH",
    "LEARNING_RATE_TOO_LOW",
    "OSCILLATION",
    "PENALTIES",
    "STALLED",
]


PENALTIES = {"loss_d_wgan_gp", "loss_d_wgan_lp", "loss_d_r1", "loss_d_r2", "loss_d_dragan"}
"""Where a record holds the penalties on D's gradient."""


def exploding_gradient(history: History, limits: Limits) -> RuleHit | None:
    logits = largest_mean_logit(history)
    size, times = history.recent_of(logits), growth(logits)
    grown = {who: growth_since_early(history, f"grad_{who}") for who in "gd"}
    wild = [who for who in "gd" if grown[who] > limits["growth"]]
    since = history.lasting_since(logits > limits["logit"])
    if len(history) < 2 * history.window or since is None or not (wild or times > limits["growth"]):
        return None
    evidence = [Evidence.at_most("size of D's logits", size, limits["logit"])]
    evidence += [
        Evidence.at_most(f"gradient of {who.upper()} over its initial value", grown[who], limits["growth"])
        for who in wild
    ]
    if times > limits["growth"]:
        evidence.append(Evidence.at_most("size of D's logits over its initial value", times, limits["growth"]))
    penalties = [size for key in PENALTIES if (size := history.recent(key)) > 0]
    if penalties:
        evidence.append(Evidence.context("penalty on D's gradient", max(penalties)))
    return RuleHit("failing", since, evidence)


def growth_since_early(history: History, key: str) -> float:
    """The median over the window over that of the first records; NaN where one of them was not measured or is 0."""
    early = history.early(key)
    return history.recent(key) / early if early > 0 else math.nan


EXPLODING_GRADIENT = Rule(
    "exploding-gradient",
    exploding_gradient,
    "D's logits, and with them all gradients, grow from record to record: nothing bounds D's slope. It ends in non-finite "
    "numbers.",
    (
        Remedy(
            "Bound D's slope: a gradient penalty, spectral norm, or clipping",
            "--set 'objective.penalties=[{kind: wgan-gp, weight: 10}]' --set discriminator.norm=none",
            "WGAN-GP's penalty, or torch.nn.utils.parametrizations.spectral_norm",
        ),
        SLOWER_D,
    ),
    explains=(
        "learning-rate-too-high",
        "discriminator-wins",
        "mode-collapse",
        "blank-collapse",
        "stalled",
        "oscillation",
        "vanishing-generator-gradient",
        "partial-collapse",
    ),
)


def learning_rate_too_high(history: History, limits: Limits) -> RuleHit | None:
    grown = {name: growth(history[f"weight_{name}"]) for name in "gd"}
    moved = {name: float(np.nanmax(history[f"update_{name}"], initial=0.0)) for name in "gd"}
    fast = [n for n in "gd" if grown[n] > limits["growth"] and moved[n] > limits["update"]]
    if not fast or len(history) < history.window or smallest_recent_distance(history) <= limits["poor"]:
        return None
    evidence = []
    for name in fast:
        who = name.upper()
        evidence += [
            Evidence.at_most(f"weight norm of {who} over its initial value", grown[name], limits["growth"]),
            Evidence.at_most(f"largest update of {who} over its weights, per step", moved[name], limits["update"]),
        ]
    evidence.append(distance_evidence(history, limits["poor"]))
    since = next(int(i) for i in np.flatnonzero(history[f"update_{fast[0]}"] > limits["update"]))
    severity: Severity = "failing" if not_converging(history, limits["poor"], limits["windows"]) else "watch"
    return RuleHit(severity, since, evidence)


LEARNING_RATE_TOO_HIGH = Rule(
    "learning-rate-too-high",
    learning_rate_too_high,
    "Each update changes a large share of the weights, so they overshoot and grow instead of converging. Adam moves every "
    "weight by about the learning rate, whatever the size of the gradient.",
    (
        SLOWER,
        Remedy(
            "Warm the learning rates up, and decay them towards the end",
            "--set optimizer.warmup_kimg=5 --set optimizer.schedule=cosine",
            "a warm-up and a cosine schedule",
        ),
    ),
    explains=(
        "noise-collapse",
        "blank-collapse",
        "oscillation",
        "growing-oscillation",
        "late-collapse",
        "exploding-gradient",
        "mode-collapse",
        "discriminator-wins",
        "generator-wins",
        "partial-collapse",
        "learning-rate-too-low",
        "vanishing-generator-gradient",
        "stalled",
    ),
)


def learning_rate_too_low(history: History, limits: Limits) -> RuleHit | None:
    moved = np.fmax(history["update_g"], history["update_d"])
    since = history.lasting_since(moved < limits["update"])
    if since is None or not lr_not_decayed(history) or not not_converging(history, limits["poor"], limits["windows"]):
        return None
    return RuleHit(
        "watch",
        since,
        [
            *(
                Evidence.at_least(
                    f"update of {who.upper()} over its weights, per step",
                    history.recent(f"update_{who}"),
                    limits["update"],
                )
                for who in "gd"
            ),
            *convergence_evidence(history, limits["poor"], limits["windows"]),
        ],
    )


LEARNING_RATE_TOO_LOW = Rule(
    "learning-rate-too-low",
    learning_rate_too_low,
    "Updates are so small that weights and samples stay as they were at initialisation. At this rate the budget ends "
    "before anything is learned.",
    (
        Remedy(
            "Raise both learning rates tenfold",
            "--fresh --set optimizer.generator.lr=0.0002 --set optimizer.discriminator.lr=0.0002",
            "2e-4 is the usual rate for Adam on DCGAN",
        ),
    ),
    explains=(
        "stalled",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
    ),
)


def bad_initialization(history: History, limits: Limits) -> RuleHit | None:
    if (
        history.steps[0] > 0
        or len(history) < 2 * history.window
        or not not_converging(history, limits["poor"], limits["windows"])
    ):
        return None
    saturated, fine, contrast = (float(history[key][0]) for key in ("saturation", "fine", "contrast"))
    since_then = convergence_evidence(history, limits["poor"], limits["windows"])
    if saturated > limits["saturated"] and fine > limits["noise"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_most("share of saturated pixels in the first samples", saturated, limits["saturated"]),
                Evidence.at_most("fine detail of the first samples over that of reals", fine, limits["noise"]),
                *since_then,
            ],
            f"The initial weights are too large: G's tanh starts saturated. {BAD_INITIALIZATION.why}",
        )
    if contrast < limits["faint"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_least("contrast of the first samples over that of reals", contrast, limits["faint"]),
                *since_then,
            ],
            f"The initial weights are too small: signals vanish from layer to layer. {BAD_INITIALIZATION.why}",
        )
    return None


BAD_INITIALIZATION = Rule(
    "bad-initialization",
    bad_initialization,
    "At initialisation, G's samples are saturated noise or uniform gray, where gradients are too small to learn from, and "
    "samples have hardly approached the data since.",
    (
        Remedy(
            "Use He initialisation, which preserves the scale of signals",
            "--fresh --set init.scheme=kaiming",
            "nn.init.kaiming_normal_(weight)",
        ),
        Remedy(
            "Or N(0, 0.02) with batch norm in both networks",
            "--fresh --set init.scheme=normal --set init.std=0.02 --set generator.norm=batch",
            "nn.init.normal_(weight, 0, 0.02)",
        ),
        Remedy(
            "Check the size of signals before training",
            "ganglion check SOURCE",
            "ganglion.watch writes a record of the initial weights",
        ),
    ),
    explains=(
        "noise-collapse",
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "partial-collapse",
        "vanishing-generator-gradient",
    ),
)


def growing_oscillation(history: History, limits: Limits) -> RuleHit | None:
    values = distance(history) if history.has("swd") else history["fid"]
    third = len(values) // 3
    if third < limits["records"]:
        return None
    before, _ = amplitude_and_crossings(values[third : 2 * third])
    now, crossings = amplitude_and_crossings(values[2 * third :])
    if now <= limits["swing"] or now <= limits["growth"] * before or crossings < limits["crossings"]:
        return None
    name = "amplitude of the distance around its trend, over its mean"
    return RuleHit(
        "failing",
        2 * third,
        [
            Evidence.at_most(name, now, limits["swing"]),
            Evidence.at_most(
                f"the same compared with the third of the run before, {before:.3g}", now, limits["growth"] * before
            ),
            Evidence.at_most("crossings of the trend", crossings, limits["crossings"] - 1),
        ],
    )


GROWING_OSCILLATION = Rule(
    "growing-oscillation",
    growing_oscillation,
    "The distance to the data oscillates with a growing amplitude. G and D rotate around the equilibrium and spiral "
    "outwards instead of converging.",
    (
        R1,
        NO_MOMENTUM,
        Remedy(
            "Decay both learning rates towards the end, and average G",
            "--set optimizer.schedule=cosine --set ema.halflife_kimg=20",
            "an exponential moving average of G",
        ),
    ),
    explains=(
        "oscillation",
        "late-collapse",
    ),
)


def oscillation(history: History, limits: Limits) -> RuleHit | None:
    values = distance(history) if history.has("swd") else history["fid"]
    half = len(values) // 2
    if half < limits["records"]:
        return None
    size, crossings = amplitude_and_crossings(values[half:])
    if size <= limits["swing"] or crossings < limits["crossings"]:
        return None
    return RuleHit(
        "watch",
        half,
        [
            Evidence.at_most("amplitude of the distance around its trend, over its mean", size, limits["swing"]),
            Evidence.at_most("crossings of the trend", crossings, limits["crossings"] - 1),
        ],
    )


OSCILLATION = Rule(
    "oscillation",
    oscillation,
    "The distance to the data oscillates by a large share of its mean: G and D cycle. The quality of the samples then "
    "depends on when training stops.",
    (
        R1,
        Remedy(
            "Set the optimisers' beta1 to 0 (no momentum), and lower both learning rates",
            "--set optimizer.generator.beta1=0 --set optimizer.discriminator.beta1=0 --set "
            "optimizer.generator.lr=0.0001 --set optimizer.discriminator.lr=0.0001",
            "betas=(0.0, 0.99)",
        ),
        AVERAGE,
    ),
)


def stalled(history: History, limits: Limits) -> RuleHit | None:
    far = distance(history)
    third = len(far) // 3
    if len(far) // 2 < limits["records"] or not lr_not_decayed(history):
        return None
    before, now = median(far[third : 2 * third]), median(far[-third:])
    decrease = 1 - now / before if before > 0 else math.nan
    if not (now > limits["poor"] and decrease < limits["gain"]):
        return None
    return RuleHit(
        "watch",
        len(far) - 2 * third,
        [
            Evidence.at_most("SWD to the data over its floor", now, limits["poor"]),
            Evidence.at_least("its relative decrease in the last third of the run", decrease, limits["gain"]),
        ],
    )


STALLED = Rule(
    "stalled",
    stalled,
    "Samples are still far from the data, and the distance has not fallen in the last third of the run, although both "
    "networks are updated. G may be too small for these images, or G and D are at a poor equilibrium.",
    (
        Remedy(
            "A wider G, or a latent with more dimensions",
            "--set generator.width=64 --set latent.dim=64",
            "twice the feature maps",
        ),
        Remedy(
            "Change the balance of G and D: a penalty on D, or other learning rates",
            "--recipe fast",
            "R1; the learning rates of the recipe fast",
        ),
        STOP,
    ),
)
