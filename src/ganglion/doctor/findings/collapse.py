"""Collapse of the samples: to one picture, to few, to a blank, to noise, late, or with the latent ignored."""

from __future__ import annotations

import numpy as np

from ganglion.doctor.history import (
    History,
    distance,
    evidence_of_far,
    evidence_of_nearest,
    nearest,
    sameness,
    smoothed,
    still_far,
)
from ganglion.doctor.rule import AVERAGE, COSINE, PAIRS, R1, SLOWER_G, STDDEV, Limits, Rule, RuleHit
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["BLANK_COLLAPSE", "LATENT_IGNORED", "LATE_COLLAPSE", "MODE_COLLAPSE", "NOISE_COLLAPSE", "PARTIAL_COLLAPSE"]


def mode_collapse(history: History, limits: Limits) -> RuleHit | None:
    alike = sameness(history)
    since = history.lasts((alike < limits["sameness"]) & (history["contrast"] > limits["contrast"]))
    far = history.recent_of(distance(history))
    if since is None or far <= limits["poor"]:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least("diversity of samples over their contrast", history.recent_of(alike), limits["sameness"]),
            Evidence.at_most("distance to the data over its floor", far, limits["poor"]),
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
            Evidence.context("contrast of samples over that of reals", history.recent("contrast")),
        ],
    )


MODE_COLLAPSE = Rule(
    "mode-collapse",
    mode_collapse,
    "Every latent gives nearly the same picture. G has found one that D takes for real, and D, which sees "
    "one image at a time, cannot object to its being everywhere.",
    (
        STDDEV,
        PAIRS,
        Remedy(
            "Let D keep up: fewer updates of G, a lower rate of G",
            "--set balance.g_steps=1 --set optimizer.generator.lr=0.0001",
            "one update of G for one of D",
        ),
    ),
    explains=(
        "generator-wins",
        "discriminator-wins",
        "partial-collapse",
        "oscillation",
        "stalled",
    ),
)


def partial_collapse(history: History, limits: Limits) -> RuleHit | None:
    alike, twins = sameness(history), history["duplicates"]
    state = ((alike < limits["sameness"]) | (twins > limits["duplicates"])) & (history["contrast"] > limits["contrast"])
    since = history.lasts(state)
    if since is None or (alike[-history.window :] < limits["full"]).mean() > 0.5:
        return None
    either = [
        Evidence.at_least("diversity of samples over their contrast", history.recent_of(alike), limits["sameness"]),
        Evidence.at_most("share of samples that have a twin", history.recent_of(twins), limits["duplicates"]),
    ]
    decided = [one for one in either if not one.fits] or [
        Evidence.at_most("share of the last records with one or the other", float(state[-history.window :].mean()), 0.5)
    ]
    return RuleHit(
        "watch",
        since,
        [
            *decided,
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
            Evidence.context("distance to the data over its floor", history.recent_of(distance(history))),
        ],
    )


PARTIAL_COLLAPSE = Rule(
    "partial-collapse",
    partial_collapse,
    "Samples look right one by one, but there are few kinds of them: many are nearly equal, or they "
    "differ far less than real images do. Part of the data is not drawn at all.",
    (
        STDDEV,
        Remedy(
            "Give the latent more dimensions",
            "--set latent.dim=64",
            "z of 64 to 128 numbers",
        ),
        PAIRS,
    ),
    explains=("stalled",),
)


def blank_collapse(history: History, limits: Limits) -> RuleHit | None:
    state = (history["contrast"] < limits["contrast"]) & (history["diversity"] < limits["diversity"])
    since = history.lasts(state)
    if since is None or len(history) < 2 * history.window:
        return None
    was = float(np.nanmax(history["contrast"][: since + 1], initial=0.0))
    faded = was > limits["had"]
    if not faded and not still_far(history, limits["poor"], limits["windows"]):
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least("contrast of samples over that of reals", history.recent("contrast"), limits["contrast"]),
            Evidence.at_least(
                "diversity of samples over that of reals", history.recent("diversity"), limits["diversity"]
            ),
            *(
                [Evidence.context("contrast of samples at its largest before", was)]
                if faded
                else evidence_of_far(history, limits["poor"], limits["windows"])
            ),
        ],
    )


