"""Ideas that no value of a recipe carries out: mistakes in a loop or in networks of one's own, and looks at samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganglion.doctor.remedies.idea import Change, Idea, Known

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = [
    "COMPARE_LATENTS", "LABEL_OF_REALS", "MOMENTUM_OF_NORMS", "NEIGHBOURS", "NEW_STATISTICS", "OUTPUT_RANGE", "OWN_WEIGHTS",
    "RIGHT_LABELS", "SAME_PREPARATION", "SCALE_ONCE", "TRAIN_MODE", "ZERO_GRADIENTS",
]  # fmt: skip


def _in_networks_of_ones_own(what: str, recipe: Recipe) -> Change | None:
    return Change(what, {}) if recipe.generator.family == "custom" else None


def _loss_of_ones_own(recipe: Recipe, known: Known) -> Change | None:
    if recipe.objective.adversarial != "custom":
        return None
    return Change("In G's loss, use the label that D's loss uses for real images", {})


LABEL_OF_REALS = Idea(
    "label-of-reals", "In G's step, use the label that D's step uses for real images",
    "loss_G = criterion(D(G(z)), real_label)", _loss_of_ones_own, by_hand=True,
)  # fmt: skip
RIGHT_LABELS = Idea(
    "right-labels", "Give D the label of reals with every real image, and that of fakes with every fake",
    "loss_D = criterion(D(real), ones) + criterion(D(fake.detach()), zeros)", by_hand=True,
)  # fmt: skip
OWN_WEIGHTS = Idea(
    "own-weights", "Give each optimiser the weights of its own network",
    "torch.optim.Adam(G.parameters()), torch.optim.Adam(D.parameters())", by_hand=True,
)  # fmt: skip
ZERO_GRADIENTS = Idea(
    "zero-gradients", "Zero a network's gradients before each backward pass of its own loss",
    "optimizer_D.zero_grad(); loss_D.backward(); optimizer_D.step()", by_hand=True,
)  # fmt: skip
TRAIN_MODE = Idea(
    "train-mode", "Put G and D into train mode before each step, and after each time that you draw samples",
    "G.train(); D.train()", by_hand=True,
)  # fmt: skip
SCALE_ONCE = Idea(
    "scale-once", "Scale real images to [-1, 1], once", "images / 127.5 - 1 for uint8; (images - 0.5) / 0.5 after ToTensor()",
    by_hand=True,
)  # fmt: skip
OUTPUT_RANGE = Idea(
    "output-range", "Give G an output activation with the range of the data", "a tanh for [-1, 1], a sigmoid for [0, 1]",
    lambda recipe, known: _in_networks_of_ones_own("Let your G end in a tanh: images are in [-1, 1]", recipe), by_hand=True,
)  # fmt: skip
SAME_PREPARATION = Idea(
    "same-preparation", "Prepare real and generated images by the same code: padding, resizing, compression",
    "pad and resize before the images are scaled, and do nothing after G",
    lambda recipe, known: _in_networks_of_ones_own("Take out of your networks what only reals or only fakes meet", recipe),
    by_hand=True,
)  # fmt: skip
COMPARE_LATENTS = Idea(
    "compare-latents", "Check how z enters G: is it multiplied by 0, overwritten, or the same in every batch?",
    "print(G(z1, y) - G(z2, y))",
    lambda recipe, known: _in_networks_of_ones_own("Check how z enters your G: is it multiplied by 0, or overwritten?", recipe),
    by_hand=True,
)  # fmt: skip
MOMENTUM_OF_NORMS = Idea(
    "momentum-of-norms", "Check the momentum of G's batch norm, and that G is in train mode during training",
    "BatchNorm2d(momentum=0.1); G.train() before the loop",
    lambda recipe, known: _in_networks_of_ones_own("Check the momentum of your G's batch norm: 0.1 is usual", recipe),
    by_hand=True,
)  # fmt: skip
NEW_STATISTICS = Idea(
    "new-statistics", "Sample in train mode, or compute the statistics anew with many latents",
    "run G in train mode over a thousand latents with momentum=None, then eval", by_hand=True,
)  # fmt: skip
NEIGHBOURS = Idea(
    "neighbours", "Look which samples are copies", "compare samples with their nearest training images",
    lambda recipe, known: Change("Look which samples are copies, beside their nearest training images", {}),
    by_hand=True, command="ganglion evaluate {run} --neighbours neighbours.png",
)  # fmt: skip
