from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.errors import DataError
from ganglion.latent.inputs import labelled_rows, mask_from_file, picture_from_file, side_by_side


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


def test_a_mask_is_white_where_pixels_are_missing(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[:, 16:] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = mask_from_file(tmp_path / "mask.png", 16, 16)
    assert mask[:, 9:].all()
    assert not mask[:, :7].any()


def test_rows_stand_below_each_other_with_their_words() -> None:
    images = np.zeros((5, 8, 8, 1), np.uint8)
    page = labelled_rows([("dim 3", images), ("dim 7", images + 255)], times=2, first_column=60)
    assert page.shape == (2 + 2 * 18, 60 + 5 * 18, 3)
    assert page[10, 70].tolist() == [0, 0, 0]
    assert page[28, 70].tolist() == [255, 255, 255]
    assert (page[:, :60] < 255).any()


def test_pictures_side_by_side_are_large_enough_to_see() -> None:
    page = side_by_side([torch.zeros(3, 16, 16), torch.ones(3, 16, 16)], ["a", "b"])
    assert page.shape[0] > 128
    assert page.shape[2] == 3
