"""`ganglion project` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import ganglion


@pytest.fixture
def picture(digits_run: ganglion.Run, tmp_path: Path) -> Path:
    """One that the generator can make."""
    path = tmp_path / "picture.png"
    Image.fromarray(ganglion.load(digits_run).sample(1, seed=11)[0, ..., 0]).save(path)
    return path


def test_a_picture_of_the_generator_is_found_and_its_latent_kept(command, digits_run, picture, tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "found.png"
    done = command("project", digits_run.path, picture, "--starts", "6", "--steps", "120", "--out", out, "--json")
    facts = json.loads(done.out)
    assert (facts["reached"], facts["picture"], facts["latent"]) == (True, str(out), str(tmp_path / "found.npy"))
    assert facts["error"] < 0.5 * facts["usual"]
    assert np.asarray(Image.open(out)).shape == (128 + 14 + 4, 2 * 130 + 2, 3)
    z = np.load(facts["latent"])
    assert z.shape == (16,)
    drawn = ganglion.load(digits_run).generate(torch.from_numpy(z)[None])[0, 0].numpy()
    aim = np.asarray(Image.open(picture)) / 127.5 - 1
    assert np.sqrt(np.mean((drawn - aim) ** 2)) == pytest.approx(facts["error"], abs=1e-4)


def test_equal_seeds_give_equal_files_and_the_film_shows_each_step(command, digits_run, picture, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name in ("a", "b"):
        folder = tmp_path / name
        words = ("project", digits_run.path, picture, "--starts", "2", "--steps", "5", "--out", folder / "x.png")
        assert command(*words, "--film", folder / "x.mp4").code == 0
    for suffix in (".png", ".npy", ".mp4"):
        assert (tmp_path / f"a/x{suffix}").read_bytes() == (tmp_path / f"b/x{suffix}").read_bytes()
    with av.open(str(tmp_path / "a/x.mp4")) as film:
        assert [(frame.width, frame.height) for frame in film.decode(video=0)] == 6 * [(256, 256)]
    assert len(list((tmp_path / "a").iterdir())) == 3


def test_noise_is_said_to_lie_outside_and_lands_in_the_run_folder(command, own_run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    done = command("project", own_run, tmp_path / "noise.png", "--starts", "2", "--steps", "5")
    assert "the image is outside the generator's range" in done.out
    assert {path.name for path in (own_run / "latent").iterdir()} == {"projection-noise.png", "projection-noise.npy"}


def test_a_class_can_be_given(command, conditional_run, picture, tmp_path) -> None:  # type: ignore[no-untyped-def]
    words = ("project", conditional_run, picture, "--label", "7", "--starts", "2", "--steps", "3", "--json")
    facts = json.loads(command(*words, "--out", tmp_path / "x.png").out)
    model = ganglion.load(conditional_run)
    drawn = model.generate(torch.from_numpy(np.load(facts["latent"]))[None], model.labels(1, label=7))[0, 0].numpy()
    aim = np.asarray(Image.open(picture)) / 127.5 - 1
    assert np.sqrt(np.mean((drawn - aim) ** 2)) == pytest.approx(facts["error"], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.png"], "gone.png cannot be read: No such file or directory"),
        (["."], ". cannot be read: Is a directory"),
        (["broken.png"], "broken.png is no picture that can be read"),
        (["picture.png", "--steps", "0"], "'--steps'"),
        (["picture.png", "--label", "3"], "this model has no classes"),
        (["picture.png", "--film", "film.avi"], "a file that ends in .mp4 or .gif or .webp; got film.avi"),
        (["picture.png", "--out", "x.npy"], "a file that ends in .png; got x.npy"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(  # type: ignore[no-untyped-def]
    refused, digits_run, picture, tmp_path, monkeypatch, words, message
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(picture.read_bytes()[:60])
    out = [] if "--out" in words else ["--out", tmp_path / "x.png"]
    assert message in refused("project", digits_run.path, *words, *out)


def test_of_a_run_with_classes_the_class_of_the_image_is_asked_for(refused, conditional_run, picture) -> None:  # type: ignore[no-untyped-def]
    said = " ".join(refused("project", conditional_run, picture).replace("│", " ").split())
    assert "--label: say what the image shows, such as 0, 1, 2" in said


def test_no_run_is_told(refused, picture) -> None:  # type: ignore[no-untyped-def]
    assert "nowhere is not a run" in refused("project", "nowhere", picture)
