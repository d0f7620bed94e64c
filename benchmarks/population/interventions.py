"""What is done to a program, in three strengths each, and which of the doctor's codes name that cause rightly.

The codes were written down before the doctor was run on any of these; those of two findings that came later, eval-mode and
gradients-not-zeroed, were added with them, to the interventions that they are about. An intervention that does no harm counts
as healthy, whatever its codes: that is decided by the samples (truth.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganglion.recipe.schema import Recipe
from population.setting import Change, Players

__all__ = ["INTERVENTIONS", "Intervention"]

Settings = Callable[[Recipe], Mapping[str, object]]
"""From a recipe to what is set in it."""
STEEP = ("learning-rate-too-high", "exploding-gradient", "non-finite", "oscillation", "growing-oscillation", "noise-collapse",
         "mode-collapse")  # fmt: skip
COLLAPSE = ("mode-collapse", "partial-collapse")
D_STRONG = ("discriminator-wins", "vanishing-generator-gradient")


@dataclass(frozen=True)
class Strength:
    name: str
    change: dict[str, Any] | None = None
    """Fields of Change, for loops; None: it cannot be done to them."""
    settings: Settings | None = None
    """For recipes."""
    images: int | None = None
    """For recipes: as many images of the data set as this."""
    cost: float = 1.0
    """For recipes: times the time of a step, roughly, where that is much more than as it is."""


@dataclass(frozen=True)
class Intervention:
    kind: str
    codes: tuple[str, ...]
    strengths: tuple[Strength, ...]
    needs: frozenset[str] = field(default_factory=frozenset)
    """Traits of a program without which it makes no sense."""

    @property
    def about(self) -> str:
        """In words, beside which a strength's name stands."""
        return ABOUT[self.kind]


def _rates(d: float, g: float) -> Settings:
    def settings(recipe: Recipe) -> dict[str, object]:
        optimizer = recipe.optimizer
        return {
            "optimizer.discriminator.lr": optimizer.discriminator.lr * d, "optimizer.generator.lr": optimizer.generator.lr * g,
        }  # fmt: skip

    return settings


def _set(**values: object) -> Settings:
    return lambda recipe: {key.replace("__", "."): value for key, value in values.items()}


def _widths(g: float, d: float) -> Settings:
    def settings(recipe: Recipe) -> dict[str, object]:
        players: Any = recipe
        return {
            "generator.width": max(1, round(players.generator.width * g)),
            "discriminator.width": max(1, round(players.discriminator.width * d)),
        }

    return settings


