"""Too little data for the networks: D knows the training images, G copies them."""

from __future__ import annotations

from ganglion.doctor.history import History, distance
from ganglion.doctor.rule import AUGMENT, STOP, Limits, Rule, RuleHit
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["DISCRIMINATOR_OVERFITTING", "MEMORIZATION"]


def discriminator_overfitting(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasts(history["held_out"] > limits["watch"])
    if since is None:
        return None
    gap = history.recent("held_out")
    return RuleHit(
        "failing" if gap > limits["failing"] else "watch",
        since,
        [Evidence.at_most("chance that D prefers a training image to one it never saw", gap, limits["watch"])],
    )


DISCRIMINATOR_OVERFITTING = Rule(
    "discriminator-overfitting",
    discriminator_overfitting,
    "D tells training images from other real ones, so it has learnt them by heart. What it teaches G is "
    "then no longer what real images look like, and samples get worse or turn into copies.",
    (
        AUGMENT,
        Remedy(
            "Take the recipe for few images",
            "--recipe small-data",
            "a narrower D, R1, augmentation",
        ),
        STOP,
    ),
    explains=("memorization",),
)


def memorization(history: History, limits: Limits) -> RuleHit | None:
    far = distance(history) > limits["far"]  # gray and noise lie near to every image, and are copies of none
    since = history.lasts((history["nearest"] > limits["watch"]) & ~far)
    if since is None:
        return None
    near = history.recent("nearest")
    name = "chance that a sample lies nearer to training images than an unseen real one"
    return RuleHit(
        "failing" if near > limits["failing"] else "watch", since, [Evidence.at_most(name, near, limits["watch"])]
    )


MEMORIZATION = Rule(
    "memorization",
    memorization,
    "Samples lie nearer to training images than new real images do: G repeats what it was shown. Such a "
    "run looks excellent and has learnt nothing beyond its data.",
    (
        STOP,
        AUGMENT,
        Remedy(
            "See which samples are copies: ganglion evaluate RUN --neighbours sheet.png",
            "",
            "compare samples with their nearest training images",
        ),
    ),
)
