"""What stands in a graph in place of our layers computes the same."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.data.alpha import straight
from ganglion.exporting.layers import NORMALISATIONS, StddevOfAnyBatch, exportable, straight_alpha
from ganglion.networks.build import build_discriminator
from ganglion.networks.few_channels import ImageConv2d, ImageConvTranspose2d
from ganglion.networks.layers import MinibatchStddev
from ganglion.networks.sampling import draw_latents
from ganglion.recipe.schema import Latent, Prior
from ganglion.streams import Purpose, stream
from untrained_models import off_the_first_weights, recipe_of, untrained_model


def test_alpha_is_made_straight_as_at_every_other_edge_for_every_colour_and_alpha() -> None:
    colour, alpha = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    pixels = np.stack([colour, colour // 2, 255 - colour, alpha], -1).astype(np.uint8)[None]
    assert np.array_equal(straight_alpha(torch.from_numpy(pixels)).numpy(), straight(pixels))


@pytest.mark.parametrize("prior", get_args(Prior))
def test_a_latent_of_a_prior_stays_as_it_is(prior: Prior) -> None:
    z = draw_latents(Latent(dim=24, prior=prior), 32, stream(0, Purpose.SAMPLE))
    assert torch.allclose(NORMALISATIONS[prior](z), z, rtol=1e-6, atol=1e-6)


def test_numbers_of_any_size_are_put_on_the_sphere() -> None:
    z = torch.randn(8, 24, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 8)[:, None]
    on = NORMALISATIONS["sphere"](z)
    assert torch.allclose(on.norm(dim=1), torch.full((8,), 24**0.5))
    assert torch.allclose(nn.functional.cosine_similarity(on, z), torch.ones(8))
    assert NORMALISATIONS["sphere"](torch.zeros(1, 24)).isfinite().all()


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 12])
def test_statistics_of_groups_are_those_of_the_layer_for_every_batch(n: int) -> None:
    features = torch.randn(n, 40, generator=torch.Generator().manual_seed(n)) * 3 + 100
    assert torch.allclose(StddevOfAnyBatch()(features), MinibatchStddev()(features), rtol=1e-4, atol=2e-4)


def test_a_copy_for_export_has_plain_layers_and_leaves_the_network_as_it_was() -> None:
    settings = recipe_of("resnet", given="classes", discriminator__spectral_norm=True)
    network = off_the_first_weights(build_discriminator(settings)).eval()
    images, labels = torch.rand(4, 3, 16, 16) * 2 - 1, torch.tensor([0, 1, 2, 0])
    before = network(images, labels)
    copied = exportable(network)
    assert "parametrizations" in "".join(network.state_dict())
    assert "parametrizations" not in "".join(copied.state_dict())
    assert torch.allclose(copied(images, labels), before, atol=1e-5)
    assert torch.equal(network(images, labels), before)


def test_layers_for_few_channels_become_pytorchs() -> None:
    network = untrained_model("dcgan").generator
    kinds = {type(module) for module in exportable(network).modules()}
    assert kinds & {ImageConv2d, ImageConvTranspose2d} == set()
    assert any(type(module) is ImageConvTranspose2d for module in network.modules())
