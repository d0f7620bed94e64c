"""`ganglion complete` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganglion

QUICK = ("--steps", "4", "--proposals", "2")
SIDE, GAP, TOP = 128, 2, 16  # pixels of the page: an image of 16x16 eight times as large, between images, above them


@pytest.fixture
def picture(digits_run: ganglion.Run, tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(ganglion.load(digits_run).sample(1, seed=11)[0, ..., 0]).save(path)
    return path


def drawn_mask(path: Path, height: int, width: int, *columns: int) -> Path:
    """White from one column to the other."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, slice(*columns)] = 255
    Image.fromarray(pixels).save(path)
    return path


def test_known_pixels_are_shown_as_they_are_in_every_proposal(command, digits_run, picture, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "filled.png"
    done = command("complete", digits_run.path, picture, "--missing", "right-half", *QUICK, "--out", out)
    assert done.code == 0
    assert done.out.startswith("2 proposals for 50% of the image, errors on known pixels ")
    page, known = np.asarray(Image.open(out)), np.asarray(Image.open(picture))
    assert page.shape == (SIDE + 14 + 2 * GAP, 4 * (SIDE + GAP) + GAP, 3)  # known, two proposals, their average
    tiles = [page[TOP : TOP + SIDE : 8, x : x + SIDE : 8, 0] for x in (GAP + i * (GAP + SIDE) for i in range(4))]
    assert all(np.array_equal(one[:, :8], known[:, :8]) for one in tiles)
    assert (tiles[0][:, 8:] == 128).all()
    assert not np.array_equal(tiles[1][:, 8:], tiles[0][:, 8:])


def test_equal_seeds_fill_alike_and_the_page_lands_in_the_run_folder(command, own_run, picture) -> None:  # type: ignore[no-untyped-def]
    found = []
    for _ in range(2):
        done = command("complete", own_run, picture, "--missing", "random:0.4", *QUICK, "--json")
        facts = json.loads(done.out)
        assert facts["picture"] == str(own_run / "latent" / "completion-picture.png")
        found.append((Path(facts["picture"]).read_bytes(), facts["known_errors"], facts["missing"]))
    assert found[0] == found[1]
    assert found[0][1] == sorted(found[0][1])
    assert 0.2 < found[0][2] < 0.6


@pytest.mark.parametrize(("size", "columns"), [((32, 64), (16, 32)), ((16, 16), (0, 8)), ((48, 48), (0, 24))])
def test_a_mask_is_cut_as_the_picture_is_or_has_the_runs_shape(command, digits_run, tmp_path, size, columns) -> None:  # type: ignore[no-untyped-def]
    """A wide picture loses a quarter at each side; its mask has to lose the same, or it lies elsewhere."""
    Image.new("L", (64, 32), 90).save(tmp_path / "wide.png")
    mask = drawn_mask(tmp_path / "mask.png", *size, *columns)
    words = ("complete", digits_run.path, tmp_path / "wide.png", "--mask", mask, *QUICK, "--json")
    facts = json.loads(command(*words, "--out", tmp_path / "x.png").out)
    assert facts["missing"] == 0.5


def test_a_class_can_be_given(command, conditional_run, picture, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("complete", conditional_run, picture, "--missing", "centre", "--label", "7", *QUICK)
    assert command(*words, "--out", tmp_path / "x.png").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.png", "--missing", "centre"], "gone.png cannot be read: No such file or directory"),
        (["broken.png", "--missing", "centre"], "broken.png is no picture that can be read"),
        (["picture.png"], "expected either --mask FILE or --missing AREA"),
        (["picture.png", "--missing", "centre", "--mask", "all.png"], "expected either --mask FILE or --missing AREA"),
        (["picture.png", "--missing", "middle"], "--missing is left-half, right-half,"),
        (["picture.png", "--missing", "random:0.0"], "Invalid value for --missing: a mask must mark some"),
        (["picture.png", "--mask", "gone.png"], "gone.png cannot be read: No such file or directory"),
        (["picture.png", "--mask", "broken.png"], "broken.png is no picture that can be read"),
        (
            ["picture.png", "--mask", "all.png"],
            "Invalid value for --mask: a mask must mark some",
        ),
        (["picture.png", "--mask", "none.png"], "this one marks none"),
        (
            ["picture.png", "--mask", "wide.png"],
            "wide.png is 16x20 (height x width); a mask has the size of its picture",
        ),
        (["picture.png", "--missing", "centre", "--label", "3"], "--label: this model has no classes"),
        (["picture.png", "--missing", "centre", "--proposals", "0"], "'--proposals'"),
        (["picture.png", "--missing", "centre", "--out", "x.gif"], "a file that ends in .png; got x.gif"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(  # type: ignore[no-untyped-def]
    refused, digits_run, picture, tmp_path, monkeypatch, words, message
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(picture.read_bytes()[:60])
    for name, width, end in (("all.png", 16, 16), ("none.png", 16, 0), ("wide.png", 20, 10)):
        drawn_mask(tmp_path / name, 16, width, 0, end)
    out = [] if "--out" in words else ["--out", tmp_path / "x.png"]
    assert message in refused("complete", digits_run.path, *words, "--steps", "2", *out)


def test_no_run_is_told(refused, picture) -> None:  # type: ignore[no-untyped-def]
    assert "nowhere is not a run" in refused("complete", "nowhere", picture, "--missing", "centre")
