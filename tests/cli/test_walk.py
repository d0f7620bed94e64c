"""`ganglion walk` as a person meets it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.latent.directions import Directions, save_directions
from ganglion.latent.walk import influence
from tiny import TINY

WORDS, SIDE, GAP = 120, 48, 2  # pixels of a sheet: the words' column, an image of 16x16 thrice as large, between images


def tile(page: np.ndarray, row: int, column: int) -> np.ndarray:
    """An image of the sheet in its own size (16, 16)."""
    top, left = GAP + row * (SIDE + GAP), WORDS + column * (SIDE + GAP)
    return page[top : top + SIDE : 3, left : left + SIDE : 3, 0]


def test_a_row_goes_from_end_to_end_of_its_dimension(command, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "walk.png"
    words = ("walk", digits_run.path, "--dims", "1,4", "--range", "-2,1.5", "--steps", "3", "--seed", "5", "--out", out)
    done = command(*words)
    assert (done.code, done.out) == (0, f"2 rows of 3, from -2 to 1.5: {out}\n")
    page, model = np.asarray(Image.open(out)), ganglion.load(digits_run)
    assert page.shape == (2 * (SIDE + GAP) + GAP, WORDS + 3 * (SIDE + GAP), 3)
    for row, dim in enumerate((1, 4)):
        for column, value in ((0, -2.0), (2, 1.5)):
            z = model.latents(1, seed=5)
            z[0, dim] = value
            assert np.array_equal(tile(page, row, column), model.pixels(z)[0, ..., 0])


def test_the_ranking_is_all_of_standard_output_and_names_the_rows(command, own_run) -> None:  # type: ignore[no-untyped-def]
    done = command("walk", own_run, "--rank", "--steps", "2")
    ranked = [(int(dim), float(value)) for dim, value in (line.split() for line in done.out.splitlines())]
    assert sorted(dim for dim, _ in ranked) == list(range(16))
    assert [value for _, value in ranked] == sorted((value for _, value in ranked), reverse=True)
    assert "8 rows of 2, from -3 to 3" in done.said
    page, model = np.asarray(Image.open(own_run / "latent" / "walk.png")), ganglion.load(own_run)
    z = model.latents(1)
    z[0, ranked[0][0]] = 3
    assert np.array_equal(tile(page, 0, 1), model.pixels(z)[0, ..., 0])


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_film_goes_there_and_back_and_is_equal_for_equal_seeds(command, digits_run, tmp_path, suffix) -> None:  # type: ignore[no-untyped-def]
    paths = [tmp_path / f"{name}{suffix}" for name in "abc"]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        words = ("walk", digits_run.path, "--dims", "0,2", "--steps", "4", "--seed", seed, "--out", path)
        assert command(*words).code == 0
    first, same, other = (path.read_bytes() for path in paths)
    assert first == same != other
    if suffix == ".gif":
        with Image.open(paths[0]) as film:
            assert (film.n_frames, film.size) == (6, (WORDS + SIDE + GAP, 2 * (SIDE + GAP) + GAP))


def test_a_walk_along_kept_directions_has_a_row_for_each(command, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_directions(Directions(torch.eye(16)[[3, 9]], torch.tensor([2.0, 1.0]), "sefa"), tmp_path / "d.safetensors")
    out = tmp_path / "walk.png"
    words = ("walk", digits_run.path, "--directions", tmp_path / "d.safetensors", "--range", "-1,1", "--steps", "3")
    assert command(*words, "--out", out).out == f"2 rows of 3, from -1 to 1: {out}\n"
    page, model = np.asarray(Image.open(out)), ganglion.load(digits_run)
    moved = model.latents(1) + torch.eye(16)[9]
    assert np.array_equal(tile(page, 1, 2), model.pixels(moved)[0, ..., 0])
    assert np.array_equal(tile(page, 0, 1), tile(page, 1, 1))


def test_the_class_that_is_asked_for_is_drawn(command, conditional_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "x.png"
    assert command("walk", conditional_run, "--dims", "0", "--steps", "2", "--label", "7", "--out", out).code == 0
    model = ganglion.load(conditional_run)
    z = model.latents(1)
    z[0, 0] = 3
    assert np.array_equal(tile(np.asarray(Image.open(out)), 0, 1), model.pixels(z, model.labels(1, label=7))[0, ..., 0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dims", "1,16"], "z has the dimensions 0 to 15; there is no 16"),
        (["--dims", "1,16", "--rank"], "z has the dimensions 0 to 15; there is no 16"),
        (["--dims", "-1"], "non-negative integers, separated by commas, such as 1,7,42; got '-1'"),
        (["--dims", ""], "non-negative integers, separated by commas"),
        (["--dims", "1", "--range", "3,-3"], "the first number must be the smaller one; got '3,-3'"),
        (["--dims", "1", "--range", "0,inf"], "the first number must be the smaller one"),
        (["--dims", "1", "--range", "3"], "two numbers, separated by a comma, such as -3,3; got '3'"),
        (["--dims", "1", "--steps", "1"], "'--steps'"),
        (["--dims", "1", "--label", "2"], "this model has no classes"),
        (["--directions", "gone.safetensors"], "gone.safetensors holds no directions"),
        (["--directions", "gone.safetensors", "--dims", "1"], "use either --directions or --dims and --rank, not both"),
        (["--dims", "1", "--out", "walk.avi"], "a file that ends in .png or .mp4 or .gif or .webp; got walk.avi"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(refused, digits_run, tmp_path, monkeypatch, words, message) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", tmp_path / "walk.png"]
    assert message in refused("walk", digits_run.path, *words, *out)


def test_directions_of_another_generator_and_no_run_are_told(refused, conditional_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_directions(Directions(torch.eye(16)[:2], torch.ones(2), "sefa"), tmp_path / "d.safetensors")
    said = refused("walk", conditional_run, "--directions", tmp_path / "d.safetensors")
    assert "directions of 16 dimensions; this generator's z has 8" in said
    assert "nowhere is not a run" in refused("walk", "nowhere")


def test_the_ranking_is_of_the_class_that_is_asked_for(command, cache, tmp_path) -> None:  # type: ignore[no-untyped-def]
    steep = {"data.conditional": True, "init.scheme": "kaiming", "generator.norm": "none"}  # classes differ at once
    settings = {"recipe": "dcgan", "size": 16, "steps": 2, "device": "cpu", "set": TINY | steep}
    run = ganglion.train("digits", run=tmp_path / "run", cache=cache, quiet=True, **settings)
    ranked, model = {}, ganglion.load(run)
    for label in ("3", "8"):
        words = ("walk", run.path, "--rank", "--label", label, "--out", tmp_path / "x.png", "--steps", "2")
        ranked[label] = dict(line.split() for line in command(*words).out.splitlines())
        measured = influence(model, labels=model.labels(1, label=label))
        assert ranked[label] == {str(dim): f"{value:.4f}" for dim, value in enumerate(measured)}
    assert ranked["3"] != ranked["8"]
