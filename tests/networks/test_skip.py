import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, one_hot

from ganglion.networks import skip
from ganglion.networks.initialise import initialise
from ganglion.networks.resampling import UPSAMPLINGS, SubPixel
from ganglion.recipe.networks import SkipDiscriminator, SkipGenerator
from ganglion.recipe.schema import Init
from ganglion.recipe.size import chain_to

SIZES = [(16, 16), (28, 28), (32, 32), (48, 48), (96, 64), (64, 96), (128, 128)]
GROWING = [((32, 32), 1), ((64, 64), 2), ((96, 64), 2), ((128, 128), 3)]
"""Sizes, and how often their images can be halved to a short side of 16 to 31 pixels."""
Z = 4


def generator(size=(32, 32), channels=3, classes=0, first_weights=True, **settings) -> nn.Module:
    network = skip.generator(SkipGenerator(**{"width": 2} | settings), Z, channels, chain_to(size), classes)
    return with_first_weights(network, 0) if first_weights else network


def discriminator(size=(32, 32), channels=3, classes=0, first_weights=True, **settings) -> nn.Module:
    network = skip.discriminator(SkipDiscriminator(**{"width": 2} | settings), channels, chain_to(size), classes)
    return with_first_weights(network, 1) if first_weights else network


def with_first_weights(network: nn.Module, seed: int) -> nn.Module:
    initialise(network, Init(scheme="kaiming"), np.random.default_rng(seed))
    return network


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_g_makes_images_of_the_asked_shape_between_minus_1_and_1(size, upsampling):
    for channels, norm in ((1, "batch"), (2, "layer"), (3, "none"), (4, "instance")):
        with torch.no_grad():
            images = generator(size, channels, upsampling=upsampling, norm=norm)(noise(2, Z) * 10)
        assert images.shape == (2, channels, *size)
        assert images.isfinite().all()
        assert images.abs().max() <= 1


@pytest.mark.parametrize("size", SIZES)
def test_d_gives_one_logit_for_each_image(size):
    for channels, minibatch in ((1, "none"), (2, "stddev"), (3, "discrimination"), (4, "none")):
        with torch.no_grad():
            logits = discriminator(size, channels, minibatch=minibatch)(noise(4, channels, *size))
        assert logits.shape == (4,)
        assert logits.isfinite().all()


@pytest.mark.parametrize(("size", "halvings"), GROWING)
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
@torch.no_grad()
def test_gs_first_images_are_its_smaller_ones_enlarged(size, halvings, upsampling):
    network, z = generator(size, norm="none", upsampling=upsampling), noise(3, Z) * 0.05
    image = torch.atanh(network(z, None, halvings).double())
    for left_out in range(halvings - 1, -1, -1):
        image = interpolate(image, scale_factor=2, mode="bilinear")
        assert torch.allclose(network(z, None, left_out).double(), image.tanh(), atol=1e-5)
    assert image.shape[2:] == size


@pytest.mark.parametrize(("size", "halvings"), GROWING)
@torch.no_grad()
def test_ds_first_logits_are_those_of_the_halved_images(size, halvings):
    network, images = discriminator(size), noise(3, 3, *size)
    for times in range(1, halvings + 1):
        assert torch.allclose(network(avg_pool2d(images, 2**times)), network(images), atol=1e-5)


@pytest.mark.parametrize(("size", "halvings"), GROWING)
def test_a_step_at_a_small_size_trains_what_makes_and_sees_it_and_nothing_else(size, halvings):
    g, d = generator(size), discriminator(size)
    d(g(noise(2, Z), None, halvings)).sum().backward()
    deep = len(g.blocks) - halvings
    assert all(weight.grad is None for block in g.blocks[deep:] for weight in block.parameters())
    assert all(weight.grad is None for block in d.blocks[:halvings] for weight in block.parameters())
    assert g.blocks[deep - 1].to_image.weight.grad.abs().max() > 0
    assert g.stem.linear.weight.grad.abs().max() > 0
    assert d.blocks[halvings].from_image.weight.grad.abs().max() > 0


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_what_begins_at_zero_gets_a_gradient_at_the_full_size(upsampling):
    g, d = generator((64, 64), upsampling=upsampling), discriminator((64, 64))
    d(g(noise(2, Z))).sum().backward()
    last = [weight.grad for weight in g.blocks[-1].to_image.parameters()]
    assert d.blocks[2].reduce.weight.grad.abs().max() > 0  # at 16x16; that of 32x32 follows when this one has moved
    assert last[0].abs().max() > 0


