from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.errors import DataError
from ganglion.latent.inputs import mask_from_file, picture_from_file


def test_a_picture_is_made_to_fit_as_the_training_images_were(digits_run: ganglion.Run, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (255, 255, 255)).save(tmp_path / "white.png")
    found = picture_from_file(tmp_path / "white.png", digits_run.recipe)
    assert found.shape == (1, 16, 16)
    assert float(found.min()) == 1


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_what_is_no_picture_is_said(digits_run: ganglion.Run, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match=r"x.png (cannot be read|is no picture)"):
        picture_from_file(tmp_path / "x.png", digits_run.recipe)


def test_of_a_mask_with_a_transparent_ground_only_what_is_drawn_is_missing(tmp_path: Path) -> None:
    layer = np.zeros((32, 32, 4), np.uint8)
    layer[:, 16:] = 255
    Image.fromarray(layer).save(tmp_path / "mask.png")
    mask = mask_from_file(tmp_path / "mask.png", 16, 16)
    assert mask[:, 9:].all()
    assert not mask[:, :7].any()


def test_a_mask_is_white_where_pixels_are_missing(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, 16:] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = mask_from_file(tmp_path / "mask.png", 16, 16)
    assert mask[:, 9:].all()
    assert not mask[:, :7].any()
