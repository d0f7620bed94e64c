import pytest
import torch
from torch import nn

from ganglion.networks import dcgan
from ganglion.networks.layers import ACTIVATIONS, NORMS
from ganglion.recipe.networks import DcganDiscriminator, DcganGenerator
from ganglion.recipe.size import chain_to

SIZES = [(16, 16), (28, 28), (32, 32), (48, 48), (64, 64), (96, 64), (64, 96), (128, 128)]
CHOICES = [
    (channels, norm, list(ACTIVATIONS)[(row + column) % 4])
    for row, channels in enumerate((1, 2, 3, 4))
    for column, norm in enumerate(norm for norm in NORMS if norm != "virtual-batch")
]
"""A Latin square: each two of channels, norm and activation meet once."""
Z = 4


def generator(size=(32, 32), channels=3, **settings) -> nn.Module:
    return dcgan.generator(DcganGenerator(**{"width": 1} | settings), Z, channels, chain_to(size))


def discriminator(size=(32, 32), channels=3, **settings) -> nn.Module:
    return dcgan.discriminator(DcganDiscriminator(**{"width": 1} | settings), channels, chain_to(size))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [4, 5])
def test_g_makes_images_of_the_asked_shape_between_minus_1_and_1(size, kernel):
    for channels, norm, word in CHOICES:
        network = generator(size, channels, kernel=kernel, norm=norm, activation=word)
        with torch.no_grad():
            images = network(noise(2, Z) * 10)
        assert images.shape == (2, channels, *size)
        assert images.isfinite().all()
        assert images.abs().max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [4, 5])
def test_d_gives_one_logit_for_each_image(size, kernel):
    for channels, norm, word in CHOICES:
        network = discriminator(size, channels, kernel=kernel, norm=norm, activation=word)
        with torch.no_grad():
            logits = network(noise(2, channels, *size))
        assert logits.shape == (2,)
        assert logits.isfinite().all()


def test_gs_images_lie_channels_last_in_memory():
    network = generator(width=4).to(memory_format=torch.channels_last)
    assert network(noise(2, Z)).is_contiguous(memory_format=torch.channels_last)


def test_logits_are_not_squashed():
    network = discriminator(width=4)
    with torch.no_grad():
        network.head.linear.bias.fill_(100.0)
    assert network(noise(2, 3, 32, 32)).min() > 50


def test_the_64x64_colour_generator_of_width_64_has_the_papers_parameters():
    stem, norms = 100 * 512 * 4 * 4, 2 * (512 + 256 + 128 + 64)
    convolved = 4 * 4 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 3  # only the last one has a bias
    network = dcgan.generator(DcganGenerator(width=64), 100, 3, chain_to((64, 64)))
    assert parameters(network) == stem + norms + convolved == 3_576_707


def test_the_64x64_colour_discriminator_of_width_64_has_the_papers_parameters():
    convolved = 4 * 4 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 64  # only the first one has a bias
    norms, head = 2 * (128 + 256 + 512), 512 * 4 * 4 + 1
    network = dcgan.discriminator(DcganDiscriminator(width=64), 3, chain_to((64, 64)))
    assert parameters(network) == convolved + norms + head == 2_765_633


@pytest.mark.parametrize("norm", NORMS)
def test_a_layer_has_a_bias_where_no_normalisation_would_undo_it(norm):
    hidden, normed = norm == "none", norm != "none"
    biases_g = [layer.bias is not None for layer in convolutions(generator(norm=norm))]
    biases_d = [layer.bias is not None for layer in convolutions(discriminator(norm=norm))]
    assert (biases_g, biases_d) == ([hidden, hidden, True], [True, hidden, hidden])
    assert (generator(norm=norm).stem.linear.bias is None) == normed


@pytest.mark.parametrize("norm", ["batch", "virtual-batch", "instance", "layer"])
def test_ds_first_layer_and_both_ends_of_g_are_not_normalised(norm):
    kind = type(NORMS[norm](4, True))
    assert [isinstance(block.norm.norm, kind) for block in discriminator(norm=norm).blocks] == [False, True, True]
    assert [isinstance(block.norm.norm, kind) for block in generator(norm=norm).blocks] == [True, True, True]


@pytest.mark.parametrize("word", ACTIVATIONS)
def test_the_recipes_activation_follows_every_hidden_layer(word):
    kind = type(ACTIVATIONS[word](0.2, False))
    for network in (generator(activation=word), discriminator(activation=word)):
        assert sum(isinstance(layer, kind) for layer in network.modules()) == 3


def test_the_slope_reaches_the_layers_of_both_networks():
    for network in (generator(activation="leaky-relu", slope=0.3), discriminator(slope=0.3)):
        assert {layer.negative_slope for layer in network.modules() if isinstance(layer, nn.LeakyReLU)} == {0.3}


@pytest.mark.parametrize("kernel", [4, 5])
def test_a_doubling_reaches_every_pixel_of_its_output(kernel):
    layer = convolutions(generator(kernel=kernel, width=4))[0]
    with torch.no_grad():
        doubled = layer(torch.ones(1, layer.in_channels, 4, 6))
    assert doubled.shape[2:] == (8, 12)
    assert (doubled.abs().sum(dim=1) > 0).all()


def test_gradients_reach_every_weight_of_both_networks():
    g, d = generator(width=2), discriminator(width=2)
    d(g(noise(4, Z))).square().sum().backward()
    for network in (g, d):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_with_maps_of_full_size_a_3x3_convolution_makes_the_image_after_a_normalisation(size, upsampling):
    for channels, norm, word in CHOICES:
        network = generator(size, channels, upsampling=upsampling, norm=norm, activation=word, full_size_maps=3)
        last = network.blocks[-1].convolution
        assert (last.kernel_size, last.stride, last.in_channels, last.out_channels) == ((3, 3), (1, 1), 3, channels)
        assert last.bias is not None
        assert (network.blocks[-2].convolution.bias is None) == (norm != "none")
        images = network(noise(3, Z))
        assert images.shape == (3, channels, *size)
        images.square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_maps_of_full_size_are_normalised_by_class_too():
    settings = DcganGenerator(width=1, full_size_maps=3, conditioning="norm")
    network = dcgan.generator(settings, Z, 1, chain_to((16, 16)), classes=4)
    assert [tuple(block.norm.scale.shape) for block in network.blocks] == [(4, 2), (4, 1), (4, 3)]
    z = noise(1, Z).expand(4, Z)
    with torch.no_grad():
        network.blocks[-1].norm.shift[1] += 1
        images = network(z, torch.arange(4))
    assert not torch.equal(images[0], images[1])
    assert torch.equal(images[2], images[3])
