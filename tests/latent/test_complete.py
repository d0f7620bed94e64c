from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion.errors import DataError
from ganglion.latent.complete import (
    Completion,
    _compares,
    _logits,
    complete,
    mean_completion,
    parse_mask,
    pixel_weights,
    poisson_blend,
)
from ganglion.latent.model import discriminator_of, model_of
from ganglion.latent.project import Settings, project
from ganglion.networks.base import Discriminator
from ganglion.networks.build import build_discriminator
from ganglion.networks.custom import WrappedDiscriminator
from ganglion.recipe.resolve import resolve
from untrained_models import untrained_model

QUICK = Settings(starts=4, steps=80)


def test_known_pixels_stay_and_the_missing_ones_come_nearer_than_the_mean(digits_run: ganglion.Run) -> None:
    """On pictures that the generator can make: what was taken away is given back, better than by a gray patch."""
    model = ganglion.load(digits_run)
    mask = parse_mask("right-half", 16, 16)
    known, gone = torch.from_numpy(~mask), torch.from_numpy(mask)
    better = 0
    for picture in model.generate(model.latents(6, seed=9)):
        (best, *_) = complete(model, picture, mask, discriminator_of(model), 1, QUICK)
        assert torch.equal(best.image[:, known], picture[:, known])
        error = float((best.image - picture)[:, gone].square().mean())
        better += error < float((picture[:, known].mean() - picture[:, gone]).square().mean())
    assert better >= 5


def test_several_proposals_differ_and_the_best_comes_first(digits_run: ganglion.Run) -> None:
    model = ganglion.load(digits_run)
    found = complete(
        model, model.generate(model.latents(1, seed=3))[0], parse_mask("centre", 16, 16), None, 3, Settings(2, 25)
    )
    errors = [one.known_error for one in found]
    assert errors == sorted(errors)
    assert len({round(float(one.raw.sum()), 3) for one in found}) > 1


def test_pixels_near_the_hole_count_most_and_missing_ones_not_at_all() -> None:
    mask = parse_mask("centre", 32, 32)
    weights = pixel_weights(mask)
    assert (weights[mask] == 0).all()
    assert weights[7, 16] > weights[2, 16] > 0
    assert weights[7, 16] == pytest.approx(3 / 7 + 1)  # three of seven rows of its window are missing


def test_blending_copies_a_constant_shift_away() -> None:
    """A hole in a ramp, filled from the same ramp made brighter: the seam closes exactly."""
    ramp = torch.linspace(-0.5, 0.5, 16).expand(1, 16, 16).contiguous()
    mask = parse_mask("centre", 16, 16)
    assert torch.allclose(poisson_blend(ramp, ramp + 0.3, mask), ramp, atol=1e-6)


def test_blending_solves_poissons_equation() -> None:
    random = np.random.default_rng(0)
    picture, drawn = (torch.from_numpy(random.uniform(-0.4, 0.4, (3, 12, 10))) for _ in range(2))
    mask = parse_mask("random:0.4", 12, 10, seed=1)
    out, source = poisson_blend(picture, drawn, mask).numpy(), drawn.numpy()
    for y, x in zip(*np.nonzero(mask), strict=True):
        around = [
            (y + dy, x + dx) for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)) if 0 <= y + dy < 12 and 0 <= x + dx < 10
        ]
        mine = sum(out[:, y, x] - out[:, v, u] for v, u in around)
        theirs = sum(source[:, y, x] - source[:, v, u] for v, u in around)
        if np.abs(out[:, y, x]).max() < 1 and all(np.abs(out[:, v, u]).max() < 1 for v, u in around):
            assert mine == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("words", "share"),
    [
        ("left-half", 0.5),
        ("right-half", 0.5),
        ("top-half", 0.5),
        ("bottom-half", 0.5),
        ("centre", 0.25),
        ("border", 7 / 16),
    ],
)
def test_masks_by_name_have_their_share(words: str, share: float) -> None:
    assert parse_mask(words, 32, 32).mean() == share
    assert 0.2 < parse_mask("random:0.3", 64, 64).mean() < 0.4


