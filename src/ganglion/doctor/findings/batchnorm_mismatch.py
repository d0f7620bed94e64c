"""batchnorm-mismatch: samples in eval mode are not those of training"""

from __future__ import annotations

from ganglion.doctor.chart import Chart
from ganglion.doctor.rule import Limits, Rule, Suspicion
from ganglion.doctor.verdict import Evidence, Remedy

__all__ = ["RULE"]


def look(chart: Chart, limits: Limits) -> Suspicion | None:
    since = chart.lasts(chart["train_eval"] > limits["apart"])
    if since is None:
        return None
    apart = chart.recent("train_eval")
    name = "distance between train-mode and eval-mode samples of one latent, over the reals' mean distance"
    return Suspicion("failing", since, [Evidence.at_most(name, apart, limits["apart"])])


RULE = Rule(
    "batchnorm-mismatch",
    look,
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
