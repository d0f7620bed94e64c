import numpy as np
import pytest
from PIL import Image

from ganglion.data.prepare import prepare
from ganglion.data.suitability import (
    LEAST_IMAGES,
    channels_among,
    check_suitable,
    classes_among,
    kinds_among,
    notes_on,
    said_of,
    unsuitable,
)
from ganglion.errors import DataError
from ganglion.recipe.schema import Data


@pytest.fixture
def stored(cache, reporter):
    """The store of images in memory."""
    return lambda images, **settings: prepare(Data(size=16, **settings), cache, reporter, images)


def different(noise, count):
    return np.stack([noise(16, 16, seed=seed) for seed in range(count)])


@pytest.mark.parametrize("count", [1, 2, LEAST_IMAGES - 1])
def test_too_few_images_are_refused_with_the_least_number_and_what_to_do(stored, noise, count):
    with pytest.raises(
        DataError, match=rf"has {count} images?, and a training takes at least 16 .* add images, or cut"
    ):
        check_suitable(stored(different(noise, count)))


def test_the_least_number_is_enough(stored, noise):
    assert unsuitable(stored(different(noise, LEAST_IMAGES))) is None


def test_copies_do_not_make_few_images_more(stored, noise):
    images = np.concatenate([different(noise, 5)] * 8)
    with pytest.raises(DataError, match="has 40 images of which 35 are copies, and a training takes at least 16"):
        check_suitable(stored(images))
    with pytest.raises(DataError, match="has 5 images, and"):
        check_suitable(stored(images, duplicates="drop"))


def test_images_that_are_all_equal_are_refused(stored, noise):
    with pytest.raises(DataError, match="all 40 images are equal when made to fit 16, so there is nothing to learn"):
        check_suitable(stored(np.stack([noise(16, 16)] * 40)))


def test_images_of_one_colour_each_are_refused(stored):
    images = np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 16), np.uint8)
    with pytest.raises(DataError, match="every image is of one colour all over when made to fit 16"):
        check_suitable(stored(images))


def test_images_that_are_transparent_all_over_are_refused_whatever_they_hide(stored, noise):
    images = np.stack([noise(16, 16, 4, seed) for seed in range(40)])
    images[..., 3] = 0
    with pytest.raises(DataError, match="every image is transparent all over"):
        check_suitable(stored(images))


@pytest.mark.parametrize("size", [(1, 1)])
def test_images_of_one_pixel_are_refused(stored, noise, size):
    with pytest.raises(DataError, match="one colour all over when made to fit 16"):
        check_suitable(stored([Image.fromarray(noise(*size, seed=seed)) for seed in range(20)], fit="crop"))


def test_few_copies_are_not_worth_a_note_and_many_are_with_how_to_drop_them(stored, noise):
    images = different(noise, 60)
    few, many = stored(np.concatenate([images, images[:1]])), stored(np.concatenate([images, images[:5]]))
    assert notes_on(few.facts, few.fit) == []
    assert notes_on(many.facts, many.fit) == [
        "5 of 65 images (8%) equal an earlier one pixel by pixel, such as image 60; --set data.duplicates=drop leaves them out"
    ]
    dropped = stored(np.concatenate([images, images[:5]]), duplicates="drop")
    assert len(dropped.images) == 60
    assert notes_on(dropped.facts, dropped.fit) == ["5 images that equal an earlier one are left out"]


def test_photos_among_drawings_are_told_with_some_of_their_names():
    facts = {"kinds": {"drawing": 90, "photo": 8}, "kind_paths": {"drawing": ["d"], "photo": ["a", "b", "c", "d"]}}
    (note,) = kinds_among(facts)
    assert note.startswith("two kinds of images: 90 drawings and 8 photos (photos such as a, b, c)")


@pytest.mark.parametrize(
    "kinds", [{"drawing": 90}, {"drawing": 96, "photo": 4}, {"photo": 20, "drawing": 4}, {"unclear": 50, "photo": 50}]
)
def test_one_kind_and_a_few_strays_are_not_told(kinds):
    assert kinds_among({"kinds": kinds, "kind_paths": {}}) == []


