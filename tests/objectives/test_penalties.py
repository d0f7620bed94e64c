from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganglion.objectives.penalties import PENALTIES, PenaltyInputs, clip_weights, differentiated_inputs, due, penalty_of
from ganglion.recipe.parts import Penalty

ON_GRADIENT = [kind for kind in PENALTIES if Penalty(kind=kind).on_gradient]


def images(seed: int, n: int = 5) -> Tensor:
    return torch.randn(n, 2, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


REAL, FAKE = images(0), images(1)


def inputs(
    judge: Callable[[Tensor], Tensor], real: Tensor = REAL, fake: Tensor = FAKE, **more: Tensor
) -> PenaltyInputs:
    means = {"mean_real": torch.tensor(0.0), "mean_fake": torch.tensor(0.0)} | more
    real, fake = (images.detach().clone().requires_grad_() for images in (real, fake))  # as where r1 and r2 are due
    return PenaltyInputs(
        judge, real, fake, judge(real), judge(fake), random=torch.Generator().manual_seed(3),
        reconstruction_errors=lambda images, quarter: judge(images).square(), **means,
    )  # fmt: skip


class Quadratic(nn.Module):
    """D(x) = a * |x|^2 / 2, whose gradient at x is a * x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x.square().flatten(1).sum(1) / 2


class Linear(nn.Module):
    """D(x) = w . x with |w| given, whose gradient is w everywhere."""

    def __init__(self, length: float) -> None:
        super().__init__()
        direction = images(5, 1).flatten()
        self.w = nn.Parameter(length * direction / direction.norm())

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w.to(x.dtype)


def test_r1_and_r2_are_half_the_squared_gradient_where_they_look() -> None:
    for kind, where in (("r1", REAL), ("r2", FAKE)):
        expected = 9 * where.square().flatten(1).sum(1).mean() / 2  # |a x|^2 / 2 with a = 3
        torch.testing.assert_close(PENALTIES[kind](inputs(Quadratic(3.0))), expected)


@pytest.mark.parametrize(("length", "two_sided", "one_sided"), [(3.0, 4.0, 4.0), (1.0, 0.0, 0.0), (0.25, 0.5625, 0.0)])
def test_on_a_linear_d_the_length_of_its_weight_counts(length: float, two_sided: float, one_sided: float) -> None:
    towards_1 = (("wgan-gp", two_sided), ("dragan", two_sided), ("wgan-lp", one_sided))
    towards_0 = (("r1", length**2 / 2), ("r2", length**2 / 2))
    for kind, expected in towards_1 + towards_0:
        assert PENALTIES[kind](inputs(Linear(length))).item() == pytest.approx(expected, abs=1e-12)


def test_reconstruction_is_the_mean_error_on_reals_in_one_quarter_for_all() -> None:
    quarters = []

    def errors(images: Tensor, quarter: Tensor) -> Tensor:
        quarters.append(int(quarter))
        return images.abs().mean((1, 2, 3))

    for draw in range(20):
        random = torch.Generator().manual_seed(draw)
        judged = inputs(Linear(1.0))._replace(reconstruction_errors=errors, random=random)
        torch.testing.assert_close(PENALTIES["reconstruction"](judged), REAL.abs().mean())
    assert set(quarters) == {0, 1, 2, 3}


def test_lecam_draws_logits_towards_the_other_sides_running_mean() -> None:
    judged = inputs(Linear(1.0), mean_real=torch.tensor(2.0), mean_fake=torch.tensor(-1.0))
    real, fake = judged.real_logits.detach().numpy(), judged.fake_logits.detach().numpy()
    assert PENALTIES["lecam"](judged).item() == pytest.approx(((real + 1) ** 2).mean() + ((fake - 2) ** 2).mean())


@pytest.mark.parametrize("kind", ON_GRADIENT)
def test_it_agrees_with_finite_differences_on_a_network(kind: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0)).double()
    seen: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return network(x)

    found = PENALTIES[kind](inputs(judge))
    where = {"r1": REAL, "r2": FAKE}.get(kind, seen[-1])
    step, squared = 1e-6, torch.zeros(5, dtype=torch.float64)
    with torch.no_grad():
        for i in range(24):
            nudge = torch.zeros(24, dtype=torch.float64)
            nudge[i] = step
            nudge = nudge.view(1, 2, 3, 4)
            squared += ((network(where + nudge) - network(where - nudge)) / (2 * step)).square()
    beyond = squared.sqrt() - 1
    one_sided = beyond.clamp_min(0) if kind == "wgan-lp" else beyond
    expected = squared.mean() / 2 if kind in ("r1", "r2") else one_sided.square().mean()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", PENALTIES)
def test_its_gradient_for_ds_weights_passes_gradcheck(kind: str) -> None:
    weight = torch.randn(24, 3, generator=torch.Generator().manual_seed(7), dtype=torch.float64) / 3

    def penalty(w: Tensor) -> Tensor:
        return PENALTIES[kind](inputs(lambda x: torch.sin(x.flatten(1) @ w).sum(1), REAL[:2], FAKE[:2]))

    assert torch.autograd.gradcheck(penalty, (weight.requires_grad_(),))


@pytest.mark.parametrize("kind", ON_GRADIENT)
def test_a_d_that_is_flat_everywhere_gets_no_gradient_that_is_not_a_number(kind: str) -> None:
    flat = Quadratic(0.0)
    PENALTIES[kind](inputs(flat)).backward()
    assert flat.a.grad is not None
    assert flat.a.grad.isfinite()


def seen_by(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """Where a penalty asks D."""
    seen: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return Quadratic(1.0)(x)

    PENALTIES[kind](inputs(judge, real, fake))
    return seen[-1]


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan-lp"])
def test_interpolates_lie_between_each_real_and_its_fake_anywhere_on_the_line(kind: str) -> None:
    real, fake = torch.zeros(400, 1, 2, 2, dtype=torch.float64), torch.ones(400, 1, 2, 2, dtype=torch.float64)
    shares = seen_by(kind, real, fake).flatten(1)
    assert (shares == shares[:, :1]).all()  # one share for all of an image
    assert 0 <= float(shares.min()) < 0.05
    assert 0.95 < float(shares.max()) <= 1
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.05)


def test_dragan_asks_around_the_reals_at_half_their_spread() -> None:
    real = images(8, 200)
    noise = seen_by("dragan", real, FAKE[:1].expand_as(real)) - real
    assert float(noise.std()) == pytest.approx(0.5 * float(real.std()), rel=0.05)
    assert float(noise.mean()) == pytest.approx(0, abs=0.05)


def test_dragan_does_not_look_at_the_fakes() -> None:
    assert torch.equal(seen_by("dragan", REAL, FAKE), seen_by("dragan", REAL, FAKE + 1))


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan-lp", "dragan"])
def test_a_penalty_elsewhere_than_at_ds_inputs_sends_no_gradient_back_to_them(kind: str) -> None:
    judged = inputs(Quadratic(3.0))
    value = penalty_of(Penalty(kind=kind), judged)
    assert torch.autograd.grad(value, (judged.real, judged.fake), allow_unused=True) == (None, None)


def test_the_inputs_that_need_a_gradient_are_those_of_the_penalties_that_are_due() -> None:
    penalties = (
        Penalty(kind="r1", interval_updates=4),
        Penalty(kind="r2", interval_updates=2),
        Penalty(kind="wgan-gp"),
    )
    found = [differentiated_inputs(penalties, update) for update in range(5)]
    assert found == [{"real", "fake"}, set(), {"fake"}, set(), {"real", "fake"}]


@pytest.mark.parametrize("every", [1, 4])
def test_a_lazy_penalty_pulls_as_hard_on_average_as_one_at_every_update(every: int) -> None:
    lazy = Penalty(kind="r1", weight=0.7, interval_updates=every)
    values = [sum(penalty_of(p, inputs(Quadratic(3.0))).item() for p in due((lazy,), update)) for update in range(8)]
    assert sum(v > 0 for v in values) == 8 // every
    assert sum(values) / 8 == pytest.approx(0.7 * PENALTIES["r1"](inputs(Quadratic(3.0))).item())


@pytest.mark.parametrize("kind", PENALTIES)
def test_of_a_d_in_bf16_it_is_a_float32_mean_that_is_close(kind: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 7), nn.Tanh(), nn.Linear(7, 1), nn.Flatten(0))
    network[3].weight.data *= 20  # so that slopes are above 1, where wgan-lp begins

    def in_bf16(x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return network(x).float()

    plain, found = (
        penalty_of(Penalty(kind=kind), inputs(judge, REAL.float(), FAKE.float())) for judge in (network, in_bf16)
    )
    assert found.dtype == torch.float32
    assert not torch.equal(found, plain)
    torch.testing.assert_close(found, plain, rtol=0.03, atol=1e-4)  # bf16 has 8 bits: 0.4 % in each of two layers


def test_clipping_bounds_every_weight_and_leaves_small_ones() -> None:
    network = nn.Linear(3, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[5.0, -5.0, 0.004], [-0.02, 0.0, 0.01]]))
    clip_weights(network, 0.01)
    assert network.weight.tolist() == [pytest.approx([0.01, -0.01, 0.004]), pytest.approx([-0.01, 0.0, 0.01])]
    before = network.weight.clone()
    clip_weights(network, None)
    assert torch.equal(network.weight, before)


@pytest.mark.parametrize("kind", ON_GRADIENT)
def test_of_a_map_of_logits_the_penalty_is_that_of_its_mean(kind: str) -> None:
    def places(x: Tensor) -> Tensor:
        return (x.pow(3) + x).flatten(1)  # (N, P)

    found, expected = (penalty_of(Penalty(kind=kind), inputs(judge)) for judge in (places, lambda x: places(x).mean(1)))
    assert torch.equal(found, expected)


def test_a_frozen_weight_is_not_clipped() -> None:
    network = nn.Linear(2, 1)
    network.bias.requires_grad_(False).fill_(5)
    clip_weights(network, 0.01)
    assert float(network.bias) == 5
    assert float(network.weight.detach().abs().max()) <= 0.01
