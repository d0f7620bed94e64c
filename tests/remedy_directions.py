"""What each idea says it does, written down apart from the ideas: of a recipe before and after."""

from __future__ import annotations

from collections.abc import Callable

from ganglion.recipe.resolve import flatten, resolve
from ganglion.recipe.schema import Recipe

__all__ = ["DIRECTIONS", "by_name"]

Direction = Callable[[Recipe, Recipe], bool]


def by_name(recipe: Recipe, key: str) -> object:
    """The value under a dotted key; None where the part has no such value."""
    value: object = recipe
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def number(recipe: Recipe, key: str) -> float:
    value = by_name(recipe, key)
    assert isinstance(value, int | float), (key, value)
    return float(value)


def falls(key: str) -> Direction:
    return lambda before, after: number(after, key) < number(before, key)


def rises(key: str) -> Direction:
    return lambda before, after: number(after, key) > number(before, key)


def becomes(key: str, value: object) -> Direction:
    return lambda before, after: by_name(before, key) != value and by_name(after, key) == value


def both(*directions: Direction) -> Direction:
    return lambda before, after: all(direction(before, after) for direction in directions)


def slope_weights(recipe: Recipe) -> float:
    """What penalties on D's gradient weigh together."""
    return sum(penalty.weight for penalty in recipe.objective.penalties if penalty.on_gradient)


def kinds(recipe: Recipe) -> set[str]:
    return {penalty.kind for penalty in recipe.objective.penalties}


def distance_to_preset(recipe: Recipe) -> int:
    """How many values are not those of the preset that the recipe is based on."""
    now, usual = flatten(recipe), flatten(resolve(recipe.name))
    return sum(now.get(key) != value for key, value in usual.items())


LR_G, LR_D = "optimizer.generator.lr", "optimizer.discriminator.lr"


def no_momentum(before: Recipe, after: Recipe) -> bool:
    betas = [
        [getattr(one, "beta1", 0) for one in (r.optimizer.generator, r.optimizer.discriminator)]
        for r in (before, after)
    ]
    return max(betas[0]) > 0 == max(betas[1])


def one_more_steps(before: Recipe, after: Recipe) -> bool:
    steps = [(recipe.balance.g_steps, recipe.balance.d_steps) for recipe in (before, after)]
    return sum(a < b for a, b in zip(*steps, strict=True)) == 1 and sum(a > b for a, b in zip(*steps, strict=True)) == 0


def one_narrower(before: Recipe, after: Recipe) -> bool:
    widths = [(number(recipe, "generator.width"), number(recipe, "discriminator.width")) for recipe in (before, after)]
    return (
        sum(a > b for a, b in zip(*widths, strict=True)) == 1 and sum(a < b for a, b in zip(*widths, strict=True)) == 0
    )


DIRECTIONS: dict[str, Direction] = {
    "lower-both-rates": both(falls(LR_G), falls(LR_D)),
    "raise-both-rates": both(rises(LR_G), rises(LR_D)),
    "raise-g-rate": rises(LR_G),
    "constant-rates": becomes("optimizer.schedule", "constant"),
    "lower-d-rate": falls(LR_D),
    "lower-g-rate": falls(LR_G),
    "faster-d": both(rises(LR_D), falls(LR_G)),
    "cosine": lambda before, after: before.optimizer.schedule == "constant" and after.optimizer.schedule == "cosine",
    "warm-up": rises("optimizer.warmup_kimg"),
    "no-momentum": no_momentum,
    "longer-average": rises("ema.halflife_kimg"),
    "penalise-gradient": lambda before, after: slope_weights(after) > slope_weights(before),
    "penalty-for-clip": both(
        becomes("objective.weight_clip", None), lambda before, after: slope_weights(after) > 0
    ),
    "wider-clip": rises("objective.weight_clip"),
    "weaker-penalties": lambda before, after: (
        0 < slope_weights(after) < slope_weights(before) and kinds(before) == kinds(after)
    ),
    "non-saturating": becomes("objective.adversarial", "non-saturating"),
    "loss-on-logits": becomes("objective.adversarial", "non-saturating"),
    "relativistic-pairs": lambda before, after: (
        after.objective.adversarial == "relativistic" and {"r1", "r2"} <= kinds(after) and before.objective != after.objective
    ),
    "smooth-labels": falls("objective.real_label"),
    "instance-noise": rises("objective.instance_noise.std"),
    "wider-g": rises("generator.width"),
    "wider-d": rises("discriminator.width"),
    "narrower-d": falls("discriminator.width"),
    "equal-sizes": one_narrower,
    "norm-in-g": both(becomes("generator.norm", "batch"), lambda before, after: by_name(before, "generator.norm") == "none"),
    "norm-without-statistics": becomes("generator.norm", "layer"),
    "leaky-g": becomes("generator.activation", "leaky-relu"),
    "leaky-d": becomes("discriminator.activation", "leaky-relu"),
    "spectral-norm": becomes("discriminator.spectral_norm", True),
    "minibatch-stddev": becomes("discriminator.minibatch", "stddev"),
    "more-latent": rises("latent.dim"),
    "he-initialisation": becomes("init.scheme", "kaiming"),
    "normal-with-norms": lambda before, after: (
        (after.init.scheme, after.init.std) == ("normal", 0.02)
        and "none" not in (by_name(after, "generator.norm"), by_name(after, "discriminator.norm"))
    ),
    "more-d-steps": rises("balance.d_steps"),
    "fewer-d-steps": falls("balance.d_steps"),
    "fewer-g-steps": falls("balance.g_steps"),
    "more-steps-of-the-smaller": one_more_steps,
    "larger-batch": rises("training.batch"),
    "float32": becomes("training.precision", "32"),
    "augment": lambda before, after: (
        (before.augment.kind, after.augment.kind) == ("none", "diffaugment")
        or len(getattr(after.augment, "policy", ())) > len(getattr(before.augment, "policy", ()))
    ),
    "crop": lambda before, after: (
        (before.data.fit != "crop" and after.data.fit == "crop") or (before.data.trim != "each" and after.data.trim == "each")
    ),
    "stop": becomes("training.stop_when_done", True),
    "without-labels": becomes("data.conditional", False),
    "another-recipe": lambda before, after: before.name != after.name,
    "as-in-recipe": lambda before, after: distance_to_preset(after) < distance_to_preset(before),
}  # fmt: skip
