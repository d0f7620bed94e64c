from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.errors import DataError
from ganglion.studio.background import Task
from ganglion.studio.loaded import Loaded, Models
from ganglion.studio.photos import canvas, completed, mask_of, photo_of, projected, read_photo, start_of


def painted(left: int, top: int, right: int, bottom: int, side: int = 320) -> dict[str, object]:
    """An image editor's value with a rectangle painted, in pixels of the canvas."""
    layer = np.zeros((side, side, 4), np.uint8)
    layer[top:bottom, left:right] = (224, 161, 0, 255)
    return {"background": np.zeros((side, side, 4), np.uint8), "layers": [layer], "composite": None}


def test_painted_pixels_are_missing_where_half_of_a_pixel_is_covered() -> None:
    mask = mask_of(painted(40, 80, 131, 160), 16, 16)  # a pixel is 20 of the canvas
    expected = np.zeros((16, 16), bool)
    expected[4:8, 2:7] = True  # the seventh column is covered by 11 of 20
    assert (mask == expected).all()


def test_a_mask_of_images_that_are_not_square_has_their_shape() -> None:
    layer = np.zeros((480, 320, 4), np.uint8)
    layer[:240, :, 3] = 255
    mask = mask_of({"layers": [layer]}, 24, 16)
    assert mask.shape == (24, 16)
    assert mask[:12].all()
    assert not mask[12:].any()


@pytest.mark.parametrize(
    "value", [None, {}, {"layers": []}, {"layers": [np.zeros((32, 32, 4), np.uint8)]}, painted(0, 0, 4, 4)]
)
def test_nothing_painted_is_said(value: dict[str, object] | None) -> None:
    with pytest.raises(DataError, match="nothing is painted"):
        mask_of(value, 16, 16)


def test_all_painted_is_said() -> None:
    with pytest.raises(DataError, match="the whole picture is painted over"):
        mask_of(painted(0, 0, 320, 320), 16, 16)


def test_a_photo_is_made_to_fit_like_the_training_images(loaded: Loaded, tmp_path: Path) -> None:
    Image.new("RGBA", (50, 30), (200, 10, 10, 128)).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png", loaded)
    assert photo.picture.shape == (1, 16, 16)
    assert photo.pixels.shape == (16, 16, 1)
    assert canvas(photo).shape == (448, 448, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_file_that_is_no_picture_is_named_without_where_it_lies(
    loaded: Loaded, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="a.png") as raised:
        read_photo(tmp_path / "a.png", loaded)
    assert str(tmp_path) not in str(raised.value)


def test_a_search_ends_when_it_is_asked_to_and_gives_what_it_found(loaded: Loaded) -> None:
    photo = photo_of(loaded.model.sample(1, seed=5)[0], "seed 5")
    task = Task("projection", seconds=60)
    task.stop()
    found = projected(loaded, photo, None, task)
    assert torch.isfinite(found.z).all()
    assert len(found.trace) == 2  # one step, and the end
    assert start_of(found, photo).name == "projection of seed 5"


def test_a_search_keeps_to_its_time_and_gets_better_with_it(loaded: Loaded) -> None:
    photo = photo_of(loaded.model.sample(1, seed=5)[0], "seed 5")
    stopped = Task("a", seconds=60)
    stopped.stop()
    now = [0.0]

    def clock() -> float:
        now[0] += 0.01
        return now[0]

    limited = Task("b", seconds=1.5, clock=clock)
    worse, better = projected(loaded, photo, None, stopped), projected(loaded, photo, None, limited)
    assert 1.0 < now[0] < 2.5
    assert better.error < worse.error


@pytest.mark.parametrize("run", ["attributes_run", "uniform_classes"])
def test_conditional_runs_with_alpha_or_a_uniform_prior_are_searched_too(
    run: str, models: Models, request: pytest.FixtureRequest
) -> None:
    loaded = models.open(request.getfixturevalue(run))
    photo = photo_of(loaded.model.sample(1, seed=5)[0], "seed 5")
    task = Task("projection", seconds=0.2)
    assert projected(loaded, photo, None, task).z.shape == (8,)


def test_a_completion_leaves_what_is_known_and_one_proposal_is_left_of_a_stopped_one(loaded: Loaded) -> None:
    photo = photo_of(loaded.model.sample(1, seed=5)[0], "seed 5")
    mask = mask_of(painted(0, 0, 160, 320), 16, 16)
    task = Task("completion", seconds=60)
    task.stop()
    found = completed(loaded, photo, mask, None, task)
    assert [name.partition(",")[0] for name in found] == ["painted over", "proposal 1"]
    proposal = next(pixels for name, pixels in found.items() if name.startswith("proposal"))
    assert (proposal[~mask] == photo.pixels[~mask]).all()
