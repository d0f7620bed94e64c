from __future__ import annotations

import pytest
import torch

from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.objectives.penalties import PENALTIES, Scene
from ganglion.objectives.total import Judgement, discriminator_loss, generator_loss, needs_real, total
from ganglion.recipe.objective import FeatureMatching, Objective, Penalty

X = torch.ones(2, 1, 2, 2)
SCENE = Scene(
    lambda x: 3 * x.flatten(1).sum(1), X, -X, torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 0.5]),
    torch.tensor(0.0), torch.tensor(0.0), torch.Generator(),
)  # fmt: skip
REAL = Judgement(torch.tensor([1.0, 2.0]), torch.tensor([[1.0], [3.0]]))
FAKE = Judgement(torch.tensor([-1.0, 0.5]), torch.tensor([[0.0], [0.0]]))


def test_ds_loss_is_the_adversarial_one_where_the_recipe_adds_nothing() -> None:
    parts = discriminator_loss(Objective(), SCENE, 0)
    assert list(parts) == ["adversarial"]
    expected = ADVERSARIAL["non-saturating"].discriminator(SCENE.real_logits, SCENE.fake_logits)
    torch.testing.assert_close(total(parts), expected)


def test_ds_terms_stand_under_their_names_with_their_weights() -> None:
    objective = Objective(
        real_label=0.9, penalties=(Penalty(kind="r1", weight=2.0), Penalty(kind="gradient-one-sided", every=2))
    )
    parts = discriminator_loss(objective, SCENE, 0)
    assert list(parts) == ["adversarial", "label_smoothing", "r1", "gradient_one_sided"]
    assert float(parts["label_smoothing"]) == pytest.approx(0.1 * 1.5)
    assert float(parts["r1"]) == pytest.approx(2.0 * 36 / 2)  # |grad|^2 = 4 * 9
    assert float(parts["gradient_one_sided"]) == pytest.approx(2 * (6 - 1) ** 2)
    assert list(discriminator_loss(objective, SCENE, 1)) == ["adversarial", "label_smoothing", "r1"]


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
@pytest.mark.parametrize("kind", PENALTIES)
def test_every_loss_goes_with_every_penalty(adversarial: str, kind: str) -> None:
    parts = discriminator_loss(Objective(adversarial=adversarial, penalties=(Penalty(kind=kind),)), SCENE, 0)
    assert len(parts) == 2
    assert total(parts).isfinite()


def test_feature_matching_alone_leaves_the_adversarial_term_without_weight() -> None:
    objective = Objective(adversarial_weight=0, feature_matching=FeatureMatching(weight=0.5, ramp_kimg=1))
    parts = generator_loss(objective, REAL, FAKE, images=500)
    assert float(parts["adversarial"]) == 0
    assert float(total(parts)) == pytest.approx(0.5 * 0.5 * 4)  # weight, half of the ramp, (2 - 0)^2


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
def test_gs_loss_looks_at_reals_exactly_where_it_says_so(adversarial: str) -> None:
    objective = Objective(adversarial=adversarial)
    moved = REAL._replace(logits=REAL.logits + 1)
    values = [float(total(generator_loss(objective, real, FAKE, 0))) for real in (REAL, moved)]
    assert (values[0] != values[1]) == needs_real(objective)
    assert needs_real(Objective(adversarial=adversarial, feature_matching=FeatureMatching(weight=1)))
