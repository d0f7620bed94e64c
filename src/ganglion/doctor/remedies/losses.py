"""Ideas about the objective: penalties on D's gradient, adversarial losses, smoothed labels, noise, clipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganglion.doctor.remedies.idea import Change, Idea, Known, rounded

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = [
    "BOUND_SLOPE", "INSTANCE_NOISE", "LOGITS_LOSS", "LOSS_THAT_REACHES_G", "PAIRS", "PENALTY_FOR_CLIP", "SMOOTH_LABELS",
    "WEAKER_PENALTIES", "WIDER_CLIP",
]  # fmt: skip

HEAVIEST, LIGHTEST = 200.0, 1e-3  # weights of a penalty
R1 = {"kind": "r1", "weight": 1.0, "interval_updates": 4}
WGAN_GP = {"kind": "wgan-gp", "weight": 10.0, "interval_updates": 1}
RELATIVISTIC_PENALTIES = ({"kind": "r1", "weight": 1.0}, {"kind": "r2", "weight": 1.0})


def _penalties(recipe: Recipe, on_gradient: bool | None = None) -> list[dict[str, Any]]:
    """All, or those that are on D's gradient, or those that are not."""
    found = recipe.objective.penalties
    return [one.model_dump() for one in found if on_gradient is None or one.on_gradient is on_gradient]


def _can_be_penalised(recipe: Recipe, known: Known) -> bool:
    """Not networks of the user's own that have batch norm in D, or may have."""
    return recipe.discriminator.family != "custom" or known.d_batch_norm is False


def _without_batch_norm(recipe: Recipe) -> tuple[dict[str, object], str]:
    """What a penalty on D's gradient needs. Layer norm keeps the size of signals, which first weights of 0.02 rely on."""
    if getattr(recipe.discriminator, "norm", "none") != "batch":
        return {}, ""
    return {"discriminator.norm": "layer"}, ", with layer norm instead of batch norm in D"


def _bound_slope(recipe: Recipe, known: Known) -> Change | None:
    if not _can_be_penalised(recipe, known):
        return None
    if _penalties(recipe, on_gradient=True):
        return _times(recipe, 4, "Penalise D's gradient four times as much")
    if recipe.objective.traits.critic:
        return _penalty_for_clip(recipe, known) or _added(recipe, WGAN_GP)
    return _added(recipe, R1)


def _times(recipe: Recipe, factor: float, what: str) -> Change | None:
    """Other weights of the penalties on D's gradient; None beyond what makes sense, or where there are none."""
    now, told = _penalties(recipe), []
    new = [dict(penalty) for penalty in now]
    for penalty, known in zip(new, recipe.objective.penalties, strict=True):
        if known.on_gradient:
            penalty["weight"] = rounded(factor * known.weight)
            told.append(f"{known.kind} from {known.weight:g} to {penalty['weight']:g}")
            if not LIGHTEST <= penalty["weight"] <= HEAVIEST:
                return None
    return Change(f"{what}: {', '.join(told)}", {"objective.penalties": new}) if told else None


def _added(recipe: Recipe, penalty: dict[str, Any]) -> Change:
    settings, norm = _without_batch_norm(recipe)
    name = {"r1": "at real images (R1)", "wgan-gp": "towards 1 between reals and fakes (WGAN-GP)"}[penalty["kind"]]
    return Change(
        f"Penalise D's gradient {name}{norm}", {"objective.penalties": [*_penalties(recipe), penalty], **settings}
    )


BOUND_SLOPE = Idea(
    "penalise-gradient", "Penalise D's gradient, without batch norm in D",
    "R1 (Mescheder et al. 2018) at every fourth update; WGAN-GP's penalty for a critic", _bound_slope,
)  # fmt: skip


def _penalty_for_clip(recipe: Recipe, known: Known) -> Change | None:
    if recipe.objective.weight_clip is None or not _can_be_penalised(recipe, known):
        return None
    added = () if _penalties(recipe, on_gradient=True) else (WGAN_GP,)
    settings, norm = _without_batch_norm(recipe)
    settings |= {"objective.weight_clip": None, "objective.penalties": [*_penalties(recipe), *added]}
    return Change(f"Take WGAN-GP's penalty on D's gradient in place of clipping{norm}", settings)


