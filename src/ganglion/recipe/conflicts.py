"""Why parts that are sound by themselves cannot work together, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganglion.recipe.objective import LOGISTIC

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = ["conflicts"]


def conflicts(recipe: Recipe) -> Iterator[str]:
    """Why parts that are sound by themselves cannot work together, and what to do instead."""
    objective, d = recipe.objective, recipe.discriminator
    on_gradient = [penalty.kind for penalty in objective.penalties if penalty.kind != "lecam"]
    norm_d = getattr(d, "norm", "none")
    if norm_d == "batch" and on_gradient:
        yield (
            f"the penalty {on_gradient[0]} is on D's gradient at single images, and batch norm makes "
            "each logit depend on the whole batch (Gulrajani et al. 2017, section 4); "
            "set discriminator.norm to layer, instance or none, or objective.penalties to []"
        )
    if objective.clip is not None and getattr(d, "spectral", False):
        yield (
            "objective.clip bounds the weights that discriminator.spectral rescales, so neither bounds D: "
            "both are ways to keep D Lipschitz (Miyato et al. 2018, section 2); leave one out"
        )
    if objective.real_label < 1 and objective.adversarial not in LOGISTIC:
        yield (
            f"objective.real_label smooths the labels of a classifier, and the loss {objective.adversarial} has no "
            f"labels; leave it at 1, or set objective.adversarial to {' or '.join(LOGISTIC)}"
        )
    if objective.adversarial_weight == 0 and objective.feature_matching.weight == 0:
        yield (
            "objective.adversarial_weight and objective.feature_matching.weight are both 0: nothing would teach G; "
            "give one of them a weight"
        )
    yield from _label_conflicts(recipe)


def _label_conflicts(recipe: Recipe) -> Iterator[str]:
    if not recipe.data.conditional:
        return
    norms = {getattr(part, "norm", "none") for part in (recipe.generator, recipe.discriminator)}
    if "virtual-batch" in norms:
        yield (
            "virtual batch normalisation measures every image against one reference batch, whatever its class; "
            "for data.conditional set the norms to batch, layer, instance or none"
        )
    conditioning = getattr(recipe.generator, "conditioning", "embedding")
    if conditioning == "norm" and getattr(recipe.generator, "norm", "none") == "none":
        yield (
            "generator.conditioning norm puts the class into normalisations, and generator.norm is none; "
            "set generator.conditioning to embedding"
        )
