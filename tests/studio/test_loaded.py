from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import ganglion
from ganglion.errors import CheckpointError, RunError
from ganglion.studio.loaded import Loaded, Models


def test_a_single_picture_is_that_of_the_model_within_one_level(loaded: Loaded) -> None:
    z = loaded.model.latents(5, seed=3)
    fast, exact = loaded.draw(z, None), loaded.model.pixels(z)
    assert fast.shape == exact.shape
    assert np.abs(fast.astype(int) - exact).max() <= 1


def test_conditional_models_and_alpha_are_drawn_as_the_model_does(models: Models, attributes_run: Path) -> None:
    loaded = models.open(attributes_run)
    z, labels = loaded.model.latents(3), loaded.model.labels(3)
    fast, exact = loaded.draw(z, labels), loaded.model.pixels(z, labels)
    assert exact.shape == (3, 24, 16, 4)
    assert np.abs(fast[..., 3].astype(int) - exact[..., 3]).max() <= 1
    assert loaded.draw(z, labels[:1]).shape == exact.shape  # one label for all


def test_a_generator_is_loaded_once_and_the_least_recently_used_leaves(
    tiny_run: ganglion.Run, uniform_classes: Path, attributes_run: Path
) -> None:
    models = Models(most=2, device="cpu")
    first = models.open(tiny_run.path)
    assert models.open(tiny_run.path) is first
    models.open(uniform_classes)
    models.open(tiny_run.path)
    models.open(attributes_run)
    assert len(models) == 2
    assert models.open(tiny_run.path) is first


def test_a_tab_keeps_its_generator_when_the_run_is_deleted(own_run: Path) -> None:
    models = Models(device="cpu")
    loaded = models.open(own_run)
    shutil.rmtree(own_run)
    assert models.again(own_run, loaded.checkpoint) is loaded
    with pytest.raises(RunError, match="is not a run"):
        models.open(own_run)


def test_a_run_that_began_anew_under_the_same_name_is_loaded_anew(own_run: Path) -> None:
    models = Models(device="cpu")
    first = models.open(own_run)
    state = first.model.checkpoint / "state.json"
    os.utime(state, ns=(1, state.stat().st_mtime_ns + 1))
    second = models.open(own_run)
    assert second is not first
    assert models.open(own_run) is second
    assert models.again(own_run, first.checkpoint) is second


def test_a_run_without_checkpoints_says_so(own_run: Path) -> None:
    shutil.rmtree(own_run / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Models(device="cpu").open(own_run)


def test_dimensions_are_ordered_by_influence_where_that_is_quick_and_else_by_number(loaded: Loaded) -> None:
    fresh = Loaded(loaded.run, loaded.model)
    assert fresh.is_ranked
    assert sorted(fresh.dimensions) == list(range(8))
    slow = Loaded(loaded.run, loaded.model)
    slow.seconds_per_image = 5.0
    assert not slow.is_ranked
    assert slow.dimensions == list(range(8))


def test_directions_are_found_once_and_are_unit_vectors(loaded: Loaded) -> None:
    assert loaded.has_directions
    assert loaded.directions("pca") is loaded.directions("pca")
    assert torch.allclose(loaded.directions("sefa").vectors.norm(dim=1), torch.ones(8, dtype=torch.float64))
