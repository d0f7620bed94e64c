import pytest

from ganglion.networks.cost import Cost, cost_of
from ganglion.networks.initialise import SCHEMES
from ganglion.recipe.resolve import resolve

PAPER = {"data.size": 64, "data.channels": 3, "latent.dim": 100, "generator.width": 64, "discriminator.width": 64}


def test_the_cost_of_g_is_that_of_a_hand_computation():
    linear = 100 * 512 * 4 * 4
    # a transposed convolution multiplies each of its input's pixels with each of its weights
    convolved = sum(h * h * i * o * 16 for h, i, o in [(4, 512, 256), (8, 256, 128), (16, 128, 64), (32, 64, 3)])
    assert cost_of(resolve("dcgan", PAPER))[0] == Cost(3_576_707, 2 * (linear + convolved))


def test_the_cost_of_d_is_that_of_a_hand_computation():
    linear = 512 * 4 * 4
    # a convolution multiplies each of its weights once for each of its output's pixels
    convolved = sum(h * h * i * o * 16 for h, i, o in [(32, 3, 64), (16, 64, 128), (8, 128, 256), (4, 256, 512)])
    assert cost_of(resolve("dcgan", PAPER))[1] == Cost(2_765_633, 2 * (linear + convolved))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "none"])
def test_the_cost_does_not_depend_on_the_first_weights(scheme, norm):
    small = {"data.size": 16, "data.channels": 1, "generator.norm": norm, "discriminator.norm": norm}
    assert cost_of(resolve("dcgan", small | {"init.scheme": scheme})) == cost_of(resolve("dcgan", small))


def test_a_network_of_billions_of_weights_is_costed_without_making_them():
    huge = PAPER | {"data.size": 1024, "generator.width": 1024, "discriminator.width": 1024}
    assert cost_of(resolve("dcgan", huge))[0].parameters > 10**9  # 4 GB and more, had they been made


def test_a_cost_reads_in_millions():
    assert str(Cost(3_576_707, 856_881_664)) == "3.58 M parameters, 856.9 MFLOP an image"
