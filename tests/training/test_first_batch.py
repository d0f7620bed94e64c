"""What is wrong with networks of one's own is told before anything is written, with what came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganglion
from ganglion.errors import RecipeError
from ganglion.recipe.resolve import resolve

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)


def g(*last: nn.Module, out: int = 256) -> nn.Module:
    return nn.Sequential(nn.Linear(6, out), *(last or (nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))))


def d(*last: nn.Module, out: int = 1) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 8), *last, nn.Linear(8, out))


class Calls(nn.Module):
    """`call` of the output of another network."""

    def __init__(self, network: nn.Module, call: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network, self.call = network, call

    def forward(self, x: Tensor) -> Any:
        return self.call(self.network(x))


def still(network: nn.Module) -> nn.Module:
    return network.requires_grad_(False)


def constant(x: Tensor) -> Tensor:
    return torch.zeros(len(x), 1, requires_grad=True)


R1 = {"objective.penalties": [{"kind": "r1", "weight": 1}]}

CASES: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "G without D": (g(), None, {}, "take a torch.nn.Module each; discriminator is nothing"),
    "a function": (g(), lambda x: x, {}, "discriminator is function"),
    "shared weights": (shared := g(), nn.Sequential(nn.Flatten(), shared, d()), {}, "share weights"),
    "other latents": (g(), d(), {"latent.dim": 7}, r"G does not take latents \(8, 7\): RuntimeError.*latent.dim"),
    "other images": (g(nn.Tanh(), nn.Unflatten(1, (4, 8, 8))), d(), {"data.size": 16, "data.channels": 1},
                     r"G returned \(8, 4, 8, 8\), and images of this run are \(8, 1, 16, 16\)"),
    "flat images": (g(nn.Tanh()), d(), {"data.size": 16}, r"G returned \(8, 256\)"),
    "no bounds": (g(nn.Linear(256, 256), nn.LayerNorm(256), nn.Unflatten(1, (1, 16, 16))), d(), {}, "end G with nn.Tanh"),
    "NaN": (Calls(g(), lambda x: x / 0), d(), {}, "not finite"),
    "a tuple from G": (Calls(g(), lambda x: (x, x)), d(), {"data.size": 16}, "G returned tuple"),
    "a pair of logits": (g(), d(out=2), {}, r"D returned \(8, 2\) for 8 images; logits are"),
    "D of other images": (g(), nn.Sequential(nn.Flatten(), nn.Linear(9, 1)), {}, "D does not take images .*RuntimeError"),
    "a sigmoid": (g(), nn.Sequential(d(), nn.Sigmoid()), {}, "leave the sigmoid out"),
    "G that cannot learn": (still(g()), d(), {}, "G has no weight that could be trained"),
    "G without gradient": (Calls(g(), lambda x: x.detach()), d(), {}, "G's images carry no gradient"),
    "D without gradient": (g(), Calls(d(), constant), {}, "no gradient reaches D's weights"),
    "batch norm and R1": (g(), d(nn.BatchNorm1d(8)), R1, r"depend on the whole batch .*; take it out of D"),
    "no such module": (g(), d(), {"objective.feature_matching.layer": "head"}, "D has no module 'head'; its modules are 0, 1"),
    "lazy layers": (nn.Sequential(nn.LazyLinear(256), nn.Tanh()), d(), {}, "generator has lazy layers"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_told_with_what_came(tmp_path: Path, cache: Path, case: str) -> None:
    generator, discriminator, settings, told = CASES[case]
    with pytest.raises(RecipeError, match=told):
        ganglion.train(
            IMAGES, recipe="dcgan", generator=generator, discriminator=discriminator, batch=8, steps=2, run=tmp_path / "run",
            device="cpu", precision="32", set={"latent.dim": 6} | settings, cache=cache, quiet=True,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"generator.family": "custom"},
            "family custom stands for networks of your own, generator and discriminator both",
        ),
        ({"objective.adversarial": "custom"}, "custom is a loss of your own"),
        ({"objective.feature_matching.layer": "head"}, "names of modules go with a D of your own"),
        ({"data.size": 50}, "data.size: 50 cannot be reached by doubling"),
        (
            {"augment.kind": "ada", "objective.adversarial": "wasserstein"},
            "has no meaning under the loss wasserstein",
        ),
    ],
)
def test_a_recipe_cannot_ask_for_what_only_a_program_has(settings: dict[str, object], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        resolve("dcgan", settings)


@pytest.mark.parametrize("layer", [0, "2", -1])
def test_features_are_those_of_the_module_that_is_named(tmp_path: Path, cache: Path, layer: int | str) -> None:
    """In an nn.Sequential modules have numbers."""
    run = ganglion.train(
        IMAGES, recipe="dcgan", generator=g(), discriminator=d(nn.ReLU()), batch=8, steps=2, run=tmp_path / "run", device="cpu",
        precision="32", cache=cache, quiet=True, at_end=lambda run: None,
        set={"latent.dim": 6, "objective.feature_matching.layer": layer, "objective.feature_matching.weight": 1},
    )  # fmt: skip
    assert "loss_g_feature_matching" in run.records()[-1]
