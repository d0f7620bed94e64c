import math

import pytest
import torch
from torch import nn

from ganglion.networks.initialise import SCHEMES, initialise
from ganglion.recipe.schema import Init
from ganglion.streams import Purpose, stream


def layers() -> nn.ModuleList:
    """Of each kind, with different numbers of inputs and outputs."""
    return nn.ModuleList([
        nn.Linear(50, 300), nn.Linear(400, 30), nn.Conv2d(8, 48, 4, 2, 1), nn.Conv2d(48, 16, 5, 2, 2),
        nn.ConvTranspose2d(48, 8, 4, 2, 1), nn.ConvTranspose2d(16, 48, 5, 2, 2, 1), nn.ConvTranspose2d(16, 48, 3, 1, 1),
    ])  # fmt: skip


def filled(scheme: str, seed: int = 0, std: float = 0.02, network: nn.Module | None = None) -> nn.Module:
    network = layers() if network is None else network
    initialise(network, Init(scheme=scheme, std=std), stream(seed, Purpose.INIT_GENERATOR))
    return network


def fans(layer: nn.Module) -> tuple[float, float]:
    """Inputs that an output sees, and outputs by the same count; stride s thins a transposed convolution by s * s."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    area = math.prod(layer.kernel_size)
    area = area / math.prod(layer.stride) if isinstance(layer, nn.ConvTranspose2d) else area
    return layer.in_channels * area, layer.out_channels * area


STD = {
    "normal": lambda layer: 0.07,
    "xavier": lambda layer: math.sqrt(2 / sum(fans(layer))),
    "kaiming": lambda layer: math.sqrt(2 / fans(layer)[0]),
}


@pytest.mark.parametrize("scheme", STD)
def test_every_layers_deviation_is_that_of_the_schemes_formula(scheme):
    for layer in filled(scheme, std=0.07):
        n = layer.weight.numel()
        expected = STD[scheme](layer)
        # four standard errors of a deviation and of a mean; those of a uniform distribution are smaller
        assert layer.weight.std().item() == pytest.approx(expected, rel=4 / math.sqrt(2 * n)), layer
        assert abs(layer.weight.mean().item()) < 4 * expected / math.sqrt(n), layer


def test_xavier_is_uniform_and_kaiming_is_normal():
    uniform, normal = filled("xavier")[0].weight, filled("kaiming")[0].weight
    assert uniform.abs().max().item() == pytest.approx(math.sqrt(3) * uniform.std().item(), rel=0.02)
    assert normal.abs().max() > 3 * normal.std()  # of 15,000 normal numbers 40 lie beyond, of uniform ones none


def test_orthogonal_weights_are_orthonormal_on_their_shorter_side():
    for layer in filled("orthogonal"):
        weight = layer.weight.detach().double()
        if isinstance(layer, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1) / math.prod(layer.stride) ** 0.5
        rows = weight.flatten(1)
        rows = rows if len(rows) <= rows.shape[1] else rows.T
        assert torch.allclose(rows @ rows.T, torch.eye(len(rows), dtype=torch.float64), atol=1e-5), layer


@pytest.mark.parametrize("kernel", [4, 5])
def test_kaiming_carries_a_signal_through_a_deep_relu_generator(kernel):
    """Every layer's outputs keep the variance 2 that relu halves again, but for pixels at the border, which see less.

    Were the stride not counted, four layers would leave 2 / 4**4.
    """
    doubling = (1, 0) if kernel == 4 else (2, 1)
    ups = [nn.ConvTranspose2d(32, 32, kernel, 2, *doubling) for _ in range(4)]
    filled("kaiming", network=nn.ModuleList(ups))
    x = torch.randn(8, 32, 4, 4, generator=torch.Generator().manual_seed(0)) * 2**0.5
    with torch.no_grad():
        for up in ups:
            x = up(x.relu())
            assert 0.5 < x.var().item() < 4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_equal_seeds_give_equal_weights_and_other_seeds_others(scheme):
    first, again, other = filled(scheme, seed=1), filled(scheme, seed=1), filled(scheme, seed=2)
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a.weight, b.weight)
        assert not torch.equal(a.weight, c.weight)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_two_layers_of_one_shape_share_weights(scheme):
    first, second = filled(scheme, network=nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)))
    assert not torch.equal(first.weight, second.weight)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_bias_is_0(scheme):
    assert all((layer.bias == 0).all() for layer in filled(scheme))


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(5000), nn.InstanceNorm2d(5000, affine=True), nn.GroupNorm(1, 5000)])
def test_a_normalisations_scale_is_1_and_spreads_under_the_scheme_normal_only(norm):
    for scheme in SCHEMES:
        filled(scheme, std=0.05, network=nn.Sequential(norm))
        spread = 0.05 if scheme == "normal" else 0.0
        assert norm.weight.mean().item() == pytest.approx(1, abs=4 * spread / math.sqrt(5000))
        assert norm.weight.std().item() == pytest.approx(spread, rel=4 / math.sqrt(2 * 5000))
        assert (norm.bias == 0).all()


def test_initialising_leaves_torchs_own_random_numbers_alone():
    network, before = layers(), torch.get_rng_state()
    for scheme in SCHEMES:
        filled(scheme, network=network)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_are_computed_for_what_was_initialised():
    assert all(p.requires_grad and p.grad_fn is None for p in filled("orthogonal").parameters())