BLANK_COLLAPSE = Rule(
    "blank-collapse",
    blank_collapse,
    "Samples are of one tone, whatever the latent: black, white or gray. G's output has run into the end "
    "of its tanh or its signals have died, and no gradient comes back through it.",
    (
        SLOWER_G,
        Remedy(
            "Give G batch norm, or leaky instead of plain ReLU",
            "--set generator.norm=batch --set generator.activation=leaky-relu",
            "BatchNorm2d after each layer but the last",
        ),
        R1,
    ),
    explains=(
        "mode-collapse",
        "discriminator-wins",
        "vanishing-generator-gradient",
        "stalled",
        "partial-collapse",
    ),
)


def noise_collapse(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasts(history["fine"] > limits["fine"])
    if since is None or len(history) < 2 * history.window or nearest(history) <= limits["poor"]:
        return None
    fine, least = history.recent("fine"), float(np.nanmin(history["fine"][1 : since + 1], initial=np.inf))
    full = history.recent("saturation") - history.recent("saturation_real")
    seen = []
    if limits["turned"] * least < fine:
        name = f"fine detail of samples over that of reals, after {least:.3g} at its least"
        seen.append(Evidence.at_most(name, fine, max(limits["fine"], limits["turned"] * least)))
    if full > limits["saturated"]:
        seen += [
            Evidence.at_most("fine detail of samples over that of reals", fine, limits["fine"]),
            Evidence.at_most("share of saturated pixels beyond that of reals", full, limits["saturated"]),
        ]
    return RuleHit("failing", since, [*seen, evidence_of_nearest(history, limits["poor"])]) if seen else None


NOISE_COLLAPSE = Rule(
    "noise-collapse",
    noise_collapse,
    "Samples have many times the fine detail of real images: they are noise. G's updates are larger than "
    "what it has learnt, or it has been driven to the ends of its tanh.",
    (
        SLOWER_G,
        AVERAGE,
        Remedy(
            "Give G a norm, or penalise D's gradient",
            "--set generator.norm=batch",
            "BatchNorm2d in G; R1 on D",
        ),
    ),
    explains=(
        "discriminator-wins",
        "stalled",
        "late-collapse",
        "vanishing-generator-gradient",
    ),
)


def late_collapse(history: History, limits: Limits) -> RuleHit | None:
    values, name, good = (distance(history), "distance to the data over its floor", limits["good"])
    if np.isnan(values).all():
        values, name, good = history["fid"], "FID", np.inf
    if np.isnan(values).all():
        return None
    best = smoothed(values, 3)
    place = int(np.nanargmin(best))
    lowest = float(best[place])
    since = history.lasts(values > limits["worse"] * lowest)
    if since is None or since <= place or lowest > good:
        return None
    step = int(history.steps[place])
    advice = f"Samples were best near step {step:,}: use the checkpoint nearest to it, and do not train on from here."
    why = f"{advice} {LATE_COLLAPSE.why}"
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_most(name, history.recent_of(values), limits["worse"] * lowest),
            Evidence.context(f"the same near step {step:,}", lowest),
        ],
        why,
    )


LATE_COLLAPSE = Rule(
    "late-collapse",
    late_collapse,
    "The run was good and has fallen apart: the balance of the two players was lost in one jump or by "
    "slow drift. It seldom comes back by itself.",
    (
        Remedy(
            "Go on from the best checkpoint with lower learning rates",
            "ganglion sample RUN --checkpoint best",
            "load the best weights and halve both rates",
        ),
        COSINE,
        R1,
    ),
    explains=(
        "oscillation",
        "noise-collapse",
        "generator-wins",
        "discriminator-wins",
        "mode-collapse",
        "partial-collapse",
        "blank-collapse",
        "stalled",
        "exploding-gradient",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "vanishing-generator-gradient",
        "growing-oscillation",
    ),
)


def latent_ignored(history: History, limits: Limits) -> RuleHit | None:
    state = (history["z_response"] < limits["response"]) & (history["diversity"] > limits["diversity"])
    since = history.lasts(state)
    if since is None:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least(
                "response of samples to another latent", history.recent("z_response"), limits["response"]
            ),
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
        ],
    )


LATENT_IGNORED = Rule(
    "latent-ignored",
    latent_ignored,
    "Samples differ, but not by their latent: another z with the same label gives the same picture. G "
    "takes its variety from the label or from noise, and the latent is not wired to anything.",
    (
        Remedy(
            "Look at how z enters G: is it multiplied by 0, overwritten, or the same in every batch?",
            "--set generator.conditioning=norm",
            "print(G(z1, y) - G(z2, y))",
        ),
        STDDEV,
    ),
    explains=(
        "partial-collapse",
        "mode-collapse",
    ),
)
