from math import log

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from ganglion.objectives.adversarial import ADVERSARIAL


def logits(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape or (32,)), generator=generator, dtype=torch.float64) * 3


def bce(of: torch.Tensor, target: float) -> torch.Tensor:
    return binary_cross_entropy_with_logits(of, torch.full_like(of, target))


ORACLES = {
    "non-saturating": (lambda r, f: bce(r, 1) + bce(f, 0), lambda r, f: bce(f, 1)),
    "minimax": (lambda r, f: bce(r, 1) + bce(f, 0), lambda r, f: (1 - f.sigmoid()).log().mean()),
    "relativistic": (lambda r, f: -logsigmoid(r - f).mean(), lambda r, f: -logsigmoid(f - r).mean()),
}

# D's and G's loss at real logits of log 3 (D(x) = 3/4) and fake logits of 0 (D(G(z)) = 1/2)
BY_HAND = {
    "non-saturating": (log(4 / 3) + log(2), log(2)),
    "minimax": (log(4 / 3) + log(2), -log(2)),
    "relativistic": (log(4 / 3), log(4)),
}

# where D cannot tell, all logits being 0
UNDECIDED = {
    "non-saturating": (2 * log(2), log(2)),
    "minimax": (2 * log(2), -log(2)),
    "relativistic": (log(2), log(2)),
}


def gradient(loss, at: float) -> float:
    """Of a loss of G by a fake logit, the real one being 0."""
    fake = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    loss(torch.zeros(1, dtype=torch.float64), fake).backward()
    return fake.grad.item()


def test_every_loss_has_its_oracles():
    assert set(ADVERSARIAL) == set(ORACLES) == set(BY_HAND) == set(UNDECIDED)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_losses_equal_pytorchs_cross_entropy_in_float64(name):
    real, fake = logits(0), logits(1)
    discriminator, generator = ORACLES[name]
    assert ADVERSARIAL[name].discriminator(real, fake).item() == pytest.approx(
        discriminator(real, fake).item(), rel=1e-12
    )
    assert ADVERSARIAL[name].generator(real, fake).item() == pytest.approx(generator(real, fake).item(), rel=1e-12)


@pytest.mark.parametrize(("expected", "at"), [(BY_HAND, log(3)), (UNDECIDED, 0.0)])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_losses_have_the_values_worked_out_by_hand(name, expected, at):
    real, fake = torch.full((4,), at, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    found = ADVERSARIAL[name].discriminator(real, fake).item(), ADVERSARIAL[name].generator(real, fake).item()
    assert found == pytest.approx(expected[name], rel=1e-12)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_gradients_are_those_of_finite_differences(name, player):
    loss = getattr(ADVERSARIAL[name], player)
    assert torch.autograd.gradcheck(loss, (logits(0, 6).requires_grad_(), logits(1, 6).requires_grad_()))


@pytest.mark.parametrize("real", [-1000.0, 1000.0])
@pytest.mark.parametrize("fake", [-1000.0, 1000.0])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_losses_and_gradients_are_finite_at_extreme_logits(name, real, fake):
    for loss in ADVERSARIAL[name][:2]:
        r, f = (torch.tensor([value], requires_grad=True) for value in (real, fake))
        value = loss(r, f)
        found = torch.autograd.grad(value, [r, f], allow_unused=True)
        assert value.isfinite()
        assert all(part is None or part.isfinite().all() for part in found)


def test_extreme_logits_cost_as_much_as_they_are_wrong():
    """-log D at a logit of -1000 is 1000; the logarithm of a rounded probability would be infinite."""
    assert ADVERSARIAL["non-saturating"].generator(torch.zeros(1), torch.tensor([-1000.0])).item() == 1000
    assert ADVERSARIAL["non-saturating"].discriminator(torch.tensor([-1000.0]), torch.tensor([1000.0])).item() == 2000
    assert ADVERSARIAL["minimax"].generator(torch.zeros(1), torch.tensor([1000.0])).item() == -1000
    assert ADVERSARIAL["relativistic"].discriminator(torch.tensor([-1000.0]), torch.tensor([1000.0])).item() == 2000


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("at", [-5.0, -0.5, 0.0, 0.5, 5.0])
def test_every_loss_of_g_falls_when_its_fakes_look_more_real(name, at):
    assert gradient(ADVERSARIAL[name].generator, at) < 0


def test_where_d_is_sure_the_non_saturating_gradient_is_strong_and_the_minimax_one_vanishes():
    assert gradient(ADVERSARIAL["non-saturating"].generator, -20.0) == pytest.approx(-1, abs=1e-8)
    assert gradient(ADVERSARIAL["minimax"].generator, -20.0) == pytest.approx(0, abs=1e-8)
    ratio = gradient(ADVERSARIAL["non-saturating"].generator, 0.0) / gradient(ADVERSARIAL["minimax"].generator, 0.0)
    assert ratio == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_losses_are_means_over_logits_of_any_shape(name):
    real, fake = logits(0, 4, 6), logits(1, 4, 6)
    for loss in ADVERSARIAL[name][:2]:
        one_by_one = [loss(r, f) for r, f in zip(real.flatten(), fake.flatten(), strict=True)]
        assert loss(real, fake).item() == pytest.approx(torch.stack(one_by_one).mean().item(), rel=1e-12)
        assert loss(real, fake).shape == ()


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_gs_loss_depends_on_the_real_logits_exactly_where_it_says_so(name):
    changes = ADVERSARIAL[name].generator(logits(0), logits(1)) != ADVERSARIAL[name].generator(logits(2), logits(1))
    assert bool(changes) == ADVERSARIAL[name].generator_needs_real


def test_the_relativistic_losses_see_only_differences():
    for loss in ADVERSARIAL["relativistic"][:2]:
        assert loss(logits(0) + 7, logits(1) + 7).item() == pytest.approx(loss(logits(0), logits(1)).item(), rel=1e-12)
