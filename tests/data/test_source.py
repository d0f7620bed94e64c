import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.data.source import is_litter, looks_like_image, natural_label

NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=8)
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=12, unique=True)


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "b/c.Jpeg", "x.y.webp", "ü.gif", ".hidden.tiff"])
def test_an_image_suffix_in_any_case_promises_an_image(name):
    assert looks_like_image(name)


@pytest.mark.parametrize("name", ["a.json", "png", "a.png.txt", "", "folder.png/readme", "a."])
def test_another_ending_promises_none(name):
    assert not looks_like_image(name)


@pytest.mark.parametrize("name", [".DS_Store", "a/._b.png", "__MACOSX/a/b.png", "x/Thumbs.db", "desktop.ini"])
def test_what_operating_systems_leave_about_is_litter(name):
    assert is_litter(name)


@pytest.mark.parametrize("name", ["a.png", "Thumbs.db/a.png", "MACOSX/a.png", ".hidden/a.png"])
def test_what_a_person_may_have_meant_is_no_litter(name):
    assert not is_litter(name)


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["cat/1.png", "dog/2.png"], ["cat", "dog"]),
        (["all/cat/1.png", "all/dog/2.png"], ["cat", "dog"]),
        (["cat/deep/down/1.png", "dog/2.png"], ["cat", "dog"]),
        (["1.png", "2.png"], [None, None]),
        (["cat/1.png", "cat/2.png"], [None, None]),
        (["cat/1.png", "dog/2.png", "3.png"], [None, None, None]),
        (["cat/1.png", "dog/2.png", "readme.txt"], ["cat", "dog", None]),
        (["all/cat/1.png", "all/dog/2.png", "readme.txt"], ["cat", "dog", None]),
        ([], []),
    ],
)
def test_the_first_folder_below_what_all_images_share_is_the_class(paths, labels):
    assert natural_label(paths) == labels


@given(PATHS)
def test_there_are_no_classes_or_at_least_two_and_each_is_a_folder_of_its_path(paths):
    labels = natural_label(paths)
    assert len(labels) == len(paths)
    assert len(set(labels) - {None}) != 1 or None in labels
    assert all(label is None or label in path.split("/")[:-1] for path, label in zip(paths, labels, strict=True))


@given(PATHS, NAMES)
def test_a_folder_around_everything_changes_no_class(paths, outer):
    assert natural_label([f"{outer}/{path}" for path in paths]) == natural_label(paths)
