"""Images that a Python program holds."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganglion.data import in_memory as memory
from ganglion.data.in_memory import ArraySource, ItemsSource, as_array
from ganglion.data.scan import scan
from ganglion.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16, 20, 3), np.uint8)
PIXELS[0, 0, :2] = [[0], [255]]


class Listed(torch.utils.data.Dataset):
    """Items by their place, counted as they are read."""

    def __init__(self, items: list[Any], **kept: Any) -> None:
        self.items, self.reads = items, 0
        self.__dict__ |= kept

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        self.reads += 1
        item = self.items[place]
        if isinstance(item, Exception):
            raise item
        return item() if callable(item) else item


def read_all(source: ArraySource | ItemsSource) -> np.ndarray:
    return np.stack([source.read(entry) for entry in source.entries()])


def labels_of(source: ArraySource | ItemsSource) -> list[str | None]:
    return [entry.label for entry in source.entries()]


# Arrays


@pytest.mark.parametrize(
    "images",
    [
        PIXELS,
        PIXELS.transpose(0, 3, 1, 2),
        PIXELS / 255,
        PIXELS / 127.5 - 1,
        (PIXELS / 255).astype(np.float16),
        PIXELS * 1.0,
    ],
    ids=["uint8", "NCHW", "[0,1]", "[-1,1]", "float16", "[0,255]"],
)
def test_every_customary_array_gives_the_same_pixels(images: np.ndarray) -> None:
    np.testing.assert_array_equal(read_all(ArraySource(images)), PIXELS)


@given(st.tuples(st.integers(0, 5), st.integers(0, 15), st.integers(0, 19), st.integers(0, 2)))
def test_one_changed_value_changes_the_fingerprint_also_in_place(place: tuple[int, ...]) -> None:
    images = PIXELS.copy()
    source = ArraySource(images)
    before = source.fingerprint()
    assert before == ArraySource(PIXELS.copy()).fingerprint()
    images[place] ^= 1
    assert source.fingerprint() != before
    assert ArraySource(images).fingerprint() != before


def test_labels_and_shape_are_part_of_the_fingerprint() -> None:
    prints = {
        ArraySource(*given).fingerprint()
        for given in ((PIXELS,), (PIXELS, [0, 1, 2] * 2), (PIXELS, [0, 1, 1] * 2), (PIXELS.reshape(6, 20, 16, 3),))
    }
    assert len(prints) == 4


def test_labels_are_numbers_or_texts_and_none_or_less_than_0_is_no_class() -> None:
    assert labels_of(ArraySource(PIXELS, np.array([2, 0, 1, 1, -1, 2]))) == ["2", "0", "1", "1", None, "2"]
    assert labels_of(ArraySource(PIXELS, ["a", "b", None, "a", "c", "c"])) == ["a", "b", None, "a", "c", "c"]
    assert labels_of(ArraySource(PIXELS, torch.tensor([1, 2, 3, 4, 5, 6]))) == list("123456")
    assert labels_of(ArraySource(PIXELS)) == [None] * 6


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([0, 1], r"a has 6 images, and labels of shape \(2,\)"),
        (np.eye(6), r"a has 6 images, and labels of shape \(6, 6\)"),
        (7, r"labels of shape \(\)"),
        ([0.5] * 6, "the label of image 0 of a is float; a label is a whole number or a text"),
    ],
)
def test_labels_that_are_not_one_for_each_image_are_refused(labels: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        ArraySource(PIXELS, labels, "a")


NAN = np.where(np.arange(6)[:, None, None, None] == 3, np.nan, PIXELS / 255)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (PIXELS[:0], "a is empty: there is no image to train on"),
        (PIXELS.astype(np.float32) * 2, "a has values from 0 to 510; floats are images in"),
        (NAN, "image 3 of a has values that are not finite"),
        (PIXELS.astype(np.uint16), "a holds uint16; images are uint8, or floats"),
        (PIXELS[0], r"a has the shape \(16, 20, 3\), which is one image"),
        (PIXELS[0, 0], "a has 2 axes; images have 3"),
        (PIXELS[None], "a has 5 axes; images have 3"),
        (np.zeros((6, 16, 16, 16), np.uint8), "ambiguous"),
    ],
)
def test_what_is_no_array_of_images_is_refused_at_once(images: np.ndarray, says: str) -> None:
    with pytest.raises(DataError, match=says):
        ArraySource(images, None, "a")


def test_tensors_of_every_kind_are_arrays() -> None:
    for tensor in (torch.from_numpy(PIXELS), torch.from_numpy(PIXELS).requires_grad_(False)):
        np.testing.assert_array_equal(as_array(tensor), PIXELS)
    half = torch.linspace(0, 1, 5).to(torch.bfloat16).requires_grad_()
    np.testing.assert_allclose(as_array(half), [0, 0.25, 0.5, 0.75, 1])
    assert as_array("text") is as_array([1, 2]) is as_array(None) is None


# Items


@pytest.mark.parametrize(
    "make",
    [Image.fromarray, lambda image: image, torch.from_numpy, lambda image: torch.from_numpy(image).permute(2, 0, 1),
     lambda image: torch.from_numpy(image).permute(2, 0, 1) / 255, lambda image: image / 127.5 - 1],
    ids=["Pillow", "array", "tensor", "CHW", "[0,1]", "[-1,1]"],
)  # fmt: skip
@pytest.mark.parametrize("wrap", [list, Listed])
def test_items_of_every_kind_give_the_same_pixels_and_labels(make: Any, wrap: Any) -> None:
    bare, labelled = (
        wrap([make(image) for image in PIXELS]),
        wrap([(make(image), i % 2) for i, image in enumerate(PIXELS)]),
    )
    np.testing.assert_array_equal(read_all(ItemsSource(bare)), PIXELS)
    np.testing.assert_array_equal(read_all(ItemsSource(labelled)), PIXELS)
    assert labels_of(ItemsSource(bare)) == [None] * 6
    assert labels_of(ItemsSource(labelled)) == list("010101")


def test_a_tensor_data_set_of_torch_is_read() -> None:
    tensors = torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255
    source = ItemsSource(torch.utils.data.TensorDataset(tensors, torch.arange(6)))
    np.testing.assert_array_equal(read_all(source), PIXELS)
    assert labels_of(source) == list("012345")
    assert labels_of(ItemsSource(torch.utils.data.TensorDataset(tensors))) == [None] * 6


def test_pillow_images_of_every_mode_are_what_their_files_would_be(encode: Any) -> None:
    from ganglion.data.decode import decode
    from ganglion.data.fit import Fit, fit

    alpha = Image.fromarray(np.dstack([PIXELS[0], PIXELS[1, ..., :1]]))
    pictures = [
        alpha,
        alpha.convert("LA"),
        alpha.convert("L"),
        alpha.convert("1"),
        Image.fromarray(PIXELS[2]).quantize(8),
    ]
    source = ItemsSource(pictures)
    for picture, entry in zip(pictures, source.entries(), strict=True):
        expected, found = (fit(decode(x)[0], Fit((16, 20), 4, "crop")) for x in (encode(picture), source.read(entry)))
        np.testing.assert_array_equal(found, expected)


def test_the_pillow_images_are_left_as_they_are() -> None:
    picture = Image.fromarray(PIXELS[0])
    picture.getexif()[0x0112] = 6
    turned = ItemsSource([picture])
    assert turned.read(turned.entries()[0]).shape == (20, 16, 3)
    assert picture.size == (20, 16)
    assert picture.getexif()[0x0112] == 6


def test_classes_are_named_as_the_data_set_names_them() -> None:
    pairs = [(image, i % 2) for i, image in enumerate(PIXELS)]
    names = ["cat", ("dog", "hound")]
    assert labels_of(ItemsSource(Listed(pairs, classes=names)))[:2] == ["cat", "dog, hound"]
    part = torch.utils.data.Subset(Listed(pairs, classes=names), [1, 3])
    assert labels_of(ItemsSource(part)) == ["dog, hound", "dog, hound"]
    assert labels_of(ItemsSource(Listed(pairs, classes=["crane", "crane"])))[:2] == ["0", "1"]  # two birds, two classes


def test_a_label_beyond_the_names_is_refused() -> None:
    with pytest.raises(DataError, match=r"the label of item 0 of x is 5, and there are 2 names in .classes: 0 to 1"):
        ItemsSource(Listed([(PIXELS[0], 5)], classes=["a", "b"]), None, "x").entries()


def test_known_targets_spare_a_reading_of_every_item_and_are_held_to_the_items() -> None:
    pairs = [(image, i % 2) for i, image in enumerate(PIXELS)]
    right = Listed(pairs, targets=torch.arange(6) % 2)
    source = ItemsSource(right)
    before = right.reads
    assert labels_of(source) == list("010101")
    assert right.reads == before
    np.testing.assert_array_equal(read_all(source), PIXELS)
    wrong = ItemsSource(Listed(pairs, targets=[0] * 6), None, "x")
    with pytest.raises(DataError, match="item 1 of x had the label '0' and now has '1'"):
        read_all(wrong)


def test_targets_that_a_transform_changes_are_not_trusted() -> None:
    pairs = [(image, "dog") for image in PIXELS]
    assert labels_of(ItemsSource(Listed(pairs, targets=[0] * 6, target_transform=str))) == ["dog"] * 6


Dog = namedtuple("Dog", "image name age")


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("a.png", "item 2 of x is no image but str; an item is a Pillow image"),
        (None, "item 2 of x is no image but NoneType"),
        ({"image": PIXELS[0]}, "item 2 of x is no image but dict"),
        (PIXELS[0, 0, 0], "item 2 of x is no image but an array of 1 axes"),
        (Dog(PIXELS[0], "Rex", 3), r"item 2 of x is a Dog of 3; an item is an image, or \(image, label\)"),
        ((PIXELS[0], 0.5), "the label of item 2 of x is float"),
        ((PIXELS[0], torch.zeros(40)), r"the label of item 2 of x is an array of shape \(40,\)"),
        (PIXELS[0].astype(int), "item 2 of x holds int64"),
        (np.zeros((9, 9, 9), np.uint8), r"item 2 of x has the shape \(9, 9, 9\): it is ambiguous whether"),
        (PIXELS[0] * 3.0, "x has values from 0 to 765"),
    ],
)
def test_an_item_that_is_no_image_is_named_by_its_place(item: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_all(ItemsSource([*PIXELS[:2], item], None, "x"))


def test_an_item_beyond_those_looked_at_is_named_when_its_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "RANGE_SAMPLE", 1)
    for item, says in (
        (None, "item 3 of x is no image"),
        (PIXELS[0] / 100, r"item 3 of x has values outside \[0, 1\]"),
    ):
        source = ItemsSource([*(PIXELS[:3] / 255), item], None, "x")
        with pytest.raises(DataError, match=says):
            read_all(source)


def test_items_that_are_others_each_time_are_refused() -> None:
    random = np.random.default_rng(0)
    flipped = [lambda image=image: image[:, :: 1 if random.random() < 0.5 else -1] for image in PIXELS]
    with pytest.raises(DataError, match="of x differs each time it is read: remove random transforms"):
        ItemsSource(Listed(flipped), None, "x")


def test_an_item_whose_file_cannot_be_read_is_skipped_as_a_file_would_be(cache: Any) -> None:
    broken = Listed([(PIXELS[0], 0), OSError("truncated"), (PIXELS[2], 1)])
    found = scan(ItemsSource(broken), cache)
    assert (found.images, found.bad) == (2, [("item 1", "cannot be read: truncated")])


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="x is empty"):
        ItemsSource([], None, "x")


def test_labels_beside_a_list_are_its_labels() -> None:
    source = ItemsSource(list(PIXELS), list("abcabc"))
    assert labels_of(source) == list("abcabc")
    np.testing.assert_array_equal(read_all(source), PIXELS)
