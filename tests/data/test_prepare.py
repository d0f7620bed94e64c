import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.prepare import cache_folder, plan, prepare, prepare_same
from ganglion.errors import DataError
from ganglion.recipe.schema import Data


def test_a_folder_becomes_a_store_of_its_images(image_folder, cache, reporter):
    root = image_folder(["cat/1.png", "dog/2.png"], height=16, width=16)
    store = prepare(Data(source=str(root)), cache, reporter)
    assert store.images.shape == (2, 16, 16, 3)
    assert store.classes == ["cat", "dog"]


def test_what_the_recipe_leaves_open_is_chosen_with_reasons(image_folder, cache, reporter):
    settled = plan(Data(source=str(image_folder(["a.png"], height=150, width=100))), cache, reporter)
    assert (settled.fit.size, settled.fit.channels, settled.fit.policy) == ((96, 64), 3, "crop")
    assert settled.reasons.keys() == {"size", "channels", "fit", "trim", "resample"}


def test_what_the_recipe_says_is_done_without_a_reason(image_folder, cache, reporter):
    data = Data(source=str(image_folder(["a.png"])), size=32, channels=1, fit="pad", trim="off", resample="lanczos")
    settled = plan(data, cache, reporter)
    assert (settled.fit.size, settled.fit.channels, settled.fit.policy) == ((32, 32), 1, "pad")
    assert settled.reasons == {}


def test_a_plan_makes_no_store(image_folder, cache, reporter):
    plan(Data(source=str(image_folder(["a.png"]))), cache, reporter)
    assert not (cache / "stores").exists()


def test_scanning_and_packing_are_told_to_the_end(image_folder, cache, reporter):
    prepare(Data(source=str(image_folder(["a.png", "b.png"]))), cache, reporter)
    assert reporter.told == [("Scanning images", 0, 2), ("Scanning images", 2, 2), ("Packing images", 2, 2)]


def test_a_second_start_reads_nothing(image_folder, cache, reporter):
    data = Data(source=str(image_folder(["a.png"])))
    first = prepare(data, cache, reporter)
    told = list(reporter.told)
    assert prepare(data, cache, reporter).path == first.path
    assert reporter.told == told


def test_no_source_is_refused_with_what_can_be_one(cache, reporter):
    for data in (Data(), Data(source="")):
        with pytest.raises(DataError, match="no source of images is given: name a folder, a zip"):
            prepare(data, cache, reporter)


def test_a_store_can_be_named_as_the_source(image_folder, cache, reporter):
    made = prepare(Data(source=str(image_folder(["a.png"]))), cache, reporter)
    opened = prepare(Data(source=str(made.path)), cache, reporter)
    assert np.array_equal(opened.images, made.images)
    assert opened.facts["description"] == f"store {made.path}, packed from {made.facts['description']}"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"size": 32}, r"size \(16, 16\), not \(32, 32\)"), ({"channels": 1}, "channels 3, not 1"),
        ({"fit": "stretch"}, "fit crop, not stretch"), ({"trim": "each"}, "trim off, not each"),
        ({"resample": "nearest"}, "resample lanczos, not nearest"), ({"duplicates": "drop"}, "duplicates keep, not drop"),
        ({"labels": "nothere.csv"}, "packed without a file of labels, and data.labels is nothere.csv"),
    ],
)  # fmt: skip
def test_a_store_that_holds_something_else_than_asked_is_refused(image_folder, cache, reporter, asked, says):
    made = prepare(Data(source=str(image_folder(["a.png"])), size=16), cache, reporter)
    with pytest.raises(DataError, match=says):
        prepare(Data(source=str(made.path), **asked), cache, reporter)


def test_a_store_that_was_fitted_in_another_way_than_the_recipes_is_the_callers_choice(image_folder, cache, reporter):
    made = prepare(Data(source=str(image_folder(["a.png"])), fit="pad"), cache, reporter)
    assert prepare(Data(source=str(made.path)), cache, reporter).fit.policy == "pad"


def test_the_digits_are_a_store_of_their_own_kind(cache, reporter):
    store = prepare(Data(source="digits", size=16), cache, reporter)
    assert store.images.shape == (1797, 16, 16, 1)
    assert store.classes == list("0123456789")


def test_the_cache_is_where_the_environment_says_or_the_users_own():
    assert cache_folder({"GANGLION_CACHE": "/there"}) == Path("/there")
    assert cache_folder({}) == cache_folder({"GANGLION_CACHE": ""})
    assert "ganglion" in str(cache_folder({}))