@pytest.mark.parametrize("words", ["half", "random:2", "random:", ""])
def test_other_words_are_told_which_there_are(words: str) -> None:
    with pytest.raises(DataError, match="--missing is left-half"):
        parse_mask(words, 8, 8)


@pytest.mark.parametrize(("mask", "message"), [(np.ones((16, 16), bool), "marks all"), (np.zeros((16, 16), bool), "marks none"),
                                               (np.ones((8, 16), bool), "the mask is")])  # fmt: skip
def test_a_mask_has_to_fit_and_to_leave_something(digits_run: ganglion.Run, mask: np.ndarray, message: str) -> None:
    model = ganglion.load(digits_run)
    with pytest.raises(ValueError, match=message):
        complete(model, model.generate(model.latents(1))[0], mask)


def test_the_average_is_the_middle_of_the_proposals_and_leaves_known_pixels() -> None:
    picture, mask = torch.zeros(1, 16, 16), parse_mask("centre", 16, 16)
    ramp = torch.linspace(-1, 1, 16).expand(1, 16, 16)
    found = [Completion(picture, raw, 0.0, torch.zeros(1)) for raw in (ramp, -ramp)]
    assert torch.allclose(mean_completion(picture, found, mask), picture, atol=1e-6)
    known = torch.from_numpy(~mask)
    assert torch.equal(mean_completion(ramp, found, mask)[:, known], ramp[:, known])


def test_the_prior_of_a_conditional_d_is_that_of_the_class() -> None:
    """The generator here makes the same of every class: what differs is what D takes for real."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    forward = generator.forward
    generator.forward = lambda z, labels=None: forward(z)  # type: ignore[method-assign]
    discriminator = conditional_discriminator()
    model, mask = model_of(generator, dim=4), parse_mask("left-half", 16, 16)
    found = [
        complete(model, torch.zeros(1, 16, 16), mask, discriminator, 1, Settings(2, 5), labels=torch.tensor([label]))[
            0
        ].z
        for label in (0, 1, 0)
    ]
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("of_ones_own", [False, True])
@pytest.mark.parametrize(("minibatch", "compares"), [("discrimination", True), ("stddev", True), ("none", False)])
def test_a_d_that_compares_images_judges_each_of_them_alone(minibatch: str, compares: bool, of_ones_own: bool) -> None:
    changes = {"data.size": 16, "data.channels": 1, "discriminator.width": 4, "discriminator.minibatch": minibatch}
    torch.manual_seed(0)
    d: Any = build_discriminator(resolve("dcgan", changes | {"init.scheme": "kaiming"})).requires_grad_(False).eval()
    d = WrappedDiscriminator(d).eval() if of_ones_own else d
    images = torch.rand(5, 1, 16, 16) * 2 - 1
    alone = torch.cat([d(image[None]) for image in images])
    assert torch.equal(_logits(d, images, None, True), alone)
    for image in (images[:1], torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)):
        assert _compares(d, image, None) == compares
    assert torch.allclose(_logits(d, images, None, False), alone, atol=1e-4) != compares


@pytest.mark.parametrize("search", [complete, project])
def test_of_a_conditional_model_the_class_has_to_be_named(search: Any) -> None:
    model = untrained_model(given="classes")
    picture = model.generate(model.latents(1))[0]
    more = [parse_mask("left-half", *picture.shape[1:])] if search is complete else []
    with pytest.raises(ValueError, match="pass the class to draw"):
        search(model, picture, *more, settings=Settings(2, 5))


def conditional_discriminator() -> Discriminator:
    changes = {"data.size": 16, "data.channels": 1, "discriminator.width": 4, "discriminator.norm": "none"}
    classes = {"data.conditional": True, "data.classes": ["a", "b"], "init.scheme": "kaiming"}
    return build_discriminator(resolve("dcgan", changes | classes)).requires_grad_(False)
