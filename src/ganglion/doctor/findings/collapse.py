"""Collapse of the samples: to one image, to few modes, to a blank, to noise, late, or with the latent ignored."""

from __future__ import annotations

import numpy as np

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History, lasting_suffix, median, running_median
from ganglion.doctor.progress import (
    convergence_evidence,
    distance,
    distance_evidence,
    diversity_over_contrast,
    improving,
    not_converging,
    smallest_recent_distance,
)
from ganglion.doctor.remedies.by_hand import COMPARE_LATENTS
from ganglion.doctor.remedies.losses import BOUND_SLOPE, PAIRS
from ganglion.doctor.remedies.networks import LEAKY_G, MORE_LATENT, NORM_IN_G, STDDEV
from ganglion.doctor.remedies.rates import COSINE, LONGER_AVERAGE, LOWER_BOTH, LOWER_G
from ganglion.doctor.remedies.training import FEWER_G_STEPS, WITHOUT_LABELS
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["BLANK_COLLAPSE", "LATENT_IGNORED", "LATE_COLLAPSE", "MODE_COLLAPSE", "NOISE_COLLAPSE", "PARTIAL_COLLAPSE"]


def mode_collapse(history: History, limits: Limits) -> RuleHit | None:
    alike = diversity_over_contrast(history)
    since = history.lasting_since((alike < limits["sameness"]) & (history["contrast"] > limits["contrast"]))
    far = history.recent_of(distance(history))
    if since is None or far <= limits["poor"]:
        return None
    recovering = improving(history) and history.recent_of(alike) > limits["identical"]
    lasting = len(history) - since >= 2 * history.window and not recovering
    return RuleHit(
        "failing" if lasting else "watch",
        since,
        [
            Evidence.at_least("diversity of samples over their contrast", history.recent_of(alike), limits["sameness"]),
            Evidence.at_most("SWD to the data over its floor", far, limits["poor"]),
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
            Evidence.context("contrast of samples over that of reals", history.recent("contrast")),
        ],
    )


MODE_COLLAPSE = Rule(
    "mode-collapse",
    mode_collapse,
    "Nearly every latent gives the same image. G has found one image that D accepts as real, and D, which sees one image "
    "at a time, cannot penalise the repetition.",
    (STDDEV, PAIRS, FEWER_G_STEPS, LOWER_G),
    explains=(
        "generator-wins",
        "discriminator-wins",
        "partial-collapse",
        "oscillation",
        "stalled",
    ),
)


def partial_collapse(history: History, limits: Limits) -> RuleHit | None:
    alike, twins = diversity_over_contrast(history), history["duplicates"]
    state = ((alike < limits["sameness"]) | (twins > limits["duplicates"])) & (history["contrast"] > limits["contrast"])
    since = history.lasting_since(state)
    if since is None or (alike[-history.window :] < limits["full"]).mean() > 0.5:
        return None
    either = [
        Evidence.at_least("diversity of samples over their contrast", history.recent_of(alike), limits["sameness"]),
        Evidence.at_most("share of samples with a near-duplicate", history.recent_of(twins), limits["duplicates"]),
    ]
    decided = [one for one in either if not one.fits] or [
        Evidence.at_most("share of the last records with either", float(state[-history.window :].mean()), 0.5)
    ]
    return RuleHit(
        "watch",
        since,
        [
            *decided,
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
            Evidence.context("SWD to the data over its floor", history.recent_of(distance(history))),
        ],
    )


PARTIAL_COLLAPSE = Rule(
    "partial-collapse",
    partial_collapse,
    "Single samples look right, but they cover few modes: many are near-duplicates, or they differ far less than real "
    "images do. Part of the data is never generated.",
    (STDDEV, PAIRS, MORE_LATENT, LOWER_G),
    explains=("stalled",),
)


def blank_collapse(history: History, limits: Limits) -> RuleHit | None:
    state = (history["contrast"] < limits["contrast"]) & (history["diversity"] < limits["diversity"])
    since = history.lasting_since(state)
    if since is None or len(history) < 2 * history.window:
        return None
    was = float(np.nanmax(history["contrast"][: since + 1], initial=0.0))
    faded = was > limits["had"]
    if not faded and not not_converging(history, limits["poor"], limits["windows"]):
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
                [Evidence.context("largest contrast of samples before", was)]
                if faded
                else convergence_evidence(history, limits["poor"], limits["windows"])
            ),
        ],
    )


