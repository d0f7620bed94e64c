from __future__ import annotations

import torch
from torch import nn

from ganglion.vitals.rest import at_rest, differs_by_mode


def test_every_module_gets_its_own_mode_back() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(nn.Dropout(0.5), nn.Conv2d(2, 2, 1)))
    net[1][0].eval()
    before = [module.training for module in net.modules()]
    with at_rest(net):
        assert not any(module.training for module in net.modules())
        net(torch.rand(3, 2, 4, 4))
    assert [module.training for module in net.modules()] == before
    assert float(net[0].running_mean.abs().sum()) == 0


def test_modes_come_back_after_an_error_too() -> None:
    net = nn.Linear(2, 2)
    try:
        with at_rest(net):
            raise KeyError
    except KeyError:
        assert net.training


def test_only_norms_with_statistics_and_dropout_differ_by_mode() -> None:
    assert differs_by_mode(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert differs_by_mode(nn.Dropout())
    assert not differs_by_mode(nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2), nn.ReLU()))