def test_every_resolution_adds_to_the_image_once_it_is_trained():
    network, z = generator((64, 64), norm="none"), noise(2, Z)
    before = network(z).detach()
    for number, block in enumerate(network.blocks):
        if block.to_image is None:
            assert number == 0  # 8x8 pixels
            continue
        with torch.no_grad():
            block.to_image.bias.add_(0.5)
            after = network(z)
            block.to_image.bias.sub_(0.5)
        assert (after > before).all(), number


def test_features_count_the_blocks_from_the_largest_image():
    network = discriminator((64, 64))
    large, small = noise(2, 3, 64, 64), noise(2, 3, 16, 16)
    assert [x.shape[2] for x in network.features(large)] == [32, 16, 8, 4]
    assert [x.shape[2] for x in network.features(small)] == [8, 4]
    assert network.trace(small)[1].shape == network.trace(large)[1].shape == (2, 16 * 4 * 4)


def test_classes_reach_the_images_of_every_size_and_the_logits():
    for conditioning in ("embedding", "norm"):
        g = generator((64, 64), classes=3, conditioning=conditioning, first_weights=False).eval()
        for halvings in (0, 1, 2):
            one, other = (g(noise(2, Z), torch.tensor([label, label]), halvings) for label in (0, 2))
            if conditioning == "embedding":
                assert not torch.equal(one, other)
    d = discriminator((64, 64), classes=3)
    images = noise(2, 3, 16, 16)
    assert not torch.equal(d(images, torch.tensor([0, 0])), d(images, torch.tensor([1, 1])))


@pytest.mark.parametrize("conditioning", ["embedding", "norm"])
def test_a_class_is_a_condition_vector_with_one_1_at_every_size(conditioning: str):
    g = generator((64, 64), classes=3, conditioning=conditioning, first_weights=False)
    with torch.no_grad():
        for number, (name, weight) in enumerate(g.named_parameters()):
            if name.endswith(("scale", "shift")):
                weight.add_(noise(number + 1, *weight.shape)[number])
    d, labels = discriminator((64, 64), classes=3), torch.tensor([0, 2, 1, 1])
    vectors = one_hot(labels, 3).float()
    for halvings in (0, 1, 2):
        images = g(noise(4, Z), labels, halvings)
        assert torch.allclose(g(noise(4, Z), vectors, halvings), images, atol=1e-5)
        assert not torch.allclose(g(noise(4, Z), vectors / 2, halvings), images, atol=1e-3)
        assert torch.allclose(d(images, vectors), d(images, labels), atol=1e-5)


def test_d_sees_where_the_attributes_of_a_condition_vector_are_at_every_size():
    d = discriminator((64, 64), classes=2)
    d.head.project_places()
    assert d.head.projection.weight.shape == (2, 16 * 4 * 4)
    for side in (64, 16):
        images = noise(3, 3, side, side)
        left, right = (d(images, torch.tensor([[value, 1.0]] * 3)) for value in (1, -1))
        assert not torch.allclose(left, right)


def test_a_sub_pixel_convolution_begins_without_a_grid():
    layer = with_first_weights(SubPixel(3, 2, bias=True), 0)
    out = layer(noise(1, 3, 5, 5))
    squares = out.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    assert torch.allclose(squares, squares[..., :1].expand_as(squares))


def test_d_has_no_spectral_norm_since_a_weight_that_begins_at_zero_has_no_norm_to_divide_by() -> None:
    assert "spectral_norm" not in SkipDiscriminator.model_fields
    with torch.no_grad():
        assert discriminator((64, 64))(noise(2, 3, 64, 64)).isfinite().all()
