"""Models of every family with first weights, for tests that need no training."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ganglion.latent.model import Model, trained_model
from ganglion.networks.build import build_generator
from ganglion.recipe.explain import keys_of_choice
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe

__all__ = ["off_the_first_weights", "recipe_of", "untrained_model"]

CLASSES = ["cat", "</script><b>", "dog"]
ATTRIBUTES = [
    {"name": "smiling", "kind": "yes-no"},
    {"name": "age", "kind": "number", "low": 3, "high": 80, "mean": 40, "std": 10},
    {"name": "hair", "kind": "class", "classes": ["dark", "<b>fair</b>"]},
]
ROWS = np.array([[1, 30, 0], [0, 50, 1], [1, np.nan, 1]], np.float32)


def recipe_of(family: str = "dcgan", size: str = "16", channels: int = 3, given: str = "", **more: object) -> Recipe:
    """Of width 4; keys of `more` have two underscores for a dot. `given`: what G and D are conditioned on, classes or
    attributes; nothing by default."""
    changes: dict[str, object] = {
        "generator.family": family, "discriminator.family": family, "generator.width": 4, "discriminator.width": 4,
        "data.size": size, "data.channels": channels, "latent.dim": 6, "init.scheme": "kaiming",
        "data.source": "/home/anna/photos",
    }  # fmt: skip
    if given:
        changes["data.conditional"] = True
    if given == "classes":
        changes |= {"data.classes": CLASSES, "data.class_counts": [5, 5, 5]}
    if given == "attributes":
        changes |= {"data.conditions": ATTRIBUTES}
    if given and "conditioning" in keys_of_choice(Recipe, "generator", family):
        changes["generator.conditioning"] = "norm" if given == "classes" else "embedding"
    return resolve("dcgan", changes | {key.replace("__", "."): value for key, value in more.items()})


def untrained_model(*words: object, **asked: object) -> Model:
    """`recipe_of` with these arguments, as a model."""
    settings = recipe_of(*words, **asked)  # type: ignore[arg-type]
    network = off_the_first_weights(build_generator(settings)).eval().requires_grad_(False)
    rows = ROWS if settings.data.conditions else None
    return trained_model(network, settings, torch.device("cpu"), rows=rows)


def off_the_first_weights(network: nn.Module) -> nn.Module:
    """Some families set the last weights of a block to 0; and running statistics that are not 0 and 1."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        statistics = [buffer for name, buffer in network.named_buffers() if "running" in name]
        for weight in [*network.parameters(), *statistics]:
            weight += 0.1 * torch.randn(weight.shape, generator=random).clamp(-3, 3)
    return network
