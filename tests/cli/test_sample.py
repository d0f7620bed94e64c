"""`ganglion sample --truncation` as a person meets it; the rest of `sample` is in test_app.py."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image

import ganglion


def test_truncated_samples_are_those_of_python_and_nearer_to_each_other(command, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    spread = []
    for truncation in (1.0, 0.5, 0.0):
        out = tmp_path / f"{truncation}.npy"
        words = ("sample", digits_run.path, "--n", "20", "--seed", "3", "--truncation", truncation, "--out", out)
        assert command(*words).code == 0
        images = np.load(out)
        assert np.array_equal(images, ganglion.load(digits_run).sample(20, seed=3, truncation=truncation))
        spread.append(images.std(0).mean())
    assert spread[0] > spread[1] > spread[2] == 0


def test_left_out_the_sheet_is_named_by_seed_and_truncation(command, own_run) -> None:  # type: ignore[no-untyped-def]
    assert command("sample", own_run, "--n", "4", "--seed", "3", "--truncation", "0.7").code == 0
    assert (own_run / "samples" / "seed-3-truncation-0.7.png").is_file()


def test_truncation_and_class_go_together(command, conditional_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("sample", conditional_run, "--n", "3", "--label", "7", "--truncation", "0.5", "--out", tmp_path / "x.npy")
    assert command(*words).code == 0
    expected = ganglion.load(conditional_run).sample(3, label=7, truncation=0.5)
    assert np.array_equal(np.load(tmp_path / "x.npy"), expected)


@pytest.mark.parametrize("value", ["1.5", "-0.1", "nan", "half"])
def test_a_truncation_outside_0_to_1_is_refused(refused, digits_run, tmp_path, value) -> None:  # type: ignore[no-untyped-def]
    assert "'--truncation'" in refused("sample", digits_run.path, "--truncation", value, "--out", tmp_path / "x.png")


def test_several_processes_draw_the_same_samples(command, tiny_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "x.npy"
    assert command("sample", tiny_run.path, "--n", "520", "--devices", "2", "--out", out).code == 0
    one = ganglion.load(tiny_run).sample(520).astype(int)
    assert (
        np.abs(np.load(out).astype(int) - one).max() <= 1
    )  # with other numbers of threads a kernel may round otherwise


@pytest.mark.parametrize("out", ["folder", "file.npy"])
def test_memory_does_not_grow_with_the_number_of_samples(command, tiny_run, tmp_path, out) -> None:  # type: ignore[no-untyped-def]
    def peak(n: int) -> int:
        tracemalloc.start()
        try:
            assert command("sample", tiny_run.path, "--n", str(n), "--out", tmp_path / str(n) / out).code == 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, more = 16, 816
    peak(few)
    latents_and_pixels = 2 * 8 * 4 + 16 * 16  # bytes of a sample: float32 latents of 8, drawn and copied; its pixels
    assert peak(more) - peak(few) < (more - few) * latents_and_pixels / 2


def test_samples_in_a_folder_are_those_of_python(command, digits_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert command("sample", digits_run.path, "--n", "20", "--out", tmp_path / "samples").code == 0
    files = sorted((tmp_path / "samples").iterdir())
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    assert np.array_equal(images[..., None], ganglion.load(digits_run).sample(20))
