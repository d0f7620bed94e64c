"""`ganglion interpolate` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import ganglion
from ganglion.pictures.films import FILMS


def frames_of(path: Path) -> tuple[int, tuple[int, int]]:
    """How many, and how large (width, height)."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
        return len(sizes), sizes[0]
    with Image.open(path) as film:
        return film.n_frames, film.size


def test_a_sheet_has_a_row_for_each_piece_and_begins_with_the_first_seed(command, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    done = command("interpolate", digits_run.path, "--seeds", "3,1,2", "--frames", "4", "--out", tmp_path / "a/way.png")
    assert (done.code, done.out) == (0, f"9 frames through 3 latents: {tmp_path / 'a/way.png'}\n")
    page = np.asarray(Image.open(tmp_path / "a/way.png"))
    assert page.shape == (2 * 18 + 2, 5 * 18 + 2)
    model = ganglion.load(digits_run)
    for row, ends in enumerate([(3, 1), (1, 2)]):
        for column, seed in zip((0, 4), ends, strict=True):
            shown = page[2 + 18 * row : 18 + 18 * row, 2 + 18 * column : 18 + 18 * column]
            assert np.array_equal(shown, model.sample(1, seed)[0, ..., 0])


@pytest.mark.parametrize("suffix", FILMS)
def test_equal_seeds_give_equal_films_and_other_seeds_others(command, digits_run, tmp_path, suffix) -> None:  # type: ignore[no-untyped-def]
    paths = [tmp_path / f"{name}{suffix}" for name in "abc"]
    for path, seeds in zip(paths, ("1,2,3", "1,2,3", "1,2,4"), strict=True):
        assert command("interpolate", digits_run.path, "--seeds", seeds, "--frames", "3", "--out", path).code == 0
    first, same, other = (path.read_bytes() for path in paths)
    assert first == same != other
    assert frames_of(paths[0]) == (7, (256, 256))
    assert sorted(tmp_path.iterdir()) == paths


def test_a_loop_comes_back_and_lands_in_the_run_folder(command, own_run) -> None:  # type: ignore[no-untyped-def]
    done = command("interpolate", own_run, "--seeds", "1,2,3", "--frames", "3", "--loop")
    assert done.out == f"9 frames through 3 latents: {own_run / 'latent' / 'interpolation.png'}\n"
    page = np.asarray(Image.open(own_run / "latent" / "interpolation.png"))
    assert page.shape[:2] == (3 * 18 + 2, 4 * 18 + 2)
    assert np.array_equal(page[38:54, 56:72], page[2:18, 2:18])  # the last row ends where the first begins


def test_the_class_that_is_asked_for_is_drawn_all_the_way(command, conditional_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("interpolate", conditional_run, "--seeds", "1,2", "--frames", "2", "--out", tmp_path / "x.png")
    assert command(*words, "--label", "7").code == 0
    page, model = np.asarray(Image.open(tmp_path / "x.png")), ganglion.load(conditional_run)
    for column, seed in ((0, 1), (2, 2)):
        assert np.array_equal(page[2:18, 2 + 18 * column : 18 + 18 * column], model.sample(1, seed, label=7)[0, ..., 0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1"], "interpolation needs at least two seeds"),
        (["--seeds", "1,two"], "non-negative integers, separated by commas, such as 1,7,42; got '1,two'"),
        (["--seeds", "1,-2"], "non-negative integers, separated by commas"),
        (["--frames", "0"], "'--frames'"),
        (["--label", "3"], "this model has no classes"),
        (["--checkpoint", "7"], "there is no checkpoint '7'"),
        (["--out", "way.avi"], "a file that ends in .png or .mp4 or .gif or .webp; got way.avi"),
        (["--out", "way"], "a file that ends in"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(refused, digits_run, tmp_path, monkeypatch, words, message) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", tmp_path / "way.mp4"]
    assert message in refused("interpolate", digits_run.path, *words, *out)


def test_no_run_and_no_place_are_told(refused, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert "nowhere is not a run" in refused("interpolate", "nowhere")
    (tmp_path / "file").write_text("a file, no folder")
    for name in ("way.mp4", "way.png"):
        said = refused("interpolate", digits_run.path, "--frames", "1", "--out", tmp_path / "file" / name)
        assert "cannot be written" in said
