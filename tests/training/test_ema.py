import numpy as np
import pytest
import torch
from torch import nn

from ganglion.recipe.schema import Ema
from ganglion.training.ema import decay, ema_of, update_ema


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).train()


def disturb(generator: nn.Module, random: torch.Generator) -> None:
    """What a step of training does: other weights, other batch statistics, one count more."""
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random))
    generator(torch.randn(4, 2, 6, 6, generator=random))


def floats(of: nn.Module) -> dict[str, np.ndarray]:
    return {name: t.double().numpy().copy() for name, t in of.state_dict().items() if t.is_floating_point()}


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_half_of_the_average_survives_a_half_life(batch):
    assert decay(Ema(halflife_kimg=1, rampup=None), 10**6, batch) ** (1000 / batch) == pytest.approx(0.5, rel=1e-12)


def test_a_step_of_two_batches_equals_two_steps_of_one():
    settings = Ema(halflife_kimg=10, rampup=None)
    assert decay(settings, 10**6, 128) == pytest.approx(decay(settings, 10**6, 64) ** 2, rel=1e-12)


@pytest.mark.parametrize(("images", "halflife"), [(64, 3.2), (1000, 50), (200_000, 10_000), (10**7, 10_000)])
def test_the_half_life_is_at_most_its_share_of_the_images_seen(images, halflife):
    assert decay(Ema(halflife_kimg=10, rampup=0.05), images, 64) == pytest.approx(0.5 ** (64 / halflife), rel=1e-12)


@pytest.mark.parametrize("rampup", [None, 0.05])
def test_without_a_half_life_nothing_of_the_average_survives(rampup):
    assert decay(Ema(halflife_kimg=0, rampup=rampup), 1000, 64) == 0


def test_the_average_is_that_of_a_float64_computation_by_hand():
    generator, random = network(), torch.Generator().manual_seed(0)
    ema = ema_of(generator)
    expected = floats(ema)
    for kept in (0.5, 0.9, 0.99, 0.0, 0.7, 0.999):
        disturb(generator, random)
        update_ema(ema, generator, kept)
        expected = {name: kept * expected[name] + (1 - kept) * now for name, now in floats(generator).items()}
    for name, found in floats(ema).items():
        assert np.allclose(found, expected[name], rtol=1e-5, atol=1e-6), name  # float32 over six steps


def test_batch_norm_statistics_are_averaged_and_counters_are_copied():
    generator = network()
    ema = ema_of(generator)
    for _ in range(3):
        disturb(generator, torch.Generator().manual_seed(0))
    before, now = ema[1].running_var.clone(), generator[1].running_var
    update_ema(ema, generator, 0.75)
    assert torch.allclose(ema[1].running_var, 0.75 * before + 0.25 * now)
    assert not torch.allclose(before, now)
    assert ema[1].num_batches_tracked.item() == 3


def test_where_nothing_is_kept_the_average_is_the_generator_bit_for_bit():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    update_ema(ema, generator, 0.0)
    state = generator.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in ema.state_dict().items())


def test_the_average_stays_frozen_and_in_eval_mode_while_the_generator_trains():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    update_ema(ema, generator, 0.5)
    assert not any(module.training for module in ema.modules())
    assert not any(p.requires_grad for p in ema.parameters())
    assert all(module.training for module in generator.modules())
    assert all(p.requires_grad for p in generator.parameters())


def test_average_and_generator_share_no_memory():
    generator = network()
    ema = ema_of(generator)
    before = floats(ema)
    disturb(generator, torch.Generator().manual_seed(0))
    assert all(np.array_equal(before[name], now) for name, now in floats(ema).items())


def test_updating_the_average_does_not_change_the_generator():
    generator = network()
    ema = ema_of(generator)
    disturb(generator, torch.Generator().manual_seed(0))
    before = floats(generator)
    update_ema(ema, generator, 0.5)
    assert all(np.array_equal(before[name], now) for name, now in floats(generator).items())
