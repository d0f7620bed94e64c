"""What is told from names alone."""

import pytest

from ganglion.cli.data import PREVIEW
from ganglion.data.file_names import is_litter, is_own_folder, looks_like_image, outside_own_folders


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "b/c.Jpeg", "x.y.webp", "ü.gif", ".hidden.tiff"])
def test_an_image_suffix_in_any_case_promises_an_image(name):
    assert looks_like_image(name)


@pytest.mark.parametrize("name", ["a.json", "png", "a.png.txt", "", "folder.png/readme", "a."])
def test_another_ending_promises_none(name):
    assert not looks_like_image(name)


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "a/._b.png",
        "__MACOSX/a/b.png",
        "x/Thumbs.db",
        "desktop.ini",
        ".hidden/a.png",
        "a/.ipynb_checkpoints/b.png",
        "a/@eaDir/b.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "$RECYCLE.BIN/a.png",
        PREVIEW,
        "photos/ganglion-preview-diffaugment.png",
        "wandb/offline-run-1/files/media/images/samples.png",
    ],
)
def test_what_operating_systems_and_ganglion_leave_about_is_litter(name):
    assert is_litter(name)


@pytest.mark.parametrize(
    "name", ["a.png", "Thumbs.db/a.png", "MACOSX/a.png", "./a.png", "../a.png", "ganglion-cyst.png", "wandb.png"]
)
def test_what_a_person_may_have_meant_is_no_litter(name):
    assert not is_litter(name)


@pytest.mark.parametrize(
    ("names", "own"),
    [
        (["recipe.yaml", "environment.json"], True), (["vitals.jsonl", "a.png"], True), (["store.json", "images.npy"], True),
        (["recipe.yaml", "a.png"], False), (["store.json", "a.png"], False), (["environment.json"], False), ([], False),
    ],
)  # fmt: skip
def test_a_folder_of_ganglions_is_told_by_files_that_no_other_has_together(names, own):
    assert is_own_folder(names) == own


def test_what_is_left_of_paths_are_those_outside_runs_in_their_order():
    run = ["r/recipe.yaml", "r/environment.json", "r/samples/1.png"]
    assert outside_own_folders(["z.png", *run, "r.png", "r2/a.png"]) == ["z.png", "r.png", "r2/a.png"]
    assert outside_own_folders(["recipe.yaml", "environment.json", "a.png"]) == [
        "recipe.yaml",
        "environment.json",
        "a.png",
    ]
    assert outside_own_folders([]) == []


def test_a_zip_of_one_run_is_read():
    run = ["run/recipe.yaml", "run/environment.json", "run/samples/a.png"]
    assert outside_own_folders(run) == run
    assert outside_own_folders([*run, "photo.png"]) == ["photo.png"]