def test_a_few_images_in_no_folder_are_named_as_the_reason_for_no_classes(tmp_path, cache, noise, reporter):
    for number, image in enumerate(different(noise, 41)):
        place = tmp_path / "images" / ("" if number == 40 else f"class-{number % 2}") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(place)
    store = prepare(Data(source=str(tmp_path / "images")), cache, reporter)
    assert notes_on(store.facts, store.fit) == [
        "the folders are not taken as classes, since 1 of 41 images is in none of them (40.png): move it elsewhere to have "
        "classes"
    ]
    (tmp_path / "images" / "40.png").unlink()
    store = prepare(Data(source=str(tmp_path / "images")), cache, reporter)
    assert (notes_on(store.facts, store.fit), store.classes) == ([], ["class-0", "class-1"])


@pytest.mark.parametrize(("outside", "labels"), [(10, {}), (0, {}), (1, {"a": 40})])
def test_many_images_in_no_folder_or_classes_from_elsewhere_are_not_told(outside, labels):
    folders = (
        {"outside": outside, "examples": [f"{i}.png" for i in range(outside)][:4], "flat": False} if outside else {}
    )
    facts = {"folders": folders, "images": 100, "labels": labels}
    assert classes_among(facts) == []


def test_a_test_set_without_classes_is_told_however_many_its_images_are():
    folders = {"outside": 40, "examples": [f"test/{i}.png" for i in range(4)], "flat": True}
    facts = {"folders": folders, "images": 100, "labels": {}}
    assert classes_among(facts) == [
        "the folders are not taken as classes, since 40 of 100 images are in none of them (test/0.png, test/1.png, test/2.png, "
        "...): move them elsewhere, or name another folder as the source, to have classes"
    ]
    assert classes_among(facts | {"labels_file": {"not_used": "it has a single column"}})
    assert classes_among(facts | {"labels_file": {"not_used": ""}}) == []


def test_what_is_said_of_choices_is_the_fit_and_what_is_unusual(stored, noise):
    plain = stored(different(noise, 20))
    assert [line.partition(":")[0] for line in said_of(plain.fit, plain.facts["whys"])] == ["fit crop"]
    gray = stored(different(noise, 20)[..., :1])
    assert [line.partition(":")[0] for line in said_of(gray.fit, gray.facts["whys"])] == ["fit crop", "1 channel"]


def written(folder, pages):
    folder.mkdir()
    for i, page in enumerate(pages):
        Image.fromarray(page).save(folder / f"{i:03}.png")
    return str(folder)


@pytest.mark.parametrize(("coloured", "said"), [(0, False), (1, True), (2, True), (3, False), (100, False)])
def test_a_few_images_in_colour_among_gray_ones_are_named(tmp_path, cache, reporter, noise, coloured, said):
    pages = [noise(16, 16, channels=3 if i < coloured else 1, seed=i) for i in range(100)]
    store = prepare(Data(source=written(tmp_path / "scans", pages), size=16), cache, reporter)
    notes = channels_among(store.facts, store.fit)
    assert bool(notes) == said
    if said:
        verb = "is" if coloured == 1 else "are"
        assert notes[0].startswith(f"{coloured} of 100 images {verb} in colour, the others gray (000.png")
        assert (
            channels_among(
                store.facts, prepare(Data(source=str(tmp_path / "scans"), size=16, channels=1), cache, reporter).fit
            )
            == []
        )


def test_the_channels_are_told_of_all_images_that_were_scanned(tmp_path, cache, reporter, noise):
    pages = [noise(16, 16, channels=1, seed=i // 30) for i in range(60)] + [
        noise(16, 16, seed=100 + i) for i in range(10)
    ]
    store = prepare(Data(source=written(tmp_path / "x", pages), size=16, duplicates="drop"), cache, reporter)
    assert len(store.images) == 12
    assert channels_among(store.facts, store.fit) == []  # 10 of 70 are in colour, and not of 12


def test_transparent_pixels_that_are_laid_over_white_are_told(tmp_path, cache, reporter, noise):
    pages = [noise(16, 16, channels=4 if i < 9 else 3, seed=i) for i in range(20)]
    store = prepare(Data(source=written(tmp_path / "icons", pages), size=16), cache, reporter)
    (note,) = channels_among(store.facts, store.fit)
    assert note == (
        "9 of 20 images have transparent pixels, which are laid over white (000.png, 001.png, 002.png, ...); "
        "--set data.channels=4 keeps them"
    )
    kept = prepare(Data(source=str(tmp_path / "icons"), size=16, channels=4), cache, reporter)
    assert channels_among(kept.facts, kept.fit) == []
