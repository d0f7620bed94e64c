from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ganglion.errors import DataError
from ganglion.studio.kept import keep, kept_path
from ganglion.studio.loaded import Models
from ganglion.studio.slider_sets import SLIDERS, default_set, slider_set, slider_sets


def test_directions_come_first_then_kept_ones_then_every_dimension(models: Models, own_run: Path) -> None:
    for i in range(SLIDERS + 1):
        keep(own_run, torch.eye(8)[i % 8], f"d{i}")
    loaded = models.open(own_run)
    keys = [key for _, key in slider_sets(loaded)]
    assert keys == ["sefa", "pca", "kept:0", "kept:8", "dimensions:0"]
    assert default_set(loaded) == "sefa"
    assert slider_set(loaded, "kept:8").names == ("d8",)
    assert slider_set(loaded, "kept:8").vectors.tolist() == torch.eye(8)[:1].tolist()


def test_a_slider_of_a_dimension_moves_that_coordinate_alone(models: Models, own_run: Path) -> None:
    names, vectors = slider_set(models.open(own_run), "dimensions:0")
    assert sorted(int(name.split()[-1]) for name in names) == list(range(8))
    for name, vector in zip(names, vectors, strict=True):
        assert vector.tolist() == torch.eye(8)[int(name.split()[-1])].tolist()


@pytest.mark.parametrize("key", ["kept:0", "kept:99", "dimensions:64", "nothing", "", "dimensions:-8x"])
def test_a_set_that_is_not_there_is_said(models: Models, own_run: Path, key: str) -> None:
    if key.startswith("dimensions:-"):
        assert len(slider_set(models.open(own_run), key).names) == SLIDERS  # no number counts as the first page
        return
    with pytest.raises(DataError, match="choose others"):
        slider_set(models.open(own_run), key)


def test_a_broken_file_of_kept_directions_leaves_the_other_sets(models: Models, own_run: Path) -> None:
    kept_path(own_run).parent.mkdir()
    kept_path(own_run).write_bytes(b"broken")
    loaded = models.open(own_run)
    assert [key for _, key in slider_sets(loaded)] == ["sefa", "pca", "dimensions:0"]
    with pytest.raises(DataError, match="holds no directions"):
        slider_set(loaded, "kept:0")
