"""Mistakes in a program: value ranges, labels, optimisers, losses, normalisation, clipping, non-finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ganglion.doctor.history import History
from ganglion.doctor.rule import AUGMENT, R1, SLOWER, SLOWER_D, Limits, Rule, RuleHit
from ganglion.doctor.verdict import Evidence, Remedy
from ganglion.vitals.records import is_step

__all__ = [
    "BATCHNORM_MISMATCH",
    "CLIP_SATURATION",
    "LABELS_SWAPPED",
    "LOSS_CLAMPED",
    "NON_FINITE",
    "OPTIMIZER_CROSSTALK",
    "PADDING_SHORTCUT",
    "RANGE_MISMATCH",
]


def non_finite(history: History, limits: Limits) -> RuleHit | None:
    bad = [place for place, record in enumerate(history.records) if record.get("non_finite") is not None]
    if not bad:
        return None
    first = history.records[bad[0]]["non_finite"]
    named = first if isinstance(first, Mapping) else {}
    step = named["step"] if is_step(named.get("step")) else int(history.steps[bad[0]])
    why = f"The first to go was the {named.get('tensor', 'loss')}, at step {step:,}. {NON_FINITE.why}"
    seen = [
        Evidence.context("first step with a NaN or infinity", step),
        Evidence.at_most("records with a NaN or infinity", len(bad), 0),
    ]
    return RuleHit("failing", bad[0], seen, why)


NON_FINITE = Rule(
    "non-finite",
    non_finite,
    "A NaN or an infinity spreads to every weight within one update and never goes away, so nothing that "
    "is trained after it is of use.",
    (
        SLOWER,
        Remedy(
            "Compute in float32, to see whether 16 bits were too few",
            "--precision 32",
            "leave autocast out for the penalty and the losses",
        ),
        R1,
    ),
    explains=(
        "exploding-gradient",
        "blank-collapse",
        "noise-collapse",
        "late-collapse",
        "learning-rate-too-high",
    ),
)


class Slip(NamedTuple):
    """A likely mistake."""

    what: str
    """In a sentence."""
    decided: Evidence


def range_mismatch(history: History, limits: Limits) -> RuleHit | None:
    ends = {
        f"{which} value of {whose} at D's input": history.part(f"range_{whose[:-1]}", place)
        for whose in ("reals", "fakes")
        for place, which in enumerate(("smallest", "largest"))
    }
    if any(np.isnan(values).all() for values in ends.values()):
        return None
    extremes = {
        name: float(np.nanmin(values) if name.startswith("smallest") else np.nanmax(values))
        for name, values in ends.items()
    }
    low, high, fake_low, fake_high = extremes.values()
    slip = slip_of((low, high), (fake_low, fake_high), limits)
    if slip is None:
        return None
    others = [Evidence.context(name, value) for name, value in extremes.items() if name != slip.decided.name]
    since = int(np.flatnonzero(~np.isnan(history.part("range_real", 0)))[0])
    return RuleHit("failing", since, [slip.decided, *others], f"{slip.what} {RANGE_MISMATCH.why}")


def slip_of(real: tuple[float, float], fake: tuple[float, float], limits: Limits) -> Slip | None:
    """The likely mistake; None where the ranges fit."""
    smallest, largest = "smallest value of reals at D's input", "largest value of reals at D's input"
    if real[1] > limits["raw"]:
        what = f"Real images reach D with values up to {real[1]:.0f}: they were not scaled from [0, 255]."
        return Slip(what, Evidence.at_most(largest, real[1], limits["raw"]))
    if real[1] < limits["squeezed"] and real[0] > -2 - limits["squeezed"]:
        what = f"Real images reach D squeezed to [{real[0]:.3f}, {real[1]:.3f}]: they were scaled to [-1, 1] twice."
        return Slip(what, Evidence.at_least(largest, real[1], limits["squeezed"]))
    if real[0] > limits["unsigned"] and real[1] > limits["bright"] and fake[0] < -limits["bright"] / 10:
        what = "Real images reach D in [0, 1], and G draws below 0: its tanh spans [-1, 1]."
        return Slip(what, Evidence.at_most(smallest, real[0], limits["unsigned"]))
    beyond = max(real[1] - max(fake[1], 1.0), min(fake[0], -1.0) - real[0])
    if beyond > limits["beyond"]:
        what = f"Real images reach D in [{real[0]:.2f}, {real[1]:.2f}], beyond what G has drawn by {beyond:.2f}."
        return Slip(
            what, Evidence.at_most("how far reals reach beyond [-1, 1] and the fakes", beyond, limits["beyond"])
        )
    return None


RANGE_MISMATCH = Rule(
    "range-mismatch",
    range_mismatch,
    "D tells real from fake by their range alone, and G's tanh cannot reach it: G gets no gradient that "
    "is about pictures.",
    (
        Remedy(
            "Scale real images to [-1, 1], once",
            "",
            "images / 127.5 - 1 for uint8; (images - 0.5) / 0.5 after ToTensor()",
        ),
        Remedy(
            "Or let G end in the range that the data have",
            "",
            "a sigmoid for [0, 1]",
        ),
    ),
    explains=(
        "discriminator-wins",
        "blank-collapse",
        "mode-collapse",
        "vanishing-generator-gradient",
        "stalled",
        "bad-initialization",
        "partial-collapse",
        "batchnorm-mismatch",
    ),
)


def padding_shortcut(history: History, limits: Limits) -> RuleHit | None:
    seen, framed = history["separation_eval"], history["separation_framed"]
    varied = history["diversity"] > limits["diversity"]
    since = history.lasts((seen > limits["sure"]) & (framed < limits["framed"]) & varied)
    if since is None:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_least(
                "separation when fakes are given the border of reals", history.recent_of(framed), limits["framed"]
            ),
            Evidence.context("separation", history.recent_of(seen)),
        ],
    )


PADDING_SHORTCUT = Rule(
    "padding-shortcut",
    padding_shortcut,
    "D tells real from fake by the outermost pixels: give fakes the border of reals, and it is lost. Real "
    "and generated images are not prepared in the same way, and G learns nothing about what lies inside.",
    (
        Remedy(
            "Prepare real and generated images by one and the same code: the same padding, resizing, compression",
            "--set data.fit=crop",
            "pad and resize before the images are scaled, and nothing after G",
        ),
        Remedy(
            "Crop the borders of real images away",
            "--set data.fit=crop",
            "CenterCrop instead of Pad",
        ),
        AUGMENT,
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "noise-collapse",
        "stalled",
        "partial-collapse",
    ),
)


def labels_swapped(history: History, limits: Limits) -> RuleHit | None:
    agree = history["pull_g_fake"] * history["pull_d_fake"]  # +1 where both push D's opinion of fakes the same way
    since = history.lasts(agree > limits["agreement"])
    if since is None:
        return None
    return RuleHit(
        "failing",
        since,
        [
            Evidence.at_most(
                "product of both losses' pulls on D's opinion of fakes", history.recent_of(agree), limits["agreement"]
            ),
            Evidence.context("pull of G's loss", history.recent("pull_g_fake")),
            Evidence.context("pull of D's loss", history.recent("pull_d_fake")),
        ],
    )


LABELS_SWAPPED = Rule(
    "labels-swapped",
    labels_swapped,
    "G's loss pushes D's opinion of fakes in the very direction in which D's own loss pushes it: G is "
    "trained to be recognised. The labels of G's loss are probably those of D's.",
    (
        Remedy(
            "In G's step, use the label that D's step uses for real images",
            "",
            "loss_G = criterion(D(G(z)), real_label)",
        ),
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "blank-collapse",
        "mode-collapse",
        "stalled",
    ),
)


def optimizer_crosstalk(history: History, limits: Limits) -> RuleHit | None:
    shares = {
        "share of D's weights that G's optimiser moves": history.last("moves_d_with_g"),
        "share of G's weights that D's optimiser moves": history.last("moves_g_with_d"),
    }
    shared = [
        Evidence.at_most(name, share, limits["share"]) for name, share in shares.items() if share > limits["share"]
    ]
    return RuleHit("failing", 0, shared) if shared else None


OPTIMIZER_CROSSTALK = Rule(
    "optimizer-crosstalk",
    optimizer_crosstalk,
    "Each update that is meant for one player also moves the other, towards what the first one wants. "
    "Then D is trained to be fooled, its loss or G's goes to 0, and nobody learns anything.",
    (
        Remedy(
            "Give each optimiser the weights of its own network",
            "",
            "torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())",
        ),
    ),
    explains=(
        "generator-wins",
        "discriminator-wins",
        "mode-collapse",
        "partial-collapse",
        "stalled",
        "blank-collapse",
        "oscillation",
        "noise-collapse",
        "learning-rate-too-high",
    ),
)


def batchnorm_mismatch(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasts(history["train_eval"] > limits["apart"])
    if since is None:
        return None
    apart = history.recent("train_eval")
    name = "distance between train-mode and eval-mode samples of one latent, over the reals' mean distance"
    return RuleHit("failing", since, [Evidence.at_most(name, apart, limits["apart"])])


BATCHNORM_MISMATCH = Rule(
    "batchnorm-mismatch",
    batchnorm_mismatch,
    "G draws other pictures in eval mode than in training. Its batch norm normalises by running "
    "statistics there, and these do not fit: samples from a checkpoint will be worse than those that D "
    "saw.",
    (
        Remedy(
            "Use larger batches, or a norm without running statistics",
            "--batch 64 --set generator.norm=instance",
            "GroupNorm, InstanceNorm, or none",
        ),
        Remedy(
            "Look at the momentum of G's batch norm, and at whether G was ever put into train mode",
            "",
            "BatchNorm2d(momentum=0.1); G.train() before the loop",
        ),
        Remedy(
            "Draw samples in train mode, or measure the statistics anew with many latents",
            "",
            "run G in train mode over a thousand latents with momentum=None, then eval",
        ),
    ),
    explains=(
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "discriminator-wins",
        "partial-collapse",
    ),
)


CLAMPS = {
    100.0: "where BCELoss clamps its logarithm",
    16.118: "-ln 1e-7, Keras's epsilon",
    13.816: "-ln 1e-6, a common epsilon",
    18.421: "-ln 1e-8, a common epsilon",
    23.026: "-ln 1e-10, a common epsilon",
    27.631: "-ln 1e-12, a common epsilon",
}


def loss_clamped(history: History, limits: Limits) -> RuleHit | None:
    for who in "gd":
        for constant, source in CLAMPS.items():
            away = np.abs(history[f"loss_{who}"] - constant) / constant
            since = history.lasts(away < limits["tolerance"])
            if since is not None and float(np.nanstd(away[since:])) < limits["tolerance"]:
                name = f"share by which it is away from {constant:g}, {source}"
                seen = [
                    Evidence.context(f"loss of {who.upper()}", history.recent(f"loss_{who}")),
                    Evidence.at_least(name, history.recent_of(away), limits["tolerance"]),
                ]
                return RuleHit("failing", since, seen)
    return None


LOSS_CLAMPED = Rule(
    "loss-clamped",
    loss_clamped,
    "The loss stands at the constant at which a logarithm is clamped: D's probability has rounded to 0 or "
    "1, and behind the clamp the gradient is exactly 0. G cannot learn any more.",
    (
        Remedy(
            "Leave out the sigmoid and use a loss on logits, which cannot round",
            "--set objective.adversarial=non-saturating",
            "BCEWithLogitsLoss() instead of Sigmoid() and BCELoss()",
        ),
        SLOWER_D,
        R1,
    ),
    explains=(
        "discriminator-wins",
        "vanishing-generator-gradient",
        "blank-collapse",
        "mode-collapse",
        "stalled",
        "generator-wins",
        "learning-rate-too-low",
    ),
)


def clip_saturation(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasts(history["clip_share"] > limits["share"])
    if since is None:
        return None
    share = history.recent("clip_share")
    return RuleHit("watch", since, [Evidence.at_most("share of D's weights at the clip bound", share, limits["share"])])


CLIP_SATURATION = Rule(
    "clip-saturation",
    clip_saturation,
    "Most of the critic's weights stand at the bound to which they are clipped, so all it can still "
    "choose is their signs. Such a critic is a coarse function, and G's gradient through it is either "
    "tiny or huge.",
    (
        Remedy(
            "Use a gradient penalty instead of clipping",
            "--recipe wgan-gp",
            "Gulrajani et al. 2017",
        ),
        Remedy(
            "Lower the critic's learning rate, or widen the bound",
            "--set optimizer.discriminator.lr=0.00005 --set objective.weight_clip=0.02",
            "RMSprop at 5e-5, clip 0.01",
        ),
    ),
)
