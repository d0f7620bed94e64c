"""Incompatible parts of a recipe: the reason, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganglion.recipe.parts import LOGISTIC, ZERO_IS_THE_BOUNDARY
from ganglion.recipe.size import chain_to

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = ["conflicts"]


def conflicts(recipe: Recipe) -> Iterator[str]:
    """A message for each pair of incompatible parts: the reason, and what to do instead."""
    objective, d = recipe.objective, recipe.discriminator
    on_gradient = [penalty.kind for penalty in objective.penalties if penalty.kind != "lecam"]
    norm_d = getattr(d, "norm", "none")
    if norm_d == "batch" and on_gradient:
        yield (
            f"the penalty {on_gradient[0]} is defined on D's gradient at single images, and batch norm makes "
            "each logit depend on the whole batch (Gulrajani et al. 2017, section 4); "
            "set discriminator.norm to layer, instance or none, or objective.penalties to []"
        )
    if objective.weight_clip is not None and getattr(d, "spectral_norm", False):
        yield (
            "objective.weight_clip clips the weights that discriminator.spectral_norm rescales, so the clip bound has no "
            "effect: both are ways to make D Lipschitz (Miyato et al. 2018, section 3); use one of them"
        )
    if objective.real_label < 1 and objective.adversarial not in LOGISTIC:
        yield (
            f"objective.real_label smooths the labels of a classifier, and the loss {objective.adversarial} has no "
            f"labels; leave it at 1, or set objective.adversarial to {' or '.join(LOGISTIC)}"
        )
    if objective.adversarial_weight == 0 and objective.feature_matching.weight == 0:
        yield (
            "objective.adversarial_weight and objective.feature_matching.weight are both 0: G would have no loss; "
            "set one of them above 0"
        )
    kinds = [penalty.kind for penalty in objective.penalties]
    if twice := [kind for kind in kinds if kinds.count(kind) > 1]:
        yield f"objective.penalties has {twice[0]} more than once; keep one, with the sum of the weights"
    if recipe.augment.kind == "ada" and objective.adversarial not in ZERO_IS_THE_BOUNDARY:
        yield (
            "augment.kind ada measures overfitting of D by the sign of its logits (Karras et al. 2020, section 3.1), which "
            f"has no meaning under the loss {objective.adversarial}; set augment.kind to diffaugment, or "
            f"objective.adversarial to {' or '.join(ZERO_IS_THE_BOUNDARY)}"
        )
    yield from _layer_conflicts(recipe)
    yield from _label_conflicts(recipe)


def _layer_conflicts(recipe: Recipe) -> Iterator[str]:
    """Conflicts that depend on the size."""
    chain = chain_to(recipe.data.size) if recipe.data.size else None
    if chain is None:
        return
    layer, count = recipe.objective.feature_matching.layer, recipe.discriminator.block_count(chain.doublings)
    if not -count <= layer < count:
        yield (
            f"objective.feature_matching.layer is {layer}, and at this size D has the blocks 0 to {count - 1} "
            f"(or from the last, -1 to {-count}); choose one of them"
        )


def _label_conflicts(recipe: Recipe) -> Iterator[str]:
    if not recipe.data.conditional:
        return
    conditioning = getattr(recipe.generator, "conditioning", "embedding")
    if conditioning == "norm" and getattr(recipe.generator, "norm", "none") == "none":
        yield (
            "generator.conditioning norm conditions the norm layers, and generator.norm is none; "
            "set generator.conditioning to embedding"
        )
