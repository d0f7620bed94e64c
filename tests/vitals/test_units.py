from __future__ import annotations

import torch
from torch import nn

from ganglion.vitals.units import watching_units


def test_units_that_say_the_same_to_every_image_are_dead() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 6), nn.LeakyReLU(0.2))
    with torch.no_grad():
        net[0].bias[:3] = -100  # three of four feature maps are never above zero
        net[3].weight[0] = 0
    with watching_units(net) as units:
        net(torch.rand(8, 1, 8, 8))
    assert units.share() == 4 / 10


def test_nothing_stays_behind_and_a_network_without_activations_is_not_judged() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    with watching_units(net) as units:
        net(torch.rand(2, 3))
    assert units.share() is None
    live = nn.Sequential(nn.Linear(3, 3), nn.SiLU())
    with watching_units(live):
        assert len(live[1]._forward_hooks) == 1
    assert len(live[1]._forward_hooks) == 0
