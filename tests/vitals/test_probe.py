from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.objectives.losses import DiscriminatorOutput
from ganglion.vitals.probe import LabelledImages, LastStep, ReferenceSet, logits_in_batches, measure, sample_statistics


def squares(n: int, seed: int, low: int = 2, high: int = 9) -> Tensor:
    """A bright square somewhere on black, 16x16."""
    random = torch.Generator().manual_seed(seed)
    images = torch.full((n, 1, 16, 16), -1.0)
    for i, (y, x) in enumerate(torch.randint(low, high, (n, 2), generator=random).tolist()):
        images[i, 0, y : y + 5, x : x + 5] = 0.9
    images[:, :, 1:-1, 1:-1] += 0.1 * torch.rand(n, 1, 1, 1, generator=random)  # no two are equal
    return images


def brightness(shown: LabelledImages) -> DiscriminatorOutput:
    """A D that looks at the corner pixel alone, and at nothing else."""
    return DiscriminatorOutput(shown.images[:, 0, 0, 0], shown.images.flatten(1))


REALS = squares(64, 0)
Judge = Callable[[LabelledImages], DiscriminatorOutput]


UNSEEN = LastStep(None, None, None, ())


class Drawn:
    """A generator of given samples, and a D that is a function; in eval mode it draws `again` for any latents."""

    def __init__(self, samples: Tensor, reference: ReferenceSet, judge: Judge | None, again: Tensor | None) -> None:
        self._samples, self._reference, self._judge, self._again = samples, reference, judge, again
        self.generator: nn.Module = nn.Identity() if again is None else nn.Dropout()
        self.discriminator = nn.Identity()

    def inspecting(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reference(self) -> ReferenceSet:
        return self._reference

    def samples(self, shifted: bool = False) -> LabelledImages:
        return LabelledImages(self._samples.roll(1, 0) if shifted else self._samples)

    def regenerate(self, _inputs: tuple[Any, ...]) -> Tensor | None:
        return self._again

    def discriminate(self, images: LabelledImages) -> DiscriminatorOutput | None:
        return None if self._judge is None else self._judge(images)


def seen(
    samples: Tensor, reference: ReferenceSet | None = None, judge: Judge | None = None, d_auc: float | None = None,
    last: LastStep = UNSEEN, again: Tensor | None = None,
) -> dict[str, Any]:  # fmt: skip
    found = measure(Drawn(samples, reference or ReferenceSet(LabelledImages(REALS)), judge, again), last, d_auc)
    json.dumps(found, allow_nan=False)
    return found


def test_samples_like_the_data_have_ratios_about_1_and_a_distance_about_the_floor() -> None:
    found = seen(squares(64, 1))
    assert all(found[key] == pytest.approx(1, abs=0.1) for key in ("diversity", "contrast", "fine", "z_response"))
    assert found["swd"] < 1.8 * found["swd_floor"]
    assert found["saturation"] == pytest.approx(found["saturation_real"], abs=0.05)


def test_one_picture_for_all_is_no_diversity_and_nothing_but_twins() -> None:
    found = seen(squares(1, 1).repeat(64, 1, 1, 1))
    assert found["diversity"] == found["z_response"] == 0
    assert found["duplicates"] == 1
    assert found["contrast"] == pytest.approx(1, abs=0.1)
    assert found["swd"] > 3 * found["swd_floor"]


def test_noise_has_fine_detail_and_blank_pictures_no_contrast() -> None:
    assert seen(torch.rand(64, 1, 16, 16) * 2 - 1)["fine"] > 3
    assert seen(torch.zeros(64, 1, 16, 16))["contrast"] == 0


def test_copies_are_nearer_to_training_images_than_unseen_ones() -> None:
    reference = ReferenceSet(LabelledImages(REALS), LabelledImages(squares(64, 5)), REALS.split(40))
    new = squares(64, 2) + 0.3 * torch.randn(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert seen(REALS + 0.01, reference)["nearest"] > 0.7
    assert seen(new, reference)["nearest"] < 0.5


def test_a_d_that_knows_training_images_by_heart_prefers_them() -> None:
    unseen = squares(64, 3)

    def by_heart(shown: LabelledImages) -> DiscriminatorOutput:
        known = (shown.images[:, None] - REALS[None]).abs().flatten(2).amax(2).amin(1) < 1e-3
        return DiscriminatorOutput(known.float(), None)

    assert (
        seen(unseen, ReferenceSet(LabelledImages(REALS), LabelledImages(unseen)), judge=brightness)["held_out"] == 0.5
    )
    spread = ReferenceSet(LabelledImages(REALS), LabelledImages(unseen + 0.05))
    assert seen(unseen, spread, judge=by_heart)["held_out"] == 1


@pytest.mark.parametrize(("reals", "unseen"), [(64, 20), (64, 16), (40, 64), (64, 63)])
def test_a_d_that_compares_a_batch_is_shown_as_many_of_either_kind(reals: int, unseen: int) -> None:
    """As under minibatch discrimination: what it says of an image rises with the number of others."""

    def crowd(shown: LabelledImages) -> DiscriminatorOutput:
        return DiscriminatorOutput(len(shown.images) + brightness(shown).logits, None)

    reference = ReferenceSet(LabelledImages(REALS[:reals]), LabelledImages(squares(unseen, 3)))
    found = seen(squares(64, 1), reference, judge=crowd, d_auc=1.0)
    assert found["held_out"] == found["separation_eval"] == found["separation_framed"] == 0.5


def test_in_smaller_batches_every_image_keeps_its_own_logit_and_label() -> None:
    labels = torch.arange(50)

    def of_label(shown: LabelledImages) -> DiscriminatorOutput:
        assert shown.labels is not None
        return DiscriminatorOutput(shown.images[:, 0, 0, 0] + shown.labels, None)

    images = torch.arange(50.0)[:, None, None, None].expand(50, 1, 2, 2)
    model = Drawn(REALS, ReferenceSet(LabelledImages(REALS)), of_label, None)
    for few in (1, 16, 20, 25, 49, 50):
        assert logits_in_batches(few, model, LabelledImages(images, labels)).tolist() == (2 * labels).tolist()


def test_a_shortcut_through_the_border_is_lost_with_the_border() -> None:
    framed = squares(64, 1)
    framed[..., 0, :] = framed[..., -1, :] = framed[..., :, 0] = framed[..., :, -1] = -0.9
    brighter = ReferenceSet(LabelledImages(REALS))

    def darker_is_real(shown: LabelledImages) -> DiscriminatorOutput:
        return DiscriminatorOutput(-shown.images[:, 0, 0, 0], None)

    found = seen(framed, brighter, judge=darker_is_real, d_auc=1.0)
    assert found["separation_eval"] == 1
    assert found["separation_framed"] == 0.5
    assert "separation_eval" not in seen(framed, brighter, judge=darker_is_real, d_auc=0.7)


def test_the_last_step_gives_ranges_and_the_difference_of_modes() -> None:
    samples = squares(64, 1)
    step = LastStep(127.5 * (REALS + 1), samples, samples, ())
    found = seen(samples, last=step, again=samples.roll(1, 0))
    assert found["range_real"][:2] == pytest.approx([0, 127.5 * 2], abs=13)
    assert found["range_fake"][:2] == pytest.approx([-1, 1], abs=0.1)
    assert found["train_eval"] == pytest.approx(1, abs=0.15)
    assert seen(samples, last=step, again=samples)["train_eval"] == 0
    assert "train_eval" not in seen(samples, last=step)


def test_nothing_is_measured_before_there_are_reals_to_compare_with() -> None:
    class Unready(Drawn):
        def reference(self) -> None:  # type: ignore[override]
            return None

    unready = Unready(REALS, ReferenceSet(LabelledImages(REALS)), brightness, None)
    assert measure(unready, LastStep(REALS, REALS, REALS, ())) == {}


def test_what_cannot_be_seen_has_no_key() -> None:
    found = seen(squares(64, 1))
    assert not {"held_out", "nearest", "train_eval", "range_real", "diversity_seen", "separation_eval"} & found.keys()
    assert sample_statistics(ReferenceSet(LabelledImages(REALS)), REALS)["diversity"] == pytest.approx(1)