BLANK_COLLAPSE = Rule(
    "blank-collapse",
    blank_collapse,
    "Samples are one uniform tone, whatever the latent: black, white or gray. G's tanh is saturated or its units have "
    "died, and no gradient passes backward through it.",
    (LOWER_G, NORM_IN_G, LEAKY_G, BOUND_SLOPE),
    explains=(
        "mode-collapse",
        "discriminator-wins",
        "vanishing-generator-gradient",
        "stalled",
        "partial-collapse",
    ),
)


def noise_collapse(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasting_since(history["fine"] > limits["fine"])
    if since is None or len(history) < 2 * history.window or smallest_recent_distance(history) <= limits["poor"]:
        return None
    fine, least = history.recent("fine"), float(np.nanmin(history["fine"][1 : since + 1], initial=np.inf))
    saturated = history.recent("saturation") - history.recent("saturation_real")
    evidence = []
    if limits["turned"] * least < fine:
        name = f"fine detail of samples over that of reals, after a minimum of {least:.3g}"
        evidence.append(Evidence.at_most(name, fine, max(limits["fine"], limits["turned"] * least)))
    if saturated > limits["saturated"]:
        evidence += [
            Evidence.at_most("fine detail of samples over that of reals", fine, limits["fine"]),
            Evidence.at_most("share of saturated pixels minus that of reals", saturated, limits["saturated"]),
        ]
    return RuleHit("failing", since, [*evidence, distance_evidence(history, limits["poor"])]) if evidence else None


NOISE_COLLAPSE = Rule(
    "noise-collapse",
    noise_collapse,
    "Samples have many times the fine detail of real images: they are noise. G's updates are too large relative to its "
    "weights, or its tanh is saturated.",
    (LOWER_G, NORM_IN_G, LONGER_AVERAGE, BOUND_SLOPE),
    explains=(
        "discriminator-wins",
        "stalled",
        "late-collapse",
        "vanishing-generator-gradient",
    ),
)


def late_collapse(history: History, limits: Limits) -> RuleHit | None:
    """By the distance of the samples to the data, or by FID where a log has only that, often in few of its records."""
    far, fid = distance(history), history["fid"]
    by_fid = bool(np.isnan(far).all())
    known = np.flatnonzero(~np.isnan(fid)) if by_fid else np.arange(len(far))
    values = fid[known] if by_fid else far
    if not len(values):
        return None
    best = running_median(values, 3)
    best_index = int(np.nanargmin(best))
    lowest = float(best[best_index])
    worse = values > limits["worse"] * lowest
    since = lasting_suffix(worse) if by_fid else history.lasting_since(worse)
    if since is None or since <= best_index or (not by_fid and lowest > limits["good"]):
        return None
    if by_fid and len(values) - since < limits["scores"]:
        return None
    step = int(history.steps[known[best_index]])
    advice = (
        f"Samples were best near {history.unit} {step:,}: use the nearest checkpoint, and do not continue from here."
    )
    recent = median(values[since:]) if by_fid else history.recent_of(values)
    name = "FID" if by_fid else "SWD to the data over its floor"
    return RuleHit(
        "failing",
        int(known[since]),
        [
            Evidence.at_most(name, recent, limits["worse"] * lowest),
            Evidence.context(f"minimum, near {history.unit} {step:,}", lowest),
        ],
        f"{advice} {LATE_COLLAPSE.why}",
    )


LATE_COLLAPSE = Rule(
    "late-collapse",
    late_collapse,
    "The run was good and has collapsed: the balance of G and D was lost, in one jump or by slow drift. It seldom recovers "
    "by itself.",
    (LOWER_BOTH, COSINE, BOUND_SLOPE, LONGER_AVERAGE),
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
    since = history.lasting_since(state)
    if since is None:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least(
                "change of samples under another latent", history.recent("z_response"), limits["response"]
            ),
            Evidence.context("diversity of samples over that of reals", history.recent("diversity")),
        ],
    )


LATENT_IGNORED = Rule(
    "latent-ignored",
    latent_ignored,
    "Samples differ, but do not depend on z: another z with the same label gives the same image. All variation comes from "
    "the label or from noise.",
    (COMPARE_LATENTS, STDDEV, WITHOUT_LABELS, MORE_LATENT),
    explains=(
        "partial-collapse",
        "mode-collapse",
    ),
)
