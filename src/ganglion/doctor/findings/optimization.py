"""Step sizes: rates too high or too low, gradients that explode, oscillation, no progress, first weights."""

from __future__ import annotations

import math

import numpy as np

from ganglion.doctor.history import (
    History,
    at_full_rate,
    distance,
    evidence_of_far,
    evidence_of_nearest,
    growth,
    median,
    nearest,
    scale_of_logits,
    still_far,
    swings,
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
    said = scale_of_logits(history)
    size, times = history.recent_of(said), growth(said)
    grown = {who: growth_since_early(history, f"grad_{who}") for who in "gd"}
    wild = [who for who in "gd" if grown[who] > limits["growth"]]
    since = history.lasts(said > limits["logit"])
    if len(history) < 2 * history.window or since is None or not (wild or times > limits["growth"]):
        return None
    seen = [Evidence.at_most("size of D's logits", size, limits["logit"])]
    seen += [
        Evidence.at_most(f"gradient of {who.upper()} over what it was", grown[who], limits["growth"]) for who in wild
    ]
    if times > limits["growth"]:
        seen.append(Evidence.at_most("size of D's logits over what it was", times, limits["growth"]))
    penalties = [size for key in PENALTIES if (size := history.recent(key)) > 0]
    if penalties:
        seen.append(Evidence.context("penalty on D's gradient", max(penalties)))
    return RuleHit("failing", since, seen)


def growth_since_early(history: History, key: str) -> float:
    """The median over the window over that of the first records; NaN where one of them was not measured or is 0."""
    early = history.early(key)
    return history.recent(key) / early if early > 0 else math.nan


EXPLODING_GRADIENT = Rule(
    "exploding-gradient",
    exploding_gradient,
    "D's opinions, and with them all gradients, grow from record to record: nothing keeps D from becoming "
    "ever steeper. It ends in numbers that are not finite.",
    (
        Remedy(
            "Bound D's steepness: a gradient penalty, spectral norm, or clipping",
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
    if not fast or len(history) < history.window or nearest(history) <= limits["poor"]:
        return None
    seen = []
    for name in fast:
        who = name.upper()
        seen += [
            Evidence.at_most(f"weights of {who} over what they were", grown[name], limits["growth"]),
            Evidence.at_most(
                f"largest change of {who}'s weights in a step, over their size", moved[name], limits["update"]
            ),
        ]
    seen.append(evidence_of_nearest(history, limits["poor"]))
    since = next(int(i) for i in np.flatnonzero(history[f"update_{fast[0]}"] > limits["update"]))
    severity: Severity = "failing" if still_far(history, limits["poor"], limits["windows"]) else "watch"
    return RuleHit(severity, since, seen)


LEARNING_RATE_TOO_HIGH = Rule(
    "learning-rate-too-high",
    learning_rate_too_high,
    "Each update changes a good part of the weights at once, so that they overshoot and grow instead of "
    "settling. Adam moves every weight by about its learning rate, whatever the gradient.",
    (
        SLOWER,
        Remedy(
            "Let the rates rise slowly, and fall towards the end",
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
    since = history.lasts(moved < limits["update"])
    if since is None or not at_full_rate(history) or not still_far(history, limits["poor"], limits["windows"]):
        return None
    return RuleHit(
        "watch",
        since,
        [
            *(
                Evidence.at_least(
                    f"change of {who.upper()}'s weights in a step, over their size",
                    history.recent(f"update_{who}"),
                    limits["update"],
                )
                for who in "gd"
            ),
            *evidence_of_far(history, limits["poor"], limits["windows"]),
        ],
    )


LEARNING_RATE_TOO_LOW = Rule(
    "learning-rate-too-low",
    learning_rate_too_low,
    "An update changes so little of the weights that they stay where they began, and samples are where "
    "they were. At this pace the budget ends before anything is learnt.",
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
        or not still_far(history, limits["poor"], limits["windows"])
    ):
        return None
    full, wild, faint = (float(history[key][0]) for key in ("saturation", "fine", "contrast"))
    since_then = evidence_of_far(history, limits["poor"], limits["windows"])
    if full > limits["saturated"] and wild > limits["noise"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_most("saturated pixels in the first samples", full, limits["saturated"]),
                Evidence.at_most("fine detail in the first samples over that of reals", wild, limits["noise"]),
                *since_then,
            ],
            f"First weights are too large: G's tanh begins at its ends. {BAD_INITIALIZATION.why}",
        )
    if faint < limits["faint"]:
        return RuleHit(
            "failing",
            0,
            [
                Evidence.at_least("contrast of the first samples over that of reals", faint, limits["faint"]),
                *since_then,
            ],
            f"First weights are too small: signals fade from layer to layer. {BAD_INITIALIZATION.why}",
        )
    return None


BAD_INITIALIZATION = Rule(
    "bad-initialization",
    bad_initialization,
    "Before it has learnt anything, G draws what no gradient can carry away from: saturated noise or one "
    "gray, and samples have hardly come nearer to the data since.",
    (
        Remedy(
            "Draw first weights by He's scheme, which keeps signals their size",
            "--fresh --set init.scheme=kaiming",
            "nn.init.kaiming_normal_(weight)",
        ),
        Remedy(
            "Or from N(0, 0.02) with batch norm in both networks",
            "--fresh --set init.scheme=normal --set init.std=0.02 --set generator.norm=batch",
            "nn.init.normal_(weight, 0, 0.02)",
        ),
        Remedy(
            "Look at the size of signals before training",
            "ganglion check SOURCE",
            "ganglion.watch writes a record of the first weights",
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
    before, (now, crossings) = swings(values[third : 2 * third])[0], swings(values[2 * third :])
    if now <= limits["swing"] or now <= limits["growth"] * before or crossings < limits["crossings"]:
        return None
    name = "swing of the distance about its trend, over its mean"
    return RuleHit(
        "failing",
        2 * third,
        [
            Evidence.at_most(name, now, limits["swing"]),
            Evidence.at_most(
                f"the same against that in the third of the run before, {before:.3g}", now, limits["growth"] * before
            ),
            Evidence.at_most("times that it crossed its trend", crossings, limits["crossings"] - 1),
        ],
    )


GROWING_OSCILLATION = Rule(
    "growing-oscillation",
    growing_oscillation,
    "The distance to the data swings, and each swing is larger than the one before. The two players chase "
    "each other around the solution and spiral outwards instead of inwards.",
    (
        R1,
        NO_MOMENTUM,
        Remedy(
            "Lower both rates towards the end, and average G",
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
    size, crossings = swings(values[half:])
    if size <= limits["swing"] or crossings < limits["crossings"]:
        return None
    return RuleHit(
        "watch",
        half,
        [
            Evidence.at_most("swing of the distance about its trend, over its mean", size, limits["swing"]),
            Evidence.at_most("times that it crossed its trend", crossings, limits["crossings"] - 1),
        ],
    )


OSCILLATION = Rule(
    "oscillation",
    oscillation,
    "The distance to the data goes up and down by a good part of itself: the two players chase each other "
    "in circles. How good the samples are is then a matter of when one stops.",
    (
        R1,
        Remedy(
            "Take momentum out of the optimisers, and lower both rates",
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
    if len(far) // 2 < limits["records"] or not at_full_rate(history):
        return None
    before, now = median(far[third : 2 * third]), median(far[-third:])
    won = 1 - now / before if before > 0 else math.nan
    if not (now > limits["poor"] and won < limits["gain"]):
        return None
    return RuleHit(
        "watch",
        len(far) - 2 * third,
        [
            Evidence.at_most("distance to the data over its floor", now, limits["poor"]),
            Evidence.at_least("share by which it fell in the last third of the run", won, limits["gain"]),
        ],
    )


STALLED = Rule(
    "stalled",
    stalled,
    "Samples are still far from the data, and for two thirds of the run they have come no nearer, "
    "although both players move. G may be too small for these images, or the balance is stuck.",
    (
        Remedy(
            "Give G more width, or the latent more dimensions",
            "--set generator.width=64 --set latent.dim=64",
            "twice the feature maps",
        ),
        Remedy(
            "Change the balance: a penalty on D, or other rates",
            "--recipe fast",
            "R1; the rates of the recipe fast",
        ),
        STOP,
    ),
)
