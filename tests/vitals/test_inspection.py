from __future__ import annotations

import torch
from torch import nn

from ganglion.vitals.inspection import count_dead_units, differs_by_mode, in_eval_mode


def test_every_module_gets_its_own_mode_back() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(nn.Dropout(0.5), nn.Conv2d(2, 2, 1)))
    net[1][0].eval()
    before = [module.training for module in net.modules()]
    with in_eval_mode(net):
        assert not any(module.training for module in net.modules())
        net(torch.rand(3, 2, 4, 4))
    assert [module.training for module in net.modules()] == before
    assert float(net[0].running_mean.abs().sum()) == 0


def test_modes_come_back_after_an_error_too() -> None:
    net = nn.Linear(2, 2)
    try:
        with in_eval_mode(net):
            raise KeyError
    except KeyError:
        assert net.training


def test_only_norms_with_statistics_and_dropout_differ_by_mode() -> None:
    assert differs_by_mode(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert differs_by_mode(nn.Dropout())
    assert not differs_by_mode(nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2), nn.ReLU()))


def test_units_that_say_the_same_to_every_image_are_dead() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 6), nn.LeakyReLU(0.2))
    with torch.no_grad():
        net[0].bias.copy_(
            torch.tensor([-100.0, -100.0, -100.0, 100.0])
        )  # three of four feature maps are never above zero
        net[3].weight[0] = 0
    with count_dead_units(net) as units:
        net(torch.rand(8, 1, 8, 8))
    assert units.share() == 4 / 10


def test_nothing_stays_behind_and_a_network_without_activations_is_not_judged() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    with count_dead_units(net) as units:
        net(torch.rand(2, 3))
    assert units.share() is None
    live = nn.Sequential(nn.Linear(3, 3), nn.SiLU())
    with count_dead_units(live):
        assert len(live[1]._forward_hooks) == 1
    assert len(live[1]._forward_hooks) == 0
