"""Ideas about the networks: widths, norms, non-linearities, first weights, the latent, statistics of a batch in D."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ganglion.doctor.remedies.idea import Change, Idea, Known

if TYPE_CHECKING:
    from ganglion.recipe.schema import Recipe

__all__ = [
    "EQUAL_SIZES", "KAIMING", "LEAKY_D", "LEAKY_G", "MORE_LATENT", "NARROWER_D", "NORMAL_WITH_NORMS", "NORM_IN_G",
    "NORM_WITHOUT_STATISTICS", "SPECTRAL_NORM", "STDDEV", "WIDER_D", "WIDER_G",
]  # fmt: skip

WIDEST, NARROWEST, LARGEST_LATENT = 1024, 8, 512
NAMES = {"generator": "G", "discriminator": "D"}


def _resized(recipe: Recipe, player: str, new: int) -> Change | None:
    """Another width; None for networks of the user's own, and beyond what makes sense."""
    now = getattr(getattr(recipe, player), "width", None)
    if now is None or new == now or not NARROWEST <= new <= WIDEST:
        return None
    verb = "Widen" if new > now else "Narrow"
    return Change(f"{verb} {NAMES[player]}: width from {now} to {new}", {f"{player}.width": new})


def _times(player: str, factor: float, recipe: Recipe) -> Change | None:
    return _resized(recipe, player, int(getattr(getattr(recipe, player), "width", 0) * factor))


WIDER_G = Idea("wider-g", "Widen G", "twice G's feature maps", lambda recipe, known: _times("generator", 2, recipe))
WIDER_D = Idea("wider-d", "Widen D", "twice D's feature maps", lambda recipe, known: _times("discriminator", 2, recipe))
NARROWER_D = Idea(
    "narrower-d", "Narrow D", "half of D's feature maps", lambda recipe, known: _times("discriminator", 0.5, recipe)
)


def _equal_sizes(recipe: Recipe, known: Known) -> Change | None:
    """Weights grow with the square of the width."""
    g, d = known.parameters_g, known.parameters_d
    if math.isnan(g) or math.isnan(d) or min(g, d) < 1:
        return None
    larger = "discriminator" if d > g else "generator"
    width = getattr(getattr(recipe, larger), "width", 0)
    new = max(NARROWEST, round(width / math.sqrt(max(g / d, d / g)) / 8) * 8)
    return _resized(recipe, larger, new) if new < width else None


def _equal_sizes_code(known: Known) -> str:
    g, d = known.parameters_g, known.parameters_d
    hint = "equal numbers of feature maps at equal resolutions"
    return hint if math.isnan(g) or math.isnan(d) else f"your G has {g:,.0f} weights, your D {d:,.0f}: {hint}"


EQUAL_SIZES = Idea("equal-sizes", "Narrow the larger of the two networks", _equal_sizes_code, _equal_sizes)


def _norm_in_g(recipe: Recipe, known: Known) -> Change | None:
    if getattr(recipe.generator, "norm", "") != "none":
        return None
    return Change("Use batch norm in G, which has none", {"generator.norm": "batch"})


NORM_IN_G = Idea("norm-in-g", "Use batch norm in G", "BatchNorm2d after each layer but the last", _norm_in_g)


def _norm_without_statistics(recipe: Recipe, known: Known) -> Change | None:
    now = getattr(recipe.generator, "norm", "")
    if now not in ("batch", "virtual-batch"):
        return None
    return Change(
        f"Use layer norm in G, which has no statistics to go wrong, in place of {now} norm", {"generator.norm": "layer"}
    )


NORM_WITHOUT_STATISTICS = Idea(
    "norm-without-statistics", "Use a norm without running statistics in G", "GroupNorm, InstanceNorm, or none",
    _norm_without_statistics,
)  # fmt: skip


def _leaky(player: str, recipe: Recipe) -> Change | None:
    if getattr(getattr(recipe, player), "activation", "") != "relu":
        return None
    return Change(
        f"Use leaky ReLU in {NAMES[player]}, whose units cannot die, in place of ReLU",
        {f"{player}.activation": "leaky-relu"},
    )


