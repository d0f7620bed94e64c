"""Too little data for the networks: D overfits the training images, G copies them."""

from __future__ import annotations

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History
from ganglion.doctor.progress import distance, distance_evidence, harm, improvement_evidence
from ganglion.doctor.remedies.by_hand import NEIGHBOURS
from ganglion.doctor.remedies.losses import BOUND_SLOPE
from ganglion.doctor.remedies.networks import NARROWER_D
from ganglion.doctor.remedies.training import AUGMENT, STOP
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["DISCRIMINATOR_OVERFITTING", "MEMORIZATION"]


def discriminator_overfitting(history: History, limits: Limits) -> RuleHit | None:
    since = history.lasting_since(history["held_out"] > limits["watch"])
    if since is None:
        return None
    gap = history.recent("held_out")
    evidence = [Evidence.at_most("AUC of D's logits, training images over held-out images", gap, limits["watch"])]
    severity = harm(history, limits["poor"]) if gap > limits["failing"] else "watch"
    if severity == "failing":
        evidence += [distance_evidence(history, limits["poor"]), improvement_evidence(history)]
    return RuleHit(severity, since, evidence)


DISCRIMINATOR_OVERFITTING = Rule(
    "discriminator-overfitting",
    discriminator_overfitting,
    "D separates training images from held-out real images, so it has memorised them. Its gradient no longer reflects "
    "what real images look like, and samples get worse or become copies.",
    (AUGMENT, NARROWER_D, BOUND_SLOPE, STOP),
    explains=("memorization",),
)


def memorization(history: History, limits: Limits) -> RuleHit | None:
    far = distance(history) > limits["far"]  # gray and noise are near every image, but are not copies
    since = history.lasting_since((history["nearest"] > limits["watch"]) & ~far)
    if since is None:
        return None
    near = history.recent("nearest")
    name = "probability that a sample is nearer to the training images than a held-out real image is"
    return RuleHit(
        "failing" if near > limits["failing"] else "watch", since, [Evidence.at_most(name, near, limits["watch"])]
    )


MEMORIZATION = Rule(
    "memorization",
    memorization,
    "Samples are nearer to the training images than held-out real images are: G copies its training data. Samples look "
    "excellent, but G does not generalise.",
    (AUGMENT, NARROWER_D, STOP, NEIGHBOURS),
)
