from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.errors import DataError
from ganglion.studio.explorer import Place, around, film, label_of, length, mixes, picture, seeds, start_at
from ganglion.studio.loaded import Loaded, Models


def place_at(loaded: Loaded, seed: int) -> Place:
    start = start_at(loaded.model, seed)
    return Place(start, np.zeros_like(start.z))


@pytest.fixture(params=["tiny_run", "uniform_classes", "attributes_run"])
def any_loaded(request: pytest.FixtureRequest, models: Models) -> Loaded:
    run = request.getfixturevalue(request.param)
    return models.open(Path(run))


def test_a_seeds_picture_is_that_of_ganglion_sample(any_loaded: Loaded) -> None:
    found = picture(any_loaded, place_at(any_loaded, 7))
    expected = any_loaded.model.sample(1, seed=7)[0]
    assert np.abs(found.astype(int) - expected).max() <= (1 if expected.shape[2] < 4 else 255)
    opaque = expected[..., -1:] > 200 if expected.shape[2] == 4 else np.ones_like(expected[..., :1], bool)
    assert np.abs(found.astype(int) - expected)[np.broadcast_to(opaque, found.shape)].max(initial=0) <= 2


def test_truncation_scales_the_start_and_not_the_edits(loaded: Loaded) -> None:
    place = replace(place_at(loaded, 1), truncation=0.5, edit=np.ones(8, np.float32))
    assert torch.allclose(place.z(loaded.model), 0.5 * torch.from_numpy(place.start.z) + 1)


def test_sliders_move_along_their_vectors_and_moves_of_other_sets_stay(loaded: Loaded) -> None:
    place, vectors = place_at(loaded, 1), torch.eye(8)[:3]
    moved = place.z(loaded.model, vectors, (1.0, -2.0, 0.0, 9.0, 9.0))
    assert (moved - place.z(loaded.model)).tolist() == pytest.approx([1, -2, 0, 0, 0, 0, 0, 0])
    kept = place.edited(vectors, (1.0, -2.0))
    assert torch.allclose(kept.z(loaded.model), moved)


def test_a_mix_goes_from_the_one_seed_to_the_other(any_loaded: Loaded) -> None:
    model, place = any_loaded.model, place_at(any_loaded, 1)
    other = start_at(model, 2)
    ends = [replace(place, other=other, share=share).z(model) for share in (0.0, 1.0)]
    assert torch.allclose(ends[0], torch.from_numpy(place.start.z), atol=1e-5)
    assert torch.allclose(ends[1], torch.from_numpy(other.z), atol=1e-5)
    strip = mixes(any_loaded, place, other, 5)
    assert len(strip) == 5
    assert np.abs(strip[0].astype(int) - picture(any_loaded, place)).mean() <= 1


def test_no_slider_leaves_the_cube_or_the_sphere(models: Models, uniform_classes: Path, attributes_run: Path) -> None:
    uniform, sphere = models.open(uniform_classes), models.open(attributes_run)
    far = (4.0,) * 8
    assert float(place_at(uniform, 0).z(uniform.model, torch.eye(8), far).abs().max()) <= 1
    assert length(sphere.model, place_at(sphere, 0).z(sphere.model, torch.eye(8), far)) == pytest.approx(1, abs=1e-4)


def test_a_grid_of_seeds_shows_each_seed(any_loaded: Loaded) -> None:
    starts, drawn = seeds(any_loaded, 5, 4, 1.0)
    assert [start.seed for start in starts] == [5, 6, 7, 8]
    assert np.abs(drawn[2][..., -1].astype(int) - picture(any_loaded, place_at(any_loaded, 7))[..., -1]).max() <= 1


def test_a_picked_variation_looks_as_in_the_grid_under_truncation(any_loaded: Loaded) -> None:
    place = replace(place_at(any_loaded, 3), truncation=0.6)
    starts, drawn = around(any_loaded, place, place.z(any_loaded.model), 3, 0.3, 0)
    again = Place(starts[1], np.zeros_like(starts[1].z), truncation=0.6)
    assert np.abs(picture(any_loaded, again).astype(int)[..., -1] - drawn[1][..., -1]).max() <= 1
    assert starts[1].name == "variation of seed 3"


def test_a_class_that_is_asked_for_changes_the_picture_and_another_is_refused(
    models: Models, uniform_classes: Path
) -> None:
    loaded = models.open(uniform_classes)
    assert label_of(loaded.model, 0, "3").tolist() == [3]
    with pytest.raises(DataError, match="there is no class '77'"):
        picture(loaded, place_at(loaded, 0), "77")


def test_attributes_are_asked_for_by_name(models: Models, attributes_run: Path) -> None:
    model = models.open(attributes_run).model
    vectors = [label_of(model, 0, {"smiling": value}) for value in ("1", "0")]
    assert vectors[0][0, 0] == 1
    assert vectors[1][0, 0] == -1
    with pytest.raises(DataError, match="there is no attribute 'smilling'.*smiling"):
        label_of(model, 0, {"smilling": "1"})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_what_is_no_seed_is_refused(loaded: Loaded, seed: int) -> None:
    with pytest.raises(DataError, match="a seed is a whole number from 0"):
        start_at(loaded.model, seed)


def test_a_film_passes_each_seed_and_has_a_limit(loaded: Loaded) -> None:
    path, label = film(loaded, [1, 4], 6, True, 1.0)
    assert label is None
    assert path.shape == (12, 8)
    assert torch.allclose(path[6], torch.from_numpy(start_at(loaded.model, 4).z))
    with pytest.raises(DataError, match="at least two seeds"):
        film(loaded, [1], 6, True, 1.0)
    with pytest.raises(DataError, match="at most 600 frames"):
        film(loaded, [1] * 50, 24, True, 1.0)
