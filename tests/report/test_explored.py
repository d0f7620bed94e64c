from __future__ import annotations

import numpy as np
import torch

from ganglion.latent.model import load, model_of
from ganglion.report.explored import NEAREST, explore, nearest_rows


def test_pictures_of_a_run_are_equal_on_every_call(digits_run):
    first, second = (explore(load(digits_run), "runs/digits") for _ in range(2))
    assert [one.name for one in first] == ["samples", "walks", "interpolations", "directions"]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert "runs/digits" in one.about


def test_a_generator_whose_first_layer_is_hidden_has_no_directions():
    model = model_of(lambda z: torch.tanh(z[:, :3, None, None].expand(-1, 3, 16, 16)), dim=4)
    assert [one.name for one in explore(model, "it")] == ["samples", "walks", "interpolations"]


def test_beside_each_sample_stand_the_images_nearest_to_it():
    random = np.random.default_rng(0)
    real = random.integers(0, 256, (50, 16, 16, 1), np.uint8)
    samples = real[[7, 30]].copy()
    samples[:, 0, 0] ^= 1
    page = nearest_rows(samples, real)
    shade = page[..., 0]
    for row, place in enumerate((7, 30)):
        top = 2 + row * (32 + 2)
        first = shade[top : top + 32 : 2, 84 + 34 : 84 + 34 + 32 : 2]
        assert np.array_equal(first, real[place, ..., 0])
    assert page.shape[1] == 84 + (1 + NEAREST) * (32 + 2)


def test_fewer_images_than_places_are_enough():
    assert nearest_rows(np.zeros((1, 16, 16, 3), np.uint8), np.zeros((2, 16, 16, 3), np.uint8)).ndim == 3