def _normal(std: float) -> Callable[[nn.Module], None]:
    def fill(layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            weight = layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight
            nn.init.normal_(weight, 0.0, std)

    return fill


def _xavier(gain: float) -> Callable[[nn.Module], None]:
    def fill(layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            weight = layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight
            nn.init.xavier_uniform_(weight, gain)

    return fill


def _border(width: int) -> Callable[[Tensor, float], Tensor]:
    return lambda x, share: pad(x[:, :, width:-width, width:-width], (width,) * 4, value=1.0)


def _noisy(std: float) -> Callable[[Tensor, float], Tensor]:
    return lambda x, share: x + std * torch.randn_like(x)


def _turned(x: Tensor, share: float) -> Tensor:
    """Red and blue exchanged in half of the batches."""
    return x.flip(1) if torch.rand(()) < 0.5 else x


def _from(share: float, other: Callable[[Tensor], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """Reals that change when this share of the budget is gone."""
    return lambda x, gone: other(x) if gone >= share else x


def _constant(kinds: int) -> Callable[[Tensor], Tensor]:
    """One of so many latents."""

    def few(z: Tensor) -> Tensor:
        table = torch.randn(kinds, z.shape[1], generator=torch.Generator().manual_seed(5))
        return table[torch.arange(len(z)) % kinds]

    return few


class Once:
    """Does something to the players when a share of the budget is gone."""

    def __init__(self, share: float, act: Callable[[Players], None]) -> None:
        self.share, self.act, self.done = share, act, False

    def __call__(self, gone: float, players: Players) -> None:
        if not self.done and gone >= self.share:
            self.done = True
            self.act(players)


def _jump(factor: float, who: str = "gd") -> Callable[[], Once]:
    def act(players: Players) -> None:
        for name, optimizer in (("g", players.optimizer_g), ("d", players.optimizer_d)):
            if name in who:
                for group in optimizer.param_groups:
                    group["lr"] *= factor

    return lambda: Once(0.4, act)


def _reset(who: str) -> Callable[[], Once]:
    def act(players: Players) -> None:
        for name, network in (("G", players.G), ("D", players.D)):
            if name in who:
                for layer in network.modules():
                    if hasattr(layer, "reset_parameters"):
                        layer.reset_parameters()

    return lambda: Once(0.6, act)


def _nan(who: str, share: float) -> Callable[[], Once]:
    def act(players: Players) -> None:
        network = players.G if who == "G" else players.D
        weight = next(p for p in network.parameters() if p.ndim > 1)
        weight.data.view(-1)[0] = float("nan")

    return lambda: Once(share, act)


def _three(kind: str, codes: tuple[str, ...], *strengths: Strength, needs: str = "") -> Intervention:
    return Intervention(kind, codes, strengths, frozenset(needs.split()))


def _factor(kind: str, codes: tuple[str, ...], who: str, factors: tuple[float, ...]) -> Intervention:
    """Rates of one player or of both, by a factor."""
    strengths = []
    for factor in factors:
        g, d = factor if "g" in who else 1.0, factor if "d" in who else 1.0
        strengths.append(Strength(f"x{factor:g}", {"lr_g": g, "lr_d": d}, _rates(d, g)))
    return _three(kind, codes, *strengths)


LISTED = [
    Intervention("none", (), (Strength("as it is", {}, _set()),) * 3),
    _factor("d-rate-up", (*D_STRONG, *STEEP), "d", (5, 20, 100)),
    _factor("g-rate-up", ("generator-wins", "partial-collapse", "blank-collapse", *STEEP), "g", (5, 20, 100)),
    _factor("rates-up", STEEP, "gd", (5, 20, 100)),
    _factor("d-rate-down", ("generator-wins", "learning-rate-too-low", *COLLAPSE, "stalled"), "d", (1 / 5, 1 / 20, 1 / 100)),
    _factor("g-rate-down", ("learning-rate-too-low", "stalled", *D_STRONG), "g", (1 / 5, 1 / 20, 1 / 100)),
    _factor("rates-down", ("learning-rate-too-low", "stalled"), "gd", (1 / 20, 1 / 100, 1 / 1000)),
    _three("weights-large", ("bad-initialization", *STEEP, *D_STRONG),
           *(Strength(f"N(0, {std})", {"weights": _normal(std), "without_norms": "gd"},
                      _set(init__scheme="normal", init__std=std, generator__norm="none", discriminator__norm="none"))
             for std in (0.2, 0.5, 1.0)), needs="norms"),
    _three("weights-small", ("bad-initialization", "learning-rate-too-low", "stalled", "blank-collapse", "mode-collapse"),
           *(Strength(f"N(0, {std})", {"weights": _normal(std), "without_norms": "gd"},
                      _set(init__scheme="normal", init__std=std, generator__norm="none", discriminator__norm="none"))
             for std in (0.005, 0.002, 0.001)), needs="norms"),
    _three("weights-xavier", ("bad-initialization", *STEEP),
           Strength("gain 1", {"weights": _xavier(1)}, _set(init__scheme="xavier")),
           Strength("gain 3", {"weights": _xavier(3)}), Strength("gain 10", {"weights": _xavier(10)})),
    _three("no-norms", ("bad-initialization", *STEEP, *D_STRONG, "partial-collapse"),
           Strength("D", {"without_norms": "d"}, _set(discriminator__norm="none")),
           Strength("G", {"without_norms": "g"}, _set(generator__norm="none")),
           Strength("both", {"without_norms": "gd"}, _set(generator__norm="none", discriminator__norm="none")), needs="norms"),
    _three("range", ("range-mismatch",),
           Strength("[0, 1]", {"real": lambda x, share: (x + 1) / 2}),
           Strength("[0, 255]", {"real": lambda x, share: (x + 1) * 127.5}),
           Strength("scaled twice", {"real": lambda x, share: (x + 1) / 255 - 1})),
    _three("saturating", ("vanishing-generator-gradient", "discriminator-wins"),
           *(Strength(f"D's rate x{d}", {"saturating": True, "lr_d": float(d)}, lambda recipe, d=d: {
               "objective.adversarial": "minimax", "optimizer.discriminator.lr": recipe.optimizer.discriminator.lr * d})
             for d in (1, 5, 20)), needs="bce"),
    _three("d-steps", D_STRONG,
           *(Strength(str(n), {"d_steps": n}, _set(balance__d_steps=n), cost=(1 + n) / 2) for n in (8, 15, 30))),
    _three("g-steps", ("generator-wins", *COLLAPSE, "oscillation"),
           *(Strength(str(n), {"g_steps": n}, _set(balance__g_steps=n), cost=(1 + n) / 2) for n in (3, 8, 20))),
    _three("small-d", ("capacity-imbalance", "generator-wins", *COLLAPSE),
           *(Strength(f"a {n}th", {"width_d": 1 / n}, _widths(1, 1 / n)) for n in (4, 8, 16))),
    _three("small-g", ("capacity-imbalance", "discriminator-wins", "partial-collapse", "stalled"),
           *(Strength(f"a {n}th", {"width_g": 1 / n}, _widths(1 / n, 1)) for n in (4, 8, 16))),
    _three("large-d", ("capacity-imbalance", *D_STRONG),
           *(Strength(f"x{n}", {"width_d": float(n)}, _widths(1, n), cost=(1 + n * n) / 2) for n in (2, 4, 6))),
    _three("z-ignored", ("latent-ignored", *COLLAPSE),
           *(Strength(f"z times {f}", {"z": lambda z, f=f: f * z}) for f in (0.1, 0.01, 0.0)), needs="z"),
    _three("z-short", COLLAPSE, *(Strength(str(n), {"z_dim": n}, _set(latent__dim=n)) for n in (4, 2, 1)), needs="z"),
    _three("z-constant", ("latent-ignored", *COLLAPSE),
           *(Strength(f"{n} latents", {"z": _constant(n)}) for n in (16, 4, 1)), needs="z"),
    _three("clip", ("clip-saturation", "learning-rate-too-low", "exploding-gradient", "stalled"),
           *(Strength(str(c), {"clip": c}, _set(objective__weight_clip=c)) for c in (1.0, 0.001, 0.0001)), needs="clip"),
    _three("penalty", ("exploding-gradient", "stalled", "discriminator-wins", "learning-rate-too-low", "generator-wins"),
           *(Strength(str(w), {"penalty": float(w)}, lambda recipe, w=w: {"objective.penalties": [
               {"kind": p.kind, "weight": float(w), "interval_updates": p.interval_updates}
               for p in recipe.objective.penalties]}) for w in (0.001, 1000, 100_000)), needs="penalty"),
    _three("norm-momentum", ("batchnorm-mismatch",),
           *(Strength(str(m), {"momentum": m}) for m in (0.001, 0.0001, 0.0)), needs="norms"),
    _three("g-in-eval-mode", ("batchnorm-mismatch", "eval-mode"),
           Strength("all the time", {"evaluating_g": True}),
           Strength("rates x3", {"evaluating_g": True, "lr_g": 3.0, "lr_d": 3.0}),
           Strength("rates / 3", {"evaluating_g": True, "lr_g": 1 / 3, "lr_d": 1 / 3}), needs="norms"),
    _three("small-batch", ("oscillation", "partial-collapse", "mode-collapse", "batchnorm-mismatch"),
           *(Strength(str(n), {"batch": n}, _set(training__batch=n)) for n in (8, 4, 2))),
    _three("few-images", ("discriminator-overfitting", "memorization", "partial-collapse", "discriminator-wins"),
           *(Strength(str(n), {"images": n}, _set(), n) for n in (500, 50, 16))),
    _three("labels-swapped", ("labels-swapped",),
           *(Strength(f"G's label {y}", {"label_for_g": y}) for y in (0.5, 0.25, 0.0)), needs="targets"),
    _three("labels-shuffled", ("generator-wins", "labels-swapped", "stalled", "learning-rate-too-low"),
           *(Strength(f"{share:.0%}", {"wrong_labels": share}) for share in (0.2, 0.4, 0.5)), needs="targets"),
    _three("crosstalk", ("optimizer-crosstalk",),
           *(Strength(f"G's has both, its rate x{f}", {"crosstalk": "g", "lr_g": f}) for f in (0.2, 1.0, 5.0))),
    _three("gradients-kept", ("gradients-not-zeroed", *STEEP, *D_STRONG, "stalled"),
           *(Strength(who, {"keep_gradients": who}) for who in ("d", "g", "gd"))),
    _three("detach", ("gradients-not-zeroed", "optimizer-crosstalk", "generator-wins", "learning-rate-too-low", "stalled",
                      *D_STRONG),
           Strength("too much", {"detach": "too much"}),
           Strength("forgotten, and G's gradients kept", {"detach": "forgotten", "keep_gradients": "g"}),
           Strength("the same, and G's rate / 5", {"detach": "forgotten", "keep_gradients": "g", "lr_g": 0.2})),
    _three("old-fakes", ("generator-wins", "oscillation", "growing-oscillation", *COLLAPSE),
           *(Strength(f"{n} steps", {"stale": n}) for n in (1, 20, 200))),
    _three("nan", ("non-finite",),
           Strength("in G", {"event": _nan("G", 0.3)}), Strength("in D", {"event": _nan("D", 0.3)}),
           Strength("late, in G", {"event": _nan("G", 0.8)})),
    _three("rate-jump", ("late-collapse", *STEEP), *(Strength(f"x{f}", {"event": _jump(f)}) for f in (10, 100, 1000))),
    _three("reset", ("late-collapse", "oscillation", "generator-wins", "discriminator-wins"),
           *(Strength(who, {"event": _reset(who)}) for who in ("D", "G", "GD"))),
    _three("other-data", ("late-collapse", "range-mismatch", "discriminator-wins"),
           Strength("noise", {"real": _from(0.5, lambda x: torch.randn_like(x).clamp(-1, 1))}),
           Strength("inverted", {"real": _from(0.5, lambda x: -x)}),
           Strength("black", {"real": _from(0.5, lambda x: torch.full_like(x, -1.0))})),
    _three("border", ("padding-shortcut",), *(Strength(f"{n} pixels", {"real": _border(n)}) for n in (1, 2, 4))),
    _three("without-tanh", ("range-mismatch", *STEEP, "bad-initialization"),
           Strength("linear", {"last": nn.Identity}), Strength("sigmoid", {"last": nn.Sigmoid}),
           Strength("ReLU", {"last": nn.ReLU})),
    _three("colours", ("range-mismatch", "discriminator-wins"),
           Strength("one channel 0", {"real": lambda x, share: torch.cat([torch.full_like(x[:, :1], -1.0), x[:, 1:]], 1)}),
           Strength("channels turned in half of the batches", {"real": _turned}),
           Strength("gray", {"real": lambda x, share: x.mean(1, keepdim=True).expand_as(x)}), needs="colour"),
    _three("noisy-reals", ("discriminator-wins", "noise-collapse", "range-mismatch"),
           *(Strength(f"std {std}", {"real": _noisy(std)}) for std in (0.1, 0.5, 1.0))),
    _three("rates-die", ("learning-rate-too-low", "stalled"),
           *(Strength(f"at {share:.0%}", {"event": lambda share=share: Once(share, _dying)}) for share in (0.3, 0.1, 0.03))),
]  # fmt: skip


def _dying(players: Players) -> None:
    for optimizer in (players.optimizer_g, players.optimizer_d):
        for group in optimizer.param_groups:
            group["lr"] = 0.0


ABOUT = {
    "none": "as it is", "d-rate-up": "D's learning rate raised", "g-rate-up": "G's learning rate raised",
    "rates-up": "both learning rates raised", "d-rate-down": "D's learning rate lowered",
    "g-rate-down": "G's learning rate lowered", "rates-down": "both learning rates lowered",
    "weights-large": "no norm layers, first weights too large", "weights-small": "no norm layers, first weights too small",
    "weights-xavier": "Xavier's first weights", "no-norms": "no norm layers", "range": "reals of another range",
    "saturating": "saturating loss", "d-steps": "more steps of D", "g-steps": "more steps of G", "small-d": "D too narrow",
    "small-g": "G too narrow", "large-d": "D too wide", "z-ignored": "latents scaled down", "z-short": "few latent dimensions",
    "z-constant": "few latents", "clip": "weights clipped elsewhere", "penalty": "penalty of another weight",
    "norm-momentum": "batch norm's momentum too small", "g-in-eval-mode": "G trained in eval mode",
    "small-batch": "small batches", "few-images": "few images", "labels-swapped": "G trained on a wrong label",
    "labels-shuffled": "some of D's labels wrong", "crosstalk": "one optimiser with both networks' weights",
    "gradients-kept": "gradients never zeroed", "detach": "detach in the wrong place", "old-fakes": "D shown old fakes",
    "nan": "a NaN in the weights", "rate-jump": "learning rates that jump", "reset": "a network reset",
    "other-data": "other images half-way", "border": "a border on reals only", "without-tanh": "G without tanh",
    "colours": "reals in wrong colours", "noisy-reals": "noise on reals", "rates-die": "learning rates that end early",
}  # fmt: skip
"""By kind."""

EVENTS_ARE_MADE = ("nan", "rate-jump", "reset", "rates-die")
"""Kinds whose event is made anew for each run: it remembers that it has happened."""

INTERVENTIONS = {one.kind: one for one in LISTED}


def change_of(kind: str, strength: int) -> Change | None:
    """What the intervention changes in a loop; None where it cannot be done to one."""
    fields = INTERVENTIONS[kind].strengths[strength].change
    if fields is None:
        return None
    if kind in EVENTS_ARE_MADE:
        fields = {**fields, "event": fields["event"]()}
    return Change(**fields)