PENALTY_FOR_CLIP = Idea(
    "penalty-for-clip", "Take WGAN-GP's penalty on D's gradient in place of clipping", "Gulrajani et al. 2017, weight 10",
    _penalty_for_clip,
)  # fmt: skip


def _wider_clip(recipe: Recipe, known: Known) -> Change | None:
    now = recipe.objective.weight_clip
    if now is None or now > 1:
        return None
    return Change(
        f"Widen the bound of the clipping from {now:g} to {rounded(2 * now):g}",
        {"objective.weight_clip": rounded(2 * now)},
    )


WIDER_CLIP = Idea("wider-clip", "Double the bound of the clipping", "clip at twice the bound", _wider_clip)


def _weaker_penalties(recipe: Recipe, known: Known) -> Change | None:
    return _times(recipe, 0.1, "Penalise D's gradient a tenth as much")


WEAKER_PENALTIES = Idea(
    "weaker-penalties",
    "Penalise D's gradient a tenth as much",
    "a tenth of the penalty's weight",
    _weaker_penalties,
)


def _non_saturating(recipe: Recipe, known: Known) -> Change | None:
    now = recipe.objective.adversarial
    if now not in ("minimax", "custom"):
        return None
    settings: dict[str, object] = {"objective.adversarial": "non-saturating"}
    settings |= {"objective.custom_loss": None} if now == "custom" else {}
    was = f"the loss {recipe.objective.traits.name} of your own" if now == "custom" else now
    return Change(f"Take the non-saturating loss on logits in place of {was}", settings)


LOSS_THAT_REACHES_G = Idea(
    "non-saturating", "Take a loss whose gradient does not vanish where D is sure: the non-saturating one",
    "-log D(G(z)) instead of log(1 - D(G(z)))", _non_saturating,
)  # fmt: skip
LOGITS_LOSS = Idea(
    "loss-on-logits", "Remove the sigmoid and take a loss on logits, which does not round",
    "BCEWithLogitsLoss() instead of Sigmoid() and BCELoss()", _non_saturating, fresh=True,
)  # fmt: skip


def _pairs(recipe: Recipe, known: Known) -> Change | None:
    objective, kinds = recipe.objective, {penalty.kind for penalty in recipe.objective.penalties}
    if not _can_be_penalised(recipe, known) or (objective.adversarial == "relativistic" and {"r1", "r2"} <= kinds):
        return None
    settings, norm = _without_batch_norm(recipe)
    penalties = [*_penalties(recipe, on_gradient=False), *RELATIVISTIC_PENALTIES]
    settings |= {"objective.adversarial": "relativistic", "objective.penalties": penalties}
    settings |= {"objective.custom_loss": None} if objective.adversarial == "custom" else {}
    settings |= {"objective.weight_clip": None} if objective.weight_clip is not None else {}
    settings |= {"objective.real_label": 1.0} if objective.real_label < 1 else {}
    settings |= {"augment.kind": "diffaugment"} if recipe.augment.kind == "ada" else {}
    return Change(f"Take the relativistic pairing loss with R1 and R2 (Huang et al. 2025){norm}", settings)


PAIRS = Idea(
    "relativistic-pairs",
    "Take the relativistic pairing loss with R1 and R2",
    "R3GAN, Huang et al. 2025",
    _pairs,
    fresh=True,
)


def _smooth_labels(recipe: Recipe, known: Known) -> Change | None:
    if recipe.objective.real_label < 1 or not recipe.objective.traits.probability_logits:
        return None
    return Change("Smooth the labels of real images from 1 to 0.9", {"objective.real_label": 0.9})


SMOOTH_LABELS = Idea(
    "smooth-labels",
    "Smooth the labels of real images",
    "0.9 instead of 1 for reals, Salimans et al. 2016",
    _smooth_labels,
)


def _instance_noise(recipe: Recipe, known: Known) -> Change | None:
    if recipe.objective.instance_noise.std:
        return None
    return Change(
        "Add noise with a standard deviation of 0.1 to D's input, real and fake", {"objective.instance_noise.std": 0.1}
    )


INSTANCE_NOISE = Idea(
    "instance-noise",
    "Add noise to D's input, real and fake",
    "instance noise of 0.1, Sønderby et al. 2017",
    _instance_noise,
)
