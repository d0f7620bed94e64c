"""`ganglion directions` as a person meets it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.pixels import to_float
from ganglion.data.prepare import prepare
from ganglion.latent.directions import METHODS, load_directions
from ganglion.metrics.extractors import EXTRACTORS, ExtractorContext
from ganglion.metrics.features import Extractor, ExtractorOutput, store_set
from ganglion.platform.screen import Screen


@pytest.mark.parametrize("method", METHODS)
def test_directions_are_kept_and_shown_a_row_each_and_are_the_same_again(command, digits_run, tmp_path, method) -> None:  # type: ignore[no-untyped-def]
    words = ("directions", digits_run.path, "--method", method, "--count", "3", "--steps", "5", "--out")
    for name in ("a", "b"):
        done = command(*words, tmp_path / f"{name}.safetensors")
        assert done.code == 0
        assert done.out.startswith(f"3 directions ({method}), strengths ")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    kept = load_directions(tmp_path / "a.safetensors", 16)
    assert torch.equal(kept.vectors, METHODS[method](ganglion.load(digits_run), 3).vectors.float())
    assert np.asarray(Image.open(tmp_path / "a.png")).shape == (3 * 50 + 2, 120 + 5 * 50, 3)


def test_left_out_they_lie_in_the_run_folder_where_a_walk_finds_them(command, own_run) -> None:  # type: ignore[no-untyped-def]
    assert command("directions", own_run, "--count", "2").code == 0
    kept = own_run / "latent" / "directions-sefa.safetensors"
    assert kept.with_suffix(".png").is_file()
    assert command("walk", own_run, "--directions", kept).out.startswith("2 rows of 9, from -3 to 3")


def nearest_mean(need: ExtractorContext, _: str = "") -> Extractor:
    """A classifier that needs no training: of which class's mean image is this most likely?"""
    assert need.real.labels is not None
    images, labels = to_float(torch.from_numpy(np.array(need.real.images))), torch.from_numpy(need.real.labels)
    means = torch.stack([images[labels == i].mean(0) for i in range(len(need.real.classes))])  # (K, C, H, W)

    def embed(seen: torch.Tensor) -> ExtractorOutput:
        apart = (seen[:, None] - means).square().sum((2, 3, 4))  # (N, K)
        return ExtractorOutput(seen.flatten(1), (-apart).softmax(1))

    return Extractor("learned", "none", "nearest mean of a class", embed, need.device, need.real.classes)


def test_a_probe_finds_the_one_direction_between_two_classes(command, digits_run, cache, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(EXTRACTORS, "learned", nearest_mean)  # the real one learns for a minute
    out = tmp_path / "probe.safetensors"
    done = command("directions", digits_run.path, "--label-probe", "0, 1", "--steps", "3", "--out", out)
    found, model = load_directions(out, 16), ganglion.load(digits_run)
    assert done.out.startswith(f"1 directions (probe), strengths {float(found.strengths[0]):.3g}: {out}")
    assert float(found.strengths[0]) > 0.8
    real = store_set(prepare(digits_run.recipe.data, cache, Screen(quiet=True)))
    look = nearest_mean(ExtractorContext(real, cache, model.device)).embed
    z = model.latents(200, seed=4)
    toward, away = (look(model.generate(z + far * found.vectors[0])).probabilities[:, 0].mean() for far in (2, -2))
    assert toward > away + 0.1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "pac"], "sefa or pca; got 'pac'"),
        (["--count", "0"], "'--count'"),
        (["--range", "4,-4"], "the first number must be the smaller one; got '4,-4'"),
        (["--label-probe", "3"], "expected two classes, separated by a comma; got '3'"),
        (["--label-probe", "3,3"], "expected two classes, separated by a comma; got '3,3'"),
        (["--label-probe", "3,cat"], "there is no class 'cat'; classes are 0, 1, 2"),
        (["--out", "d.png"], "a file that ends in .safetensors; got d.png"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(refused, digits_run, tmp_path, monkeypatch, words, message) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in words else ["--out", tmp_path / "d.safetensors"]
    assert message in refused("directions", digits_run.path, *words, *out)


def test_no_run_is_told(refused) -> None:  # type: ignore[no-untyped-def]
    assert "nowhere is not a run" in refused("directions", "nowhere")
