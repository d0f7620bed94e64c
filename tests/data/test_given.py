"""What may stand in the place of a name, from the object to the store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.data.find import find_source
from ganglion.data.fit import recipe_values
from ganglion.data.given import cannot_be_named, given_source, is_named, name_of
from ganglion.data.hub import RowsSource
from ganglion.data.in_memory import ArraySource, ItemsSource
from ganglion.data.prepare import plan, prepare, prepare_again
from ganglion.data.workers import FEW
from ganglion.errors import DataError
from ganglion.recipe.schema import Data

PIXELS = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), np.uint8)
LABELS = ["a", "b", "a", "b", "b"]


class Pictures(torch.utils.data.Dataset):
    classes = ("a", "b")

    def __len__(self) -> int:
        return 5

    def __getitem__(self, place: int) -> Any:
        return Image.fromarray(PIXELS[place]), "ab".index(LABELS[place])


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        return iter(PIXELS)


@pytest.fixture
def rows(hub_library):
    """A Hugging Face data set of these pictures, with the transform of a training script on top."""
    kinds = {
        "picture": hub_library.Image(),
        "label": hub_library.ClassLabel(names=["a", "b"]),
        "id": hub_library.Value("int32"),
    }
    columns = {"picture": [Image.fromarray(x) for x in PIXELS], "label": [0, 1, 0, 1, 1], "id": list(range(5))}
    return hub_library.Dataset.from_dict(columns, features=hub_library.Features(kinds))


@pytest.mark.parametrize(
    ("images", "kind", "words"),
    [
        (PIXELS, ArraySource, "array (5, 16, 16, 3) uint8"),
        ((PIXELS, LABELS), ArraySource, "array (5, 16, 16, 3) uint8, labelled"),
        (torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255, ArraySource, "tensor (5, 3, 16, 16) float32"),
        ([Image.fromarray(x) for x in PIXELS], ItemsSource, "list (5 items)"),
        ((list(PIXELS), LABELS), ItemsSource, "list (5 items), labelled"),
        (Pictures(), ItemsSource, "Pictures (5 items)"),
    ],
)
def test_every_kind_of_images_has_a_source_and_words_for_the_recipe(images: Any, kind: type, words: str) -> None:
    assert not is_named(images)
    assert name_of(images) == f"{words}, given in Python"
    assert isinstance(given_source(images), kind)
    assert given_source(images).description == name_of(images)


def test_names_and_paths_are_named() -> None:
    assert name_of("digits") == "digits"
    assert name_of(Path("x")) == Path("x")
    assert name_of(None) is None
    assert not cannot_be_named("digits")


def test_a_pair_of_two_images_is_no_pair_of_images_and_labels() -> None:
    pair = (Image.fromarray(PIXELS[0]), Image.fromarray(PIXELS[1]))
    assert name_of(pair) == "list (2 items), given in Python"
    assert len(given_source(pair).entries()) == 2


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (7, "an? int has no items that can be read by index; images are a name or path"),
        ({"image": PIXELS, "label": LABELS}, r"a dict holds several things \(image, label\): give one of them"),
        (Stream(), "a Stream has no items"),
        (torch.utils.data.DataLoader(Pictures()), r"a DataLoader has no items .*of a DataLoader, its .dataset"),
        (iter(PIXELS), "has no items that can be read by index"),
    ],
)
def test_what_holds_no_images_is_refused_with_what_may_be_given(images: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        name_of(images)


def everything(rows: Any) -> dict[str, Any]:
    return {
        "array": (PIXELS, LABELS),
        "tensor": (torch.from_numpy(PIXELS).permute(0, 3, 1, 2), np.array(LABELS)),
        "pairs": [(Image.fromarray(x), label) for x, label in zip(PIXELS, LABELS, strict=True)],
        "torch": Pictures(),
        "rows": rows,
    }


@pytest.mark.parametrize("kind", ["array", "tensor", "pairs", "torch", "rows"])
def test_every_kind_is_packed_alike(rows, cache, reporter, kind):
    store = prepare(Data(), cache, reporter, everything(rows)[kind])
    np.testing.assert_array_equal(store.images, PIXELS)
    assert store.classes == ["a", "b"]
    assert [store.classes[k] for k in store.labels] == LABELS


def test_arrays_tensors_and_items_of_equal_pixels_and_labels_share_one_store(rows, cache, reporter):
    found = everything(rows)
    del found["rows"]  # its content is that of the encoded files
    assert len({prepare(Data(), cache, reporter, images).path for images in found.values()}) == 1


def test_the_same_array_finds_its_store_again_and_a_changed_pixel_makes_another(cache, reporter):
    first = prepare(Data(), cache, reporter, PIXELS)
    packed = reporter.told.count(("Packing images", 5, 5))
    again = prepare(Data(), cache, reporter, PIXELS.copy())
    assert (again.path, reporter.told.count(("Packing images", 5, 5))) == (first.path, packed)
    changed = PIXELS.copy()
    changed[4, 15, 15, 2] ^= 1
    assert prepare(Data(), cache, reporter, changed).path != first.path


def test_an_array_on_disk_finds_the_store_of_the_same_array_in_memory(tmp_path, cache, reporter):
    first = prepare(Data(), cache, reporter, PIXELS)
    np.save(tmp_path / "x.npy", PIXELS)
    assert prepare(Data(source=str(tmp_path / "x.npy")), cache, reporter).path == first.path


def test_what_is_done_in_a_training_script_is_not_done_to_the_rows(rows, cache, reporter):
    plain = prepare(Data(), cache, reporter, rows)
    for changed in (rows.with_format("numpy"), rows.with_transform(lambda batch: {"nothing": batch["id"]})):
        assert prepare(Data(), cache, reporter, changed).path == plain.path


def test_rows_of_other_pixels_are_another_store(rows, hub_library, cache, reporter):
    other = hub_library.Dataset.from_dict(
        {"picture": [Image.fromarray(255 - x) for x in PIXELS], "label": [0, 1, 0, 1, 1], "id": list(range(5))},
        features=rows.features,
    )
    first, second = (prepare(Data(), cache, reporter, one) for one in (rows, other))
    assert first.path != second.path
    np.testing.assert_array_equal(second.images, 255 - PIXELS)


def test_rows_without_one_column_of_images_are_refused_with_a_way_out(rows, hub_library):
    two = rows.add_column("mask", [None] * 5).cast_column("mask", hub_library.Image())
    with pytest.raises(DataError, match=r"columns of images: picture, mask .*: keep one of them with select_columns"):
        given_source(two)
    with pytest.raises(DataError, match="no single column of images; columns of images: none"):
        given_source(rows.remove_columns("picture"))
    assert isinstance(given_source(rows), RowsSource)


def test_a_set_of_splits_and_labels_beside_rows_are_refused(rows, hub_library):
    with pytest.raises(DataError, match=r"a DatasetDict holds several things \(train\): give one of them"):
        name_of(hub_library.DatasetDict(train=rows))
    with pytest.raises(DataError, match="has its labels in a column of ClassLabel: pass it without"):
        name_of((rows, LABELS))


def test_a_local_copy_goes_with_a_name_only(cache, reporter):
    with pytest.raises(DataError, match="data_dir goes with a named data set"):
        prepare(Data(data_dir="somewhere"), cache, reporter, PIXELS)


def test_words_of_a_python_program_are_no_name(cache, reporter):
    name = str(name_of(PIXELS))
    with pytest.raises(
        DataError, match=r"'array \(5, 16, 16, 3\) uint8, given in Python' .*call ganglion.train with the same"
    ):
        find_source(name)


def test_a_run_finds_its_packed_images_again_without_their_source(image_folder, cache, reporter):
    for data, images in (
        (Data(source=str(name_of(PIXELS))), PIXELS),
        (Data(source=str(image_folder(["a.png"]))), None),
    ):
        first = prepare(data, cache, reporter, images)
        values = {key.removeprefix("data__"): value for key, value in recipe_values(first.fit).items()}
        settled = data.model_copy(update=values | {"content": first.content})
        if images is None:
            (Path(str(data.source)) / "a.png").rename(Path(str(data.source)).parent / "gone.png")
        found = prepare_again(settled, cache, reporter)
        assert (found.path, found.facts["description"]) == (first.path, f"{data.source}, as it was packed")
        with pytest.raises(DataError):
            prepare_again(settled.model_copy(update={"content": "0" * 64}), cache, reporter)


def test_images_in_memory_are_read_in_this_process(cache, reporter):
    seen = set()

    class Where:
        def __len__(self) -> int:
            return FEW + 300

        def __getitem__(self, place: int) -> Any:
            seen.add(os.getpid())
            return np.full((16, 16), place % 256, np.uint8)

        def __reduce__(self) -> Any:
            raise AssertionError("it was about to be copied to a worker")

    store = prepare(Data(), cache, reporter, Where())
    assert len(store.images) == FEW + 300
    assert seen == {os.getpid()}


# More channels


def test_arrays_of_many_channels_are_packed_whole(cache, reporter):
    for channels in (2, 5, 13, 64):
        deep = np.random.default_rng(channels).integers(0, 256, (3, 80, 80, channels), np.uint8)
        settled = plan(Data(size=80), cache, reporter, deep)
        assert settled.fit.channels == channels
        np.testing.assert_array_equal(prepare(Data(size=80), cache, reporter, deep).images, deep)
        first = prepare(Data(size=80), cache, reporter, deep.transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(first.images, deep)


def test_an_unclear_shape_is_settled_by_the_recipes_number_of_channels(tmp_path, cache, reporter):
    deep = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 16), np.uint8)
    np.save(tmp_path / "x.npy", deep)
    named = {"source": str(tmp_path / "x.npy")}
    for data, images in ((named, None), ({}, deep)):
        with pytest.raises(DataError, match="ambiguous"):
            prepare(Data(**data), cache, reporter, images)
        np.testing.assert_array_equal(prepare(Data(**data, channels=16), cache, reporter, images).images, deep)


@pytest.mark.parametrize(
    ("images", "channels", "says"),
    [
        (
            np.zeros((3, 80, 80, 13), np.uint8),
            3,
            r"has images of 13 channels, and data.channels is 3: leave it out, or choose",
        ),
        (
            np.zeros((3, 80, 80, 3), np.uint8),
            13,
            "gray, RGB or RGB with alpha, and data.channels is 13: set it to 1, 3 or 4",
        ),
        (
            [np.zeros((80, 80, 13), np.uint8), np.zeros((80, 80, 12), np.uint8), np.zeros((80, 80, 13), np.uint8)],
            None,
            "mixes images of different channels (2 of 13 channels, 1 of 12 channels): all must have the same number",
        ),
        (
            [np.zeros((80, 80, 13), np.uint8), np.zeros((80, 80), np.uint8)],
            None,
            "mixes images of different channels (1 of 13 channels, 1 of L)",
        ),
    ],
)
def test_numbers_of_channels_that_cannot_be_had_are_refused(cache, reporter, images, channels, says):
    with pytest.raises(DataError) as refusal:
        prepare(Data(channels=channels), cache, reporter, images)
    assert says.replace("\\", "") in str(refusal.value)
