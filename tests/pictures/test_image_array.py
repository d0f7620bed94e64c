"""Sample images as arrays: arrays in every way, which a notebook shows."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader

import ganglion
from ganglion.pictures.image_array import MOST_SHOWN, ImageArray


def plain(n: int = 5, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 16, 12, channels), np.uint8)


def images(n: int = 5, channels: int = 3) -> ImageArray:
    return ImageArray(plain(n, channels))


def test_samples_of_a_model_are_such_arrays_and_equal_to_the_pixels(tiny_run: ganglion.Run) -> None:
    model = ganglion.load(tiny_run)
    samples = model.sample(3, seed=1)
    assert isinstance(samples, np.ndarray)
    assert (samples.shape, samples.dtype) == ((3, 16, 16, 1), np.uint8)
    assert np.array_equal(samples, model.pixels(model.latents(3, seed=1)))
    assert "3 images of 16x16, 1 channel" in samples._repr_html_()


def test_it_is_a_view_of_the_images() -> None:
    array = plain()
    assert np.shares_memory(ImageArray(array), array)


CALCULATIONS: dict[str, Any] = {
    "division": lambda a: a / 255,
    "difference": lambda a: a - a[::-1],
    "comparison": lambda a: a == a[0],
    "mean": lambda a: a.mean(),
    "mean over images": lambda a: a.mean(0),
    "largest": lambda a: a.max(axis=(1, 2)),
    "sum": lambda a: np.sum(a, dtype=np.int64),
    "where": lambda a: np.where(a > 100, 1, 0),
    "standard deviation": lambda a: np.std(a),
    "sorting": lambda a: np.sort(a, axis=None)[:5],
    "choice": lambda a: a[a > 250],
    "as floats": lambda a: a.astype(np.float32),
    "rows": lambda a: a.reshape(len(a), -1),
    "one number": lambda a: a[0, 0, 0, 0],
    "transposed": lambda a: a.transpose(0, 3, 1, 2),
    "joined": lambda a: np.concatenate([a, a]),
}


@pytest.mark.parametrize("what", CALCULATIONS)
def test_calculations_give_what_they_give_for_plain_arrays(what: str) -> None:
    found, expected = CALCULATIONS[what](images()), CALCULATIONS[what](plain())
    assert np.array_equal(found, expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype
    assert np.isscalar(found) == np.isscalar(expected)


@pytest.mark.parametrize("what", ["division", "difference", "comparison", "mean over images", "largest", "where"])
def test_results_of_arithmetic_are_plain_arrays(what: str) -> None:
    assert type(CALCULATIONS[what](images())) is np.ndarray


def test_it_pickles_as_a_plain_array_that_needs_no_ganglion() -> None:
    data = pickle.dumps(images())
    assert b"ganglion" not in data
    assert np.array_equal(pickle.loads(data), plain())
    assert np.array_equal(pickle.loads(pickle.dumps(images()[1:3, 2:])), plain()[1:3, 2:])
    assert np.array_equal(copy.deepcopy(images()), plain())


def test_files_pillow_torch_and_loaders_take_it() -> None:
    file = io.BytesIO()
    np.save(file, images(), allow_pickle=False)
    file.seek(0)
    assert np.array_equal(np.load(file), plain())
    assert np.array_equal(np.asarray(Image.fromarray(images()[0])), plain()[0])
    assert torch.equal(torch.from_numpy(images()), torch.from_numpy(plain()))
    (batch,) = DataLoader(list(images(4)), batch_size=4)
    assert torch.equal(batch, torch.from_numpy(plain(4)))


def test_it_can_be_changed_in_place() -> None:
    array = images()
    array[0] = 0
    array += np.uint8(1)
    assert (array[0] == 1).all()


@pytest.mark.parametrize(
    ("shape", "about"),
    [
        ((5, 16, 12, 3), "5 images of 16x12, 3 channels"),
        ((1, 16, 16, 1), "1 image of 16x16, 1 channel"),
        ((16, 12, 4), "1 image of 16x12, 4 channels"),
        ((3, 16, 16, 7), "3 images of 16x16, 7 channels"),
        ((200, 8, 8, 2), f"200 images of 8x8, 2 channels; the first {MOST_SHOWN} are shown"),
    ],
)
def test_images_are_shown_with_a_line_about_them(shape: tuple[int, ...], about: str) -> None:
    html = ImageArray(np.zeros(shape, np.uint8))._repr_html_()
    assert f'<figcaption class="soft">{about}</figcaption>' in html
    assert html.count("data:image/webp") == 1


@pytest.mark.parametrize(
    "shape", [(), (3,), (4, 4), (5, 16, 12), (0, 16, 12, 3), (5, 2, 16, 3), (2, 3, 16, 12, 1), (1, 16, 16, 99)]
)
def test_other_shapes_are_shown_as_numbers(shape: tuple[int, ...]) -> None:
    assert ImageArray(np.zeros(shape, np.uint8))._repr_html_() is None


def test_floats_are_shown_as_numbers() -> None:
    assert images().astype(np.float32).view(ImageArray)._repr_html_() is None


def test_the_channels_that_a_run_shows_are_those_of_slices_too() -> None:
    array = np.zeros((2, 8, 8, 6), np.uint8)
    array[..., 5] = 255
    red, default = ImageArray(array, (5, 0, 1))[:1], ImageArray(array)[:1]
    assert red.channels == (5, 0, 1)
    assert red._repr_html_() != default._repr_html_()
    assert red[..., :3]._repr_html_() is not None  # these channels are no longer there
