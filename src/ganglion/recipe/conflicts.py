"""Incompatible parts of a recipe: the reason, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganglion.recipe.networks import CustomDiscriminator, CustomGenerator
from ganglion.recipe.parts import TRAITS
from ganglion.recipe.size import chain_to, check_reachable, size_text

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = ["batch_norm_conflict", "conflicts"]


def conflicts(recipe: Recipe) -> Iterator[str]:
    """A message for each pair of incompatible parts: the reason, and what to do instead."""
    objective, d, traits = recipe.objective, recipe.discriminator, recipe.objective.traits
    if getattr(d, "norm", "none") == "batch" and (told := batch_norm_conflict(recipe)):
        yield f"{told}; set discriminator.norm to layer, instance or none, or objective.penalties to []"
    if objective.weight_clip is not None and getattr(d, "spectral_norm", False):
        yield (
            "objective.weight_clip clips the weights that discriminator.spectral_norm rescales, so the clip bound has no "
            "effect: both are ways to make D Lipschitz (Miyato et al. 2018, section 3); use one of them"
        )
    if objective.real_label < 1 and not traits.probability_logits:
        suited = [name for name, known in TRAITS.items() if known.probability_logits]
        yield (
            f"objective.real_label smooths the labels of a classifier, and the loss {traits.name} has no "
            f"labels; leave it at 1, or set objective.adversarial to {' or '.join(suited)}"
        )
    if objective.adversarial_weight == 0 and objective.feature_matching.weight == 0:
        yield (
            "objective.adversarial_weight and objective.feature_matching.weight are both 0: G would have no loss; "
            "set one of them above 0"
        )
    if recipe.balance.updates == "simultaneous" and objective.feature_matching.weight:
        yield (
            "balance.updates simultaneous takes G's gradient from D's backward pass, which has no term for feature matching; "
            "set balance.updates to alternating, or objective.feature_matching.weight to 0"
        )
    kinds = [penalty.kind for penalty in objective.penalties]
    if twice := [kind for kind in kinds if kinds.count(kind) > 1]:
        yield f"objective.penalties has {twice[0]} more than once; keep one, with the sum of the weights"
    if "reconstruction" in kinds and d.family != "fastgan":
        yield (
            f"the penalty reconstruction needs the decoders of D's family fastgan, and discriminator.family is {d.family}; set "
            "discriminator.family to fastgan, or leave the penalty out"
        )
    if recipe.augment.kind == "ada" and not traits.sign_is_the_answer:
        suited = [name for name, known in TRAITS.items() if known.sign_is_the_answer]
        yield (
            "augment.kind ada measures overfitting of D by the sign of its logits (Karras et al. 2020, section 3.1), which "
            f"has no meaning under the loss {traits.name}; set augment.kind to diffaugment, or "
            f"objective.adversarial to {' or '.join(suited)}"
        )
    if (objective.adversarial == "custom") != (objective.custom_loss is not None):
        yield (
            "objective.adversarial custom is a loss of your own, and objective.custom_loss is filled in from it: pass the loss "
            "to ganglion.train(adversarial=...), or leave both out"
        )
    yield from _progressive_conflicts(recipe)
    yield from _own_network_conflicts(recipe)
    yield from _size_conflicts(recipe)
    yield from _layer_conflicts(recipe)
    yield from _label_conflicts(recipe)


def _progressive_conflicts(recipe: Recipe) -> Iterator[str]:
    if not recipe.training.progressive:
        return
    families = {recipe.generator.family, recipe.discriminator.family}
    if families != {"skip"}:
        yield (
            "training.progressive needs networks that make and see images of several sizes, and the families are "
            f"{recipe.generator.family} and {recipe.discriminator.family}; set generator.family and discriminator.family to "
            "skip, or training.progressive to 0"
        )
    if recipe.objective.feature_matching.weight and recipe.objective.feature_matching.layer != -1:
        yield (
            f"objective.feature_matching.layer is {recipe.objective.feature_matching.layer}, and with training.progressive "
            "small images do not pass all blocks of D; set it to -1, or training.progressive to 0"
        )


def batch_norm_conflict(recipe: Recipe) -> str:
    """Why a D with batch norm cannot have the penalties of `recipe`; empty where none of them is on its gradient."""
    on_gradient = [penalty.kind for penalty in recipe.objective.penalties if penalty.on_gradient]
    if not on_gradient:
        return ""
    return (
        f"the penalty {on_gradient[0]} is on D's gradient at single images, and batch norm makes "
        "each logit depend on the whole batch (Gulrajani et al. 2017, section 4)"
    )


def _own_network_conflicts(recipe: Recipe) -> Iterator[str]:
    own = [isinstance(recipe.generator, CustomGenerator), isinstance(recipe.discriminator, CustomDiscriminator)]
    if any(own) and not (all(own) and recipe.generator.digest and recipe.discriminator.digest):  # type: ignore[union-attr]
        yield (
            "family custom stands for networks of your own, generator and discriminator both: name their file with "
            "--networks FILE.py, or pass generator= and discriminator= to ganglion.train"
        )


def _size_conflicts(recipe: Recipe) -> Iterator[str]:
    """Our families reach a size by doublings; a network of one's own may have any."""
    if recipe.data.size is None or isinstance(recipe.generator, CustomGenerator):
        return
    try:
        check_reachable(recipe.data.size)
    except ValueError as error:
        yield f"data.size: {size_text(recipe.data.size)} {error}"


def _layer_conflicts(recipe: Recipe) -> Iterator[str]:
    """Conflicts that depend on the size."""
    layer, d = recipe.objective.feature_matching.layer, recipe.discriminator
    if isinstance(d, CustomDiscriminator):
        return  # which modules there are is known when there is a network
    if isinstance(layer, str):
        yield (
            f"objective.feature_matching.layer is {layer!r}: names of modules go with a D of your own, and the blocks of the "
            f"family {d.family} have numbers; set it to -1 for the last"
        )
        return
    chain = chain_to(recipe.data.size) if recipe.data.size else None
    if chain is None:
        return
    count = d.block_count(chain.doublings)
    if not -count <= layer < count:
        yield (
            f"objective.feature_matching.layer is {layer}, and at this size D has the blocks 0 to {count - 1} "
            f"(or from the last, -1 to {-count}); choose one of them"
        )


def _label_conflicts(recipe: Recipe) -> Iterator[str]:
    if not recipe.data.conditional:
        if recipe.data.attributes:
            yield (
                "data.attributes chooses the columns that G and D are conditioned on, and data.conditional is false; set it to "
                "true"
            )
        if recipe.data.sampling == "balanced":
            yield (
                "data.sampling balanced shows rare classes more often, and without data.conditional G would draw them more "
                "often, too; set data.conditional to true, or data.sampling to frequency"
            )
        return
    conditioning = getattr(recipe.generator, "conditioning", "embedding")
    if conditioning == "norm" and getattr(recipe.generator, "norm", "none") == "none":
        yield (
            "generator.conditioning norm conditions the norm layers, and generator.norm is none; "
            "set generator.conditioning to embedding"
        )
