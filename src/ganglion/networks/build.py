"""From a recipe to networks. A new family is one entry in each table."""

from __future__ import annotations

import torch
from torch import nn

from ganglion.networks import dcgan
from ganglion.networks.initialise import initialise
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import Chain, chain_to
from ganglion.streams import Purpose, stream

__all__ = ["DISCRIMINATORS", "GENERATORS", "build_discriminator", "build_generator"]

GENERATORS = {"dcgan": dcgan.Generator}
DISCRIMINATORS = {"dcgan": dcgan.Discriminator}


def build_generator(recipe: Recipe) -> nn.Module:
    """G with the first weights that the recipe's seed gives: z (N, Z) to images (N, C, H, W) in [-1, 1]."""
    channels, chain = _image(recipe)
    with torch.random.fork_rng(devices=[]):  # PyTorch's layers draw weights of their own; the caller's numbers stay his
        family = GENERATORS[recipe.generator.family]
        network = family(recipe.generator, recipe.latent.dim, channels, chain)
    return _initialised(network, recipe, Purpose.INIT_GENERATOR)


def build_discriminator(recipe: Recipe) -> nn.Module:
    """D with the first weights that the recipe's seed gives: images (N, C, H, W) to logits (N,)."""
    channels, chain = _image(recipe)
    with torch.random.fork_rng(devices=[]):
        network = DISCRIMINATORS[recipe.discriminator.family](recipe.discriminator, channels, chain)
    return _initialised(network, recipe, Purpose.INIT_DISCRIMINATOR)


def _image(recipe: Recipe) -> tuple[int, Chain]:
    size, channels = recipe.data.size, recipe.data.channels
    chain = chain_to(size) if size else None
    if chain is None or channels is None:
        raise ValueError("data.size and data.channels are settled before networks are built")
    return channels, chain


def _initialised(network: nn.Module, recipe: Recipe, purpose: Purpose) -> nn.Module:
    initialise(network, recipe.init, stream(recipe.training.seed, purpose))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stub lacks this keyword
    return network
