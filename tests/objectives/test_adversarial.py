from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from ganglion.objectives.adversarial import ADVERSARIAL, label_smoothing


def logits(seed: int, n: int = 6) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


REAL, FAKE = logits(0), logits(1)


def cross_entropy(found: Tensor, label: float) -> Tensor:
    return binary_cross_entropy_with_logits(found, torch.full_like(found, label))


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.log1p(np.exp(-x))


def oracle(name: str, real: Tensor, fake: Tensor) -> tuple[float, float]:
    """D's and G's loss by other formulas than ours: cross-entropy, squared error, sums in NumPy."""
    r, f = real.numpy(), fake.numpy()
    logistic = cross_entropy(real, 1.0) + cross_entropy(fake, 0.0)
    pairs, ra, fa = log_sigmoid(r - f), log_sigmoid(r - f.mean()), log_sigmoid(r.mean() - f)
    swapped, rb, fb = log_sigmoid(f - r), log_sigmoid(f.mean() - r), log_sigmoid(f - r.mean())
    squares = (mse_loss(real, torch.ones_like(real)) + mse_loss(fake, torch.zeros_like(fake))) / 2
    hinge = sum(max(0.0, 1 - x) for x in r) / len(r) + sum(max(0.0, 1 + x) for x in f) / len(f)
    losses = {
        "non-saturating": (logistic, cross_entropy(fake, 1.0)),
        "minimax": (logistic, -cross_entropy(fake, 0.0)),
        "least-squares": (squares, mse_loss(fake, torch.ones_like(fake)) / 2),
        "hinge": (hinge, -f.mean()),
        "wasserstein": (f.mean() - r.mean(), -f.mean()),
        "relativistic": (-pairs.mean(), -swapped.mean()),
        "relativistic-average": (-ra.mean() - fa.mean(), -rb.mean() - fb.mean()),
    }
    return float(losses[name][0]), float(losses[name][1])


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_it_agrees_with_another_formula(name: str) -> None:
    expected_d, expected_g = oracle(name, REAL, FAKE)
    assert float(ADVERSARIAL[name].discriminator(REAL, FAKE)) == pytest.approx(expected_d, rel=1e-12)
    assert float(ADVERSARIAL[name].generator(REAL, FAKE)) == pytest.approx(expected_g, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        ("non-saturating", 2 * math.log(2), math.log(2)),
        ("minimax", 2 * math.log(2), -math.log(2)),
        ("least-squares", 0.5, 0.5),
        ("hinge", 2.0, 0.0),
        ("wasserstein", 0.0, 0.0),
        ("relativistic", math.log(2), math.log(2)),
        ("relativistic-average", 2 * math.log(2), 2 * math.log(2)),
    ],
)
def test_its_value_where_every_logit_is_0(name: str, d: float, g: float) -> None:
    zeros = torch.zeros(4, dtype=torch.float64)
    assert float(ADVERSARIAL[name].discriminator(zeros, zeros)) == pytest.approx(d, abs=1e-12)
    assert float(ADVERSARIAL[name].generator(zeros, zeros)) == pytest.approx(g, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [("least-squares", (0 + 1) / 2, 0.0), ("hinge", 0 + 2.0, -1.0), ("wasserstein", 0.0, -1.0)],
)
def test_its_value_by_hand_where_every_logit_is_1(name: str, d: float, g: float) -> None:
    ones = torch.ones(3)
    assert float(ADVERSARIAL[name].discriminator(ones, ones)) == pytest.approx(d)
    assert float(ADVERSARIAL[name].generator(ones, ones)) == pytest.approx(g)


L3 = math.log(3)


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        ("non-saturating", -2 * math.log(3 / 4), math.log(4)),
        ("minimax", -2 * math.log(3 / 4), math.log(3 / 4)),
        ("least-squares", ((L3 - 1) ** 2 + L3**2) / 2, (L3 + 1) ** 2 / 2),
        ("hinge", 0.0, L3),
        ("wasserstein", -2 * L3, L3),
        ("relativistic", math.log(10 / 9), math.log(10)),
        ("relativistic-average", 2 * math.log(10 / 9), 2 * math.log(10)),
    ],
)
def test_its_value_by_hand_where_d_gives_reals_three_quarters_and_fakes_one_quarter(
    name: str, d: float, g: float
) -> None:
    real, fake = torch.full((2,), L3, dtype=torch.float64), torch.full((2,), -L3, dtype=torch.float64)
    assert float(ADVERSARIAL[name].discriminator(real, fake)) == pytest.approx(d, abs=1e-12)
    assert float(ADVERSARIAL[name].generator(real, fake)) == pytest.approx(g, abs=1e-12)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_its_gradient_passes_gradcheck(name: str, player: str) -> None:
    loss = getattr(ADVERSARIAL[name], player)
    assert torch.autograd.gradcheck(loss, (REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_g_wants_what_d_does_not_want(name: str) -> None:
    """A step that helps G raises the fakes' logits; one that helps D lowers them."""
    fake = FAKE.clone().requires_grad_()
    (for_g,) = torch.autograd.grad(ADVERSARIAL[name].generator(REAL, fake), fake)
    (for_d,) = torch.autograd.grad(ADVERSARIAL[name].discriminator(REAL, fake), fake)
    if name == "least-squares":  # towards the labels 1 and 0, from either side
        assert torch.equal(for_g.sign(), (FAKE - 1).sign())
        assert torch.equal(for_d.sign(), FAKE.sign())
    else:
        assert (for_g <= 0).all()
        assert (for_d >= 0).all()


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_g_looks_at_reals_exactly_where_it_says_so(name: str) -> None:
    moved = float(ADVERSARIAL[name].generator(REAL + 1, FAKE)) != float(ADVERSARIAL[name].generator(REAL, FAKE))
    assert moved == ADVERSARIAL[name].generator_needs_real


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_huge_logits_stay_finite(name: str) -> None:
    real, fake = torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])
    assert ADVERSARIAL[name].discriminator(real, fake).isfinite()
    assert ADVERSARIAL[name].generator(real, fake).isfinite()


def test_the_saturating_loss_has_no_gradient_where_d_is_sure_and_the_other_has() -> None:
    fake = torch.tensor([-30.0], requires_grad=True)
    slopes = {}
    for name in ("minimax", "non-saturating"):
        (slope,) = torch.autograd.grad(ADVERSARIAL[name].generator(REAL, fake), fake)
        slopes[name] = abs(float(slope))
    assert slopes["minimax"] < 1e-12
    assert slopes["non-saturating"] == pytest.approx(1)


def test_a_smoothed_label_is_cross_entropy_against_it() -> None:
    whole = ADVERSARIAL["non-saturating"].discriminator(REAL, FAKE) + label_smoothing(REAL, 0.9)
    torch.testing.assert_close(whole, cross_entropy(REAL, 0.9) + cross_entropy(FAKE, 0.0))


def test_the_smoothing_of_a_label_passes_gradcheck() -> None:
    assert torch.autograd.gradcheck(lambda real: label_smoothing(real, 0.9), (REAL.clone().requires_grad_(),))


def test_d_is_best_off_where_it_says_the_smoothed_label() -> None:
    best = torch.tensor([math.log(0.9 / 0.1)], dtype=torch.float64, requires_grad=True)  # sigmoid of it is 0.9
    loss = ADVERSARIAL["non-saturating"].discriminator(best, torch.zeros(1)) + label_smoothing(best, 0.9)
    (slope,) = torch.autograd.grad(loss, best)
    assert float(slope) == pytest.approx(0, abs=1e-12)
