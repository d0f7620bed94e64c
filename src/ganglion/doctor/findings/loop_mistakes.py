"""Mistakes in a loop of one's own, as its calls show them: optimisers, labels, gradients that stay, networks in eval mode."""

from __future__ import annotations

from ganglion.doctor.evidence import Evidence
from ganglion.doctor.history import History
from ganglion.doctor.progress import harm
from ganglion.doctor.remedies.by_hand import LABEL_OF_REALS, OWN_WEIGHTS, TRAIN_MODE, ZERO_GRADIENTS
from ganglion.doctor.remedies.losses import LOSS_THAT_REACHES_G
from ganglion.doctor.rule import Limits, Rule, RuleHit

__all__ = ["EVAL_MODE", "GRADIENTS_NOT_ZEROED", "LABELS_SWAPPED", "OPTIMIZER_CROSSTALK"]


def labels_swapped(history: History, limits: Limits) -> RuleHit | None:
    agree = history["pull_g_fake"] * history["pull_d_fake"]  # +1 where both gradients always have the same sign
    since = history.lasting_since(agree > limits["agreement"])
    if since is None:
        return None
    return RuleHit(
        harm(history),
        since,
        [
            Evidence.at_most(
                "product of the mean signs of both losses' gradients at D's logits on fakes",
                history.recent_of(agree),
                limits["agreement"],
            ),
            Evidence.context("direction in which G's loss moves them", history.recent("pull_g_fake")),
            Evidence.context("direction in which D's loss moves them", history.recent("pull_d_fake")),
        ],
    )


LABELS_SWAPPED = Rule(
    "labels-swapped",
    labels_swapped,
    "G's loss moves D's logits on fakes in the same direction as D's loss does: G is trained to be classified as fake. "
    "G's loss probably uses the labels of D's.",
    (LABEL_OF_REALS, LOSS_THAT_REACHES_G),
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
        "share of D's weights in G's optimiser": history.last("moves_d_with_g"),
        "share of G's weights in D's optimiser": history.last("moves_g_with_d"),
    }
    shared = [
        Evidence.at_most(name, share, limits["share"]) for name, share in shares.items() if share > limits["share"]
    ]
    return RuleHit(harm(history), 0, shared) if shared else None


OPTIMIZER_CROSSTALK = Rule(
    "optimizer-crosstalk",
    optimizer_crosstalk,
    "Each step of one network's optimiser also updates the other network, in the direction that lowers the first one's "
    "loss. D is then trained to misclassify, one of the losses goes to 0, and neither network learns.",
    (OWN_WEIGHTS,),
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


WRONG_UPDATES = (
    "exploding-gradient",
    "learning-rate-too-high",
    "learning-rate-too-low",
    "generator-wins",
    "blank-collapse",
    "noise-collapse",
    "mode-collapse",
    "partial-collapse",
    "vanishing-generator-gradient",
    "discriminator-wins",
    "stalled",
)
"""What networks may come to whose updates are not those of their loss."""


def gradients_not_zeroed(history: History, limits: Limits) -> RuleHit | None:
    return _in_each_step(
        history, limits, "unzeroed",
        {player: f"share of {player.upper()}'s updates that include gradients of an earlier step" for player in "gd"},
    )  # fmt: skip


GRADIENTS_NOT_ZEROED = Rule(
    "gradients-not-zeroed",
    gradients_not_zeroed,
    "A network is updated with gradients of earlier steps as well: PyTorch adds what a backward pass gives to the gradient "
    "that is there, until that is zeroed. So the gradients of old batches stay in each update, and in D's also those of G's "
    "loss, which ask for the opposite.",
    (ZERO_GRADIENTS,),
    explains=("late-collapse", "bad-initialization", *WRONG_UPDATES, "growing-oscillation", "oscillation"),
)


def eval_mode(history: History, limits: Limits) -> RuleHit | None:
    return _in_each_step(
        history,
        limits,
        "eval_mode",
        {player: f"share of steps in which {player.upper()} is in eval mode" for player in "gd"},
    )


EVAL_MODE = Rule(
    "eval-mode",
    eval_mode,
    "A network is trained in eval mode. Its batch norm then uses its running statistics, which no longer follow the batches, "
    "so that nothing is normalised. Often eval() was called for samples, and train() never after.",
    (TRAIN_MODE,),
    explains=("batchnorm-mismatch", "bad-initialization", *WRONG_UPDATES),
)


def _in_each_step(history: History, limits: Limits, key: str, names: dict[str, str]) -> RuleHit | None:
    """A mistake that is made in most steps of a player, or in none."""
    since = {player: history.lasting_since(history[f"{key}_{player}"] > limits["share"]) for player in names}
    first = [at for at in since.values() if at is not None]
    if not first:
        return None
    evidence = [
        Evidence.at_most(names[player], history.recent(f"{key}_{player}"), limits["share"])
        for player, at in since.items()
        if at is not None
    ]
    return RuleHit(harm(history), min(first), evidence)
