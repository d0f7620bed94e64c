from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganglion.objectives.penalties import PENALTIES, due, penalty_of
from ganglion.recipe.schema import Penalty


class Quadratic(nn.Module):
    """D(x) = a * sum(x^2) / 2, whose gradient at x is a * x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return self.a * images.square().flatten(1).sum(1) / 2


def images(seed: int, n: int = 5) -> Tensor:
    return torch.randn(n, 2, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_r1_and_r2_have_their_closed_form_on_a_quadratic() -> None:
    real, fake = images(0), images(1)
    for kind, where in (("r1", real), ("r2", fake)):
        expected = 9 * where.square().flatten(1).sum(1).mean()  # |a x|^2 with a = 3
        torch.testing.assert_close(PENALTIES[kind](Quadratic(3.0), real, fake), expected)


def test_its_gradient_reaches_the_weights_of_d() -> None:
    network, real = Quadratic(3.0), images(0)
    PENALTIES["r1"](network, real, images(1)).backward()
    torch.testing.assert_close(network.a.grad, 6 * real.square().flatten(1).sum(1).mean())  # d(a^2)/da = 2a


def test_it_agrees_with_finite_differences_on_a_network() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0)).double()
    real, step = images(2, n=3), 1e-6
    squared = torch.zeros(3, dtype=torch.float64)
    with torch.no_grad():
        for i in range(24):
            nudge = torch.zeros(24, dtype=torch.float64)
            nudge[i] = step
            nudge = nudge.view(1, 2, 3, 4)
            squared += ((network(real + nudge) - network(real - nudge)) / (2 * step)).square()
    torch.testing.assert_close(PENALTIES["r1"](network, real, real), squared.mean(), rtol=1e-6, atol=1e-9)


def test_the_second_derivative_passes_gradcheck() -> None:
    real = images(3, n=2)

    def penalty(weight: Tensor) -> Tensor:
        class Wave(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return torch.sin(x.flatten(1) @ weight).sum(1)

        return PENALTIES["r1"](Wave(), real, real)

    weight = torch.randn(24, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4), requires_grad=True)
    assert torch.autograd.gradcheck(penalty, (weight,))


def test_lazy_penalties_pull_as_hard_on_average() -> None:
    network, real, fake = Quadratic(1.0).float(), images(0).float(), images(1).float()
    each = sum(penalty_of(Penalty(kind="r1", weight=0.6), network, real, fake).item() for _ in range(12))
    lazy = Penalty(kind="r1", weight=0.6, every=4)
    some = sum(penalty_of(p, network, real, fake).item() for step in range(12) for p in due((lazy,), step))
    assert some == pytest.approx(each)


def test_the_weight_is_halved_as_in_the_papers() -> None:
    network, real = Quadratic(1.0).float(), images(0).float()
    value = penalty_of(Penalty(kind="r1", weight=10.0), network, real, real)
    torch.testing.assert_close(value, 5 * real.square().flatten(1).sum(1).mean())


def test_a_penalty_is_due_at_step_zero_and_every_so_many() -> None:
    often, seldom = Penalty(kind="r1", every=2), Penalty(kind="r2", every=3)
    assert [[p.kind for p in due((often, seldom), step)] for step in range(5)] == [
        ["r1", "r2"], [], ["r1"], ["r2"], ["r1"],
    ]  # fmt: skip


def test_it_is_computed_in_float32_under_autocast() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(6, 1), nn.Flatten(0))
    real = images(0).float()
    alone = penalty_of(Penalty(kind="r1"), network, real, real)
    with torch.autocast("cpu", torch.bfloat16):
        within = penalty_of(Penalty(kind="r1"), network, real, real.bfloat16())
    assert within.dtype == torch.float32
    assert torch.equal(alone, within)


def test_g_gets_no_gradient_from_a_penalty() -> None:
    z = torch.randn(5, 2, 3, 4, requires_grad=True)
    penalty_of(Penalty(kind="r2"), Quadratic(1.0).float(), images(0).float(), z * 2).backward()
    assert z.grad is None
