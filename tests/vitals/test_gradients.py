from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganglion.vitals.gradients import BINS, GradientStats, layers_of, signals
from ganglion.vitals.scalars import NonFiniteTracker


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 1))


def stepped(net: nn.Module, player: GradientStats, lr: float = 0.1, closely: bool = True, step: int = 1) -> None:
    player.step, player.closely = step, closely
    optimizer = torch.optim.SGD(net.parameters(), lr)
    optimizer.zero_grad()
    net(torch.randn(8, 3)).square().mean().backward()
    player.after_backward()
    optimizer.step()
    player.after_step()


def whole(net: nn.Module) -> float:
    return math.sqrt(sum(float(p.grad.square().sum()) for p in net.parameters() if p.grad is not None))


def test_norms_are_those_of_the_gradients() -> None:
    net = network()
    player = GradientStats("d", net, NonFiniteTracker())
    stepped(net, player)
    found = player.read()
    assert found["grad_d"] == found["grad_d_max"] == pytest.approx(whole(net), rel=1e-5)
    assert found["grad_d_first"] == pytest.approx(float(net[0].weight.grad.norm()), rel=1e-5)
    assert found["grad_d_last"] == pytest.approx(float(net[3].weight.grad.norm()), rel=1e-5)
    assert list(found["layers_d"]) == ["0", "3"]
    assert found["weight_d"] == pytest.approx(
        math.sqrt(sum(float(p.detach().square().sum()) for p in net.parameters())), rel=1e-5
    )


def test_an_update_is_measured_against_the_weights_before_it() -> None:
    net = network()
    before = [net[0].weight.detach().clone(), net[3].weight.detach().clone()]
    player = GradientStats("g", net, NonFiniteTracker())
    stepped(net, player)
    ratios = [
        float((w.detach() - b).norm() / b.norm()) for w, b in zip((net[0].weight, net[3].weight), before, strict=True)
    ]
    found = player.read()
    assert [layer[2] for layer in found["layers_g"].values()] == pytest.approx(ratios, rel=1e-5)
    assert found["update_g"] == pytest.approx(max(ratios), rel=1e-5)  # the upper of two


def test_several_steps_are_averaged_and_the_largest_is_kept() -> None:
    net, sizes = network(), []
    player = GradientStats("g", net, NonFiniteTracker())
    for step in range(4):
        stepped(net, player, step=step, closely=step % 2 == 0)
        sizes.append(whole(net))
    found = player.read()
    assert found["grad_g"] == pytest.approx(sum(sizes) / 4, rel=1e-5)
    assert found["grad_g_max"] == pytest.approx(max(sizes), rel=1e-5)
    assert sum(found["first_gradient_g"]["counts"]) == 2 * net[0].weight.numel()
    assert len(found["first_gradient_g"]["counts"]) == BINS


def test_steps_that_are_not_looked_at_closely_have_no_update() -> None:
    net = network()
    player = GradientStats("g", net, NonFiniteTracker())
    stepped(net, player, closely=False)
    found = player.read()
    assert "update_g" not in found
    assert "first_gradient_g" not in found
    assert [layer[2] for layer in found["layers_g"].values()] == [None, None]


def test_a_player_that_has_not_moved_has_nothing_to_tell_and_reading_starts_anew() -> None:
    net = network()
    player = GradientStats("g", net, NonFiniteTracker())
    assert player.read() == {}
    stepped(net, player)
    assert player.read()
    assert player.read() == {}


def test_weights_without_a_gradient_count_as_still() -> None:
    net = network()
    net[3].requires_grad_(False)
    player = GradientStats("d", net, NonFiniteTracker())
    stepped(net, player)
    layers = player.read()["layers_d"]
    assert layers["0"][0] > 0
    assert layers["3"][0] == 0
    assert layers["3"][2] == 0


def test_the_first_gradient_that_is_not_finite_is_named_with_its_step() -> None:
    net, bad = network(), NonFiniteTracker()
    player = GradientStats("d", net, bad)
    stepped(net, player, step=4)
    with torch.no_grad():
        net[3].weight.fill_(float("inf"))
    stepped(net, player, step=5)
    step, name = bad.read()[0]
    assert step == 5
    assert name.startswith("discriminator.")
    assert name.endswith("(gradient)")


def test_a_scaled_loss_is_scaled_back() -> None:
    net = network()
    player = GradientStats("g", net, NonFiniteTracker())
    player.step, player.closely = 1, False
    (64 * net(torch.ones(8, 3)).square().mean()).backward()
    player.after_backward(scale=64.0)
    assert player.read()["grad_g"] == pytest.approx(whole(net) / 64, rel=1e-5)


def test_layers_have_their_own_names_however_their_weight_is_kept() -> None:
    net = nn.Sequential(spectral_norm(nn.Linear(3, 4)), nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)))
    player = GradientStats("d", net, NonFiniteTracker())
    stepped(net, player)
    assert not [name for name in player.read()["layers_d"] if "parametrizations" in name or "original" in name]


def test_a_network_of_vectors_alone_has_layers_too() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

    assert list(layers_of(Scale())) == ["scale"]


def test_sizes_are_those_of_the_layers_in_the_order_of_use() -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict({"last": nn.Linear(4, 1), "first": nn.Linear(3, 4)})
    x = torch.randn(8, 3)
    found = signals(net, lambda: net["last"](net["first"](x).relu()).square().mean())
    assert [layer.name for layer in found] == ["first", "last"]
    hidden = net["first"](x)
    assert found[0].output == pytest.approx(float(hidden.detach().square().mean().sqrt()), rel=1e-5)
    net["last"](hidden.relu()).square().mean().backward()
    assert found[0].gradient == pytest.approx(float(net["first"].weight.grad.norm()), rel=1e-5)
    assert found[1].weight == pytest.approx(float(net["last"].weight.detach().norm()), rel=1e-5)


def test_no_gradient_and_no_hook_stays_behind() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    signals(net, lambda: net(torch.ones(2, 3)).sum())
    assert all(weight.grad is None for weight in net.parameters())
    assert len(net[0]._forward_hooks) == 0
