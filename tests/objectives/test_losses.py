from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.objectives.losses import (
    DiscriminatorOutput,
    discriminator_loss,
    feature_matching,
    generator_loss,
    historical_averaging,
    needs_real,
    ramp,
    total,
)
from ganglion.objectives.penalties import PENALTIES, PenaltyInputs
from ganglion.recipe.parts import FeatureMatching, Objective, Penalty


def test_feature_matching_by_hand() -> None:
    real, fake = torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 3.0]])
    assert float(feature_matching(real, fake)) == pytest.approx(2**2 + 2**2)


def test_feature_matching_is_the_squared_distance_of_means_and_is_blind_to_spread() -> None:
    random = np.random.default_rng(0)
    real, fake = random.normal(size=(7, 5)), random.normal(size=(9, 5))
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    assert float(feature_matching(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected, rel=1e-5)
    assert float(feature_matching(torch.tensor([[1.0], [-1.0]]), torch.zeros(3, 1))) == 0


def wide(*shape: int, seed: int = 0) -> Tensor:
    """Random numbers in float64 that want a gradient."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=random).requires_grad_()


def test_feature_matchings_gradient_is_right_by_hand_and_by_gradcheck() -> None:
    real, fake = torch.ones(2, 4, dtype=torch.float64), wide(3, 4)
    (slope,) = torch.autograd.grad(feature_matching(real, fake), fake)
    expected = 2 / 3 * (fake.detach().mean(0) - 1)  # d|m - 1|^2 / df with m the mean of three
    torch.testing.assert_close(slope, expected.expand(3, 4))
    assert torch.autograd.gradcheck(feature_matching, (real, fake))


def test_historical_averaging_sums_squared_distances_over_all_weights() -> None:
    weights = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    means = [torch.tensor([0.0, 4.0]), torch.tensor([[3.5]])]
    assert float(historical_averaging(weights, means)) == pytest.approx(1 + 4 + 0.25)


def test_historical_averaging_agrees_with_numpy_and_passes_gradcheck() -> None:
    weights, means = [wide(3, 2), wide(4, seed=1)], [wide(3, 2, seed=2).detach(), wide(4, seed=3).detach()]
    flat = [np.concatenate([part.detach().numpy().ravel() for part in parts]) for parts in (weights, means)]
    assert historical_averaging(weights, means).item() == pytest.approx(np.linalg.norm(flat[0] - flat[1]) ** 2)
    assert torch.autograd.gradcheck(lambda *now: historical_averaging(now, means), tuple(weights))


@pytest.mark.parametrize(
    ("images", "kimg", "share"), [(0, 10, 0), (2500, 10, 0.25), (10_000, 10, 1), (9e9, 10, 1), (0, 0, 1)]
)
def test_a_ramp_rises_to_1_and_stays(images: float, kimg: float, share: float) -> None:
    assert ramp(int(images), kimg) == pytest.approx(share)


def scene() -> PenaltyInputs:
    """D(x) = 3 sum x + b, on images that require a gradient."""
    real, fake = torch.ones(2, 1, 2, 2, requires_grad=True), -torch.ones(2, 1, 2, 2, requires_grad=True)
    shift = torch.tensor([-11.0, -10.0])

    def judge(x: Tensor) -> Tensor:
        return 3 * x.flatten(1).sum(1)

    return PenaltyInputs(
        judge, real, fake, judge(real) + shift, judge(fake) - shift, torch.tensor(0.0), torch.tensor(0.0), torch.Generator(),
        reconstruction_errors=lambda images, quarter: images.abs().mean((1, 2, 3)),
    )  # fmt: skip


REAL = DiscriminatorOutput(torch.tensor([1.0, 2.0]), torch.tensor([[1.0], [3.0]]))
FAKE = DiscriminatorOutput(torch.tensor([-1.0, 0.5]), torch.tensor([[0.0], [0.0]]))


def test_ds_loss_is_the_adversarial_one_where_the_recipe_adds_nothing() -> None:
    parts = discriminator_loss(Objective(), scene(), 0)
    assert list(parts) == ["adversarial"]
    expected = ADVERSARIAL["non-saturating"].discriminator(scene().real_logits, scene().fake_logits)
    torch.testing.assert_close(total(parts), expected)


def test_ds_terms_stand_under_their_names_with_their_weights() -> None:
    objective = Objective(
        real_label=0.9, penalties=(Penalty(kind="r1", weight=2.0), Penalty(kind="wgan-lp", interval_updates=2))
    )
    parts = {name: part.detach() for name, part in discriminator_loss(objective, scene(), 0).items()}
    assert list(parts) == ["adversarial", "label_smoothing", "r1", "wgan_lp"]
    assert float(parts["label_smoothing"]) == pytest.approx(0.1 * 1.5)
    assert float(parts["r1"]) == pytest.approx(2.0 * 36 / 2)  # |grad|^2 = 4 * 9
    assert float(parts["wgan_lp"]) == pytest.approx(2 * (6 - 1) ** 2)
    assert list(discriminator_loss(objective, scene(), 1)) == ["adversarial", "label_smoothing", "r1"]


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
@pytest.mark.parametrize("kind", PENALTIES)
def test_every_loss_goes_with_every_penalty(adversarial: str, kind: str) -> None:
    parts = discriminator_loss(Objective(adversarial=adversarial, penalties=(Penalty(kind=kind),)), scene(), 0)
    assert len(parts) == 2
    assert total(parts).isfinite()


def test_feature_matching_alone_leaves_the_adversarial_term_without_weight() -> None:
    objective = Objective(adversarial_weight=0, feature_matching=FeatureMatching(weight=0.5, ramp_kimg=1))
    parts = generator_loss(objective, REAL, FAKE, matching=ramp(500, 1))
    assert float(parts["adversarial"]) == 0
    assert float(total(parts)) == pytest.approx(0.5 * 0.5 * 4)  # weight, half of the ramp, (2 - 0)^2


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
def test_gs_loss_looks_at_reals_exactly_where_it_says_so(adversarial: str) -> None:
    objective = Objective(adversarial=adversarial)
    moved = REAL._replace(logits=REAL.logits + 1)
    values = [float(total(generator_loss(objective, real, FAKE, 0))) for real in (REAL, moved)]
    assert (values[0] != values[1]) == needs_real(objective)
    assert needs_real(Objective(adversarial=adversarial, feature_matching=FeatureMatching(weight=1)))