LEAKY_G = Idea(
    "leaky-g", "Use leaky ReLU in G, whose units cannot die", "LeakyReLU(0.2) in G",
    lambda recipe, known: _leaky("generator", recipe),
)  # fmt: skip
LEAKY_D = Idea(
    "leaky-d", "Use leaky ReLU in D, whose units cannot die", "LeakyReLU(0.2) in D",
    lambda recipe, known: _leaky("discriminator", recipe),
)  # fmt: skip


def _spectral_norm(recipe: Recipe, known: Known) -> Change | None:
    if getattr(recipe.discriminator, "spectral_norm", True) or recipe.objective.weight_clip is not None:
        return None
    return Change(
        "Normalise the weights of D spectrally, which bounds its slope", {"discriminator.spectral_norm": True}
    )


SPECTRAL_NORM = Idea(
    "spectral-norm", "Normalise the weights of D spectrally, which bounds its slope",
    "torch.nn.utils.parametrizations.spectral_norm on each layer of D", _spectral_norm,
)  # fmt: skip


def _stddev(recipe: Recipe, known: Known) -> Change | None:
    if getattr(recipe.discriminator, "minibatch", "") != "none":
        return None
    return Change(
        "Let D compare the images of a batch, by their standard deviation", {"discriminator.minibatch": "stddev"}
    )


STDDEV = Idea(
    "minibatch-stddev", "Let D compare the images of a batch",
    "minibatch standard deviation (Karras et al. 2018) before D's last layer", _stddev,
)  # fmt: skip


def _more_latent(recipe: Recipe, known: Known) -> Change | None:
    """Networks of the user's own may take z of one length only."""
    now = recipe.latent.dim
    if recipe.generator.family == "custom" or now >= LARGEST_LATENT:
        return None
    return Change(f"Give the latent more dimensions, from {now} to {2 * now}", {"latent.dim": 2 * now})


MORE_LATENT = Idea("more-latent", "Give the latent twice as many dimensions", "z of 64 to 128 dimensions", _more_latent)


def _kaiming(recipe: Recipe, known: Known) -> Change | None:
    """Networks of the user's own draw their first weights themselves."""
    now = recipe.init.scheme
    if recipe.generator.family == "custom" or now == "kaiming":
        return None
    was = f"normal with a standard deviation of {recipe.init.std:g}" if now == "normal" else now
    return Change(f"Draw the first weights by He's scheme, which preserves the size of signals, in place of {was}", {
        "init.scheme": "kaiming"
    })  # fmt: skip


KAIMING = Idea(
    "he-initialisation", "Draw the first weights by He's scheme, which preserves the size of signals",
    "nn.init.kaiming_normal_(weight)", _kaiming, fresh=True,
)  # fmt: skip


def _normal_with_norms(recipe: Recipe, known: Known) -> Change | None:
    norms = {player: getattr(getattr(recipe, player), "norm", None) for player in NAMES}
    if None in norms.values():
        return None
    penalised = any(penalty.on_gradient for penalty in recipe.objective.penalties)
    wanted = {"generator": "batch", "discriminator": "layer" if penalised else "batch"}
    settings: dict[str, object] = {"init.scheme": "normal", "init.std": 0.02}
    settings |= {f"{player}.norm": wanted[player] for player, norm in norms.items() if norm == "none"}
    if recipe.init.scheme == "normal" and recipe.init.std == 0.02 and len(settings) == 2:
        return None
    told = " and ".join(f"{wanted[player]} norm in {NAMES[player]}" for player, norm in norms.items() if norm == "none")
    return Change(f"Draw the first weights from N(0, 0.02){f', with {told}' if told else ''}", settings)


NORMAL_WITH_NORMS = Idea(
    "normal-with-norms", "Draw the first weights from N(0, 0.02), with norms in both networks",
    "nn.init.normal_(weight, 0, 0.02), and BatchNorm2d", _normal_with_norms, fresh=True,
)  # fmt: skip