def test_the_real_flowers_are_chosen_64_pixels_and_colour(real, cache, reporter):
    settled = plan(Data(source=str(real("flowers17-128.zip"))), cache, reporter)
    assert (settled.fit.size, settled.fit.channels) == ((64, 64), 3)


def deep(folder, pages):
    folder.mkdir()
    for i, page in enumerate(pages):
        Image.fromarray(page).save(folder / f"{i}.tiff")
    return Data(source=str(folder), size=16)


LEVELS = np.tile(np.linspace(0, 1, 16), (16, 1))


@pytest.mark.parametrize(
    ("kind", "brightest", "white"),
    [(np.uint16, 4000, 4095), (np.uint16, 65_535, 65_535), (np.uint16, 900, 1023), (np.uint16, 1, 1), (np.int32, 200, 255),
     (np.float32, 1.05, 1), (np.float32, 300, 1023)],
)  # fmt: skip
def test_deep_gray_images_have_one_white_for_all_of_them(tmp_path, cache, reporter, kind, brightest, white):
    pages = [(LEVELS * brightest * share).astype(kind) for share in (1, 0.5, 0.25)]
    settled = prepare(deep(tmp_path / "scans", pages), cache, reporter)
    assert settled.fit.white_level == white
    wanted = [np.round(np.minimum(page.astype(float), white) * 255 / white) for page in pages]
    assert np.array_equal(settled.images[..., 0], wanted)
    assert (
        f"gray of 16 or 32 bits in 3 of 3 images, with values up to {brightest:g}"
        in settled.facts["whys"]["white_level"]
    )


def test_the_white_level_of_a_recipe_is_kept_and_what_is_brighter_is_white(tmp_path, cache, reporter):
    data = deep(tmp_path / "scans", [(LEVELS * 4000).astype(np.uint16)])
    store = prepare(data.model_copy(update={"white_level": 2000}), cache, reporter)
    assert store.fit.white_level == 2000
    assert store.images[0, 0, 8:, 0].tolist() == [255] * 8


def test_images_of_8_bits_have_no_white_level(image_folder, cache, reporter):
    assert prepare(Data(source=str(image_folder(["a.png"]))), cache, reporter).fit.white_level is None


def test_another_attempt_takes_the_same_store_whatever_the_folder_holds_by_then(image_folder, cache, reporter):
    data = Data(
        source=str(image_folder(["a.png", "b.png"])), size=16, fit="crop", trim="off", resample="lanczos", channels=3
    )
    store = prepare(data, cache, reporter)
    image_folder(["c.png"])
    assert prepare_same(store, data, cache, reporter) is store


def test_another_attempt_with_another_fit_has_the_same_images_packed_for_it_or_none(image_folder, cache, reporter):
    data = Data(
        source=str(image_folder(["a.png", "b.png"])), size=16, fit="crop", trim="off", resample="lanczos", channels=3
    )
    stretched = data.model_copy(update={"fit": "stretch"})
    store = prepare(data, cache, reporter)
    made = prepare_same(store, stretched, cache, reporter)
    assert (made.fit.policy, made.content) == ("stretch", store.content)
    image_folder(["c.png"])
    assert prepare_same(store, stretched, cache, reporter).path == made.path
    with pytest.raises(DataError, match=r"folder .*photos has changed since this run began \(2 images then, 3 now\)"):
        prepare_same(store, data.model_copy(update={"fit": "pad"}), cache, reporter)


def test_dim_16_bit_images_are_no_copies_and_are_looked_at_as_they_are_packed(tmp_path, cache, reporter, noise):
    masks = [(noise(24, 32, channels=1, seed=seed) > 127).astype(np.uint16) for seed in range(20)]
    store = prepare(deep(tmp_path / "masks", masks).model_copy(update={"size": (24, 32)}), cache, reporter)
    assert (store.facts["duplicates"], store.fit.white_level, set(np.unique(store.images))) == (0, 1, {0, 255})
    scans = [noise(48, 64, channels=1, seed=seed).astype(np.uint16) * 16 for seed in range(20)]
    bytes_alone = [(page // 16).astype(np.uint8) for page in scans]
    fits = [
        prepare(deep(tmp_path / name, pages).model_copy(update={"size": None}), cache, reporter).fit
        for name, pages in (("scans", scans), ("bytes", bytes_alone))
    ]
    assert (fits[0].white_level, fits[1].white_level) == (4095, None)
    assert dataclasses.replace(fits[0], white_level=None) == fits[1]
