"""Attributes of a labels file as conditions, from the folder to images that follow what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.prepare import prepare
from ganglion.errors import DataError, RecipeError
from ganglion.latent.model import discriminator_of
from ganglion.platform.screen import Screen
from ganglion.runs.folder import Run
from ganglion.training.prepare import batches_for
from ganglion.training.train import train
from tiny import TINY

CONDITIONAL = {**TINY, "data.conditional": True}


def faces(folder: Path, count: int = 48, more: str = "") -> Path:
    """Dark and bright squares on a gray ground, left or right, of some size: what labels.csv says can be seen."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = [f"file,bright,side,width{',extra' if more else ''}"]
    for i in range(count):
        bright, left, width = i % 2, i // 2 % 2, 3 + i % 5
        pixels = np.clip(128 + random.integers(-9, 9, (16, 16)), 0, 255).astype(np.uint8)
        place = 8 * (1 - left) + (8 - width) // 2
        pixels[4 : 4 + width, place : place + width] = 250 if bright else 5
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
        rows.append(f"{i:02}.png,{bright},{'left' if left else 'right'},{width}{',' + str(i // 4 % 2) if more else ''}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return folder


def trained(
    source: Path, run: Path, cache: Path, recipe: str = "fast", steps: int = 2, **settings: object
) -> ganglion.Run:
    more = {key.replace("__", "."): value for key, value in settings.items()}
    return train(
        source, recipe=recipe, size=16, steps=steps, run=run, cache=cache, quiet=True, device="cpu", precision="32",
        set={**CONDITIONAL, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return faces(tmp_path_factory.mktemp("faces") / "in")


@pytest.fixture(scope="module")
def run(source: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    folder = tmp_path_factory.mktemp("runs") / "faces"
    seldom = {"training__batch": 16, "training__tick_kimg": 5, "training__snapshot_kimg": 50}
    return trained(source, folder, cache, steps=1000, generator__width=8, discriminator__width=8, **seldom)


def centre(images: np.ndarray) -> tuple[float, float]:
    """Mean of the left and of the right squares."""
    return float(images[:, 4:10, 2:6].mean()), float(images[:, 4:10, 10:14].mean())


def test_samples_follow_the_attributes_that_are_asked_for(run: ganglion.Run) -> None:
    model = ganglion.load(run, "latest")
    left, right = centre(model.sample(32, label="bright=1,side=left"))
    assert left > right + 40
    left, right = centre(model.sample(32, label={"bright": "no", "side": "left"}))
    assert left < right - 40
    left, right = centre(model.sample(32, label="side=right,bright=yes"))
    assert right > left + 40


def test_a_number_can_be_asked_for(run: ganglion.Run) -> None:
    model = ganglion.load(run, "latest")
    large, small = (model.sample(32, label=f"bright=1,side=left,width={width}") for width in (7, 3))
    assert large[:, :, :8].mean() > small[:, :, :8].mean() + 10


def test_a_model_knows_its_attributes(run: ganglion.Run) -> None:
    bright, side, width = ganglion.load(run).attributes
    assert (bright.name, bright.kind) == ("bright", "yes-no")
    assert (side.name, side.classes) == ("side", ("left", "right"))
    assert (width.kind, width.low, width.high) == ("number", 3, 7)
    assert run.recipe.data.conditions == (bright, side, width)


def test_without_a_label_attributes_are_drawn_as_in_training(run: ganglion.Run) -> None:
    model = ganglion.load(run)
    labels = model.labels(2000, seed=4)
    assert labels is not None
    assert labels.shape == (2000, 5)
    assert labels[:, 0].mean().abs() < 0.1  # as many bright as dark ones
    assert torch.equal(labels[:7], model.labels(7, seed=4))  # type: ignore[arg-type]
    assert np.array_equal(model.sample(5, seed=4), model.pixels(model.latents(5, seed=4), labels[:5]))


def test_d_judges_an_image_by_its_attributes(run: ganglion.Run, source: Path, cache: Path) -> None:
    d = discriminator_of(ganglion.load(run, "latest"))
    batches = batches_for(run.recipe, prepare(run.recipe.data, cache, Screen(quiet=True)), torch.device("cpu"))
    images, labels = batches.pick(batches.seen)
    assert d is not None
    assert labels is not None
    wrong = labels * torch.tensor([-1.0, 1, 1, 1, 1])  # bright for dark
    as_they_are, as_they_are_not = d(images, labels), d(images, wrong)
    assert (as_they_are - as_they_are_not).abs().max() > 0.1
    assert as_they_are_not.std() > 1.5 * as_they_are.std()


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("sngan", {"generator__conditioning": "norm", "discriminator__width": 4}),
        ("improved", {"data__sampling": "balanced", "generator__norm": "virtual-batch"}),
    ],
)  # fmt: skip
def test_a_resumed_run_ends_with_the_same_bits(
    recipe: str, settings: dict[str, object], source: Path, tmp_path: Path, cache: Path
) -> None:
    whole = trained(source, tmp_path / "whole", cache, recipe, 4, optimizer__schedule="constant", **settings)
    for steps in (2, 4):
        again = trained(source, tmp_path / "again", cache, recipe, steps, optimizer__schedule="constant", **settings)
    for name in ("generator", "ema", "discriminator"):
        one, other = (each.checkpoint("latest") / f"{name}.safetensors" for each in (whole, again))
        assert one.read_bytes() == other.read_bytes(), name
    assert np.array_equal(ganglion.load(whole).sample(3), ganglion.load(again).sample(3))


def test_columns_can_be_chosen(source: Path, tmp_path: Path, cache: Path) -> None:
    chosen = trained(source, tmp_path / "run", cache, data__attributes="side,width:class")
    assert [column.name for column in chosen.recipe.data.conditions] == ["side", "width"]
    assert chosen.recipe.data.conditions[1].classes == ("3", "4", "5", "6", "7")
    with pytest.raises(DataError, match="no usable column 'sides'; there are bright, side, width; did you mean 'side'"):
        trained(source, tmp_path / "other", cache, data__attributes=["sides"])


def test_weights_of_shared_columns_are_taken_over(run: ganglion.Run, tmp_path: Path, cache: Path) -> None:
    more = faces(tmp_path / "more", more="extra")
    begun = train(
        more,
        start_from=run.path,
        run=tmp_path / "run",
        steps=1,
        cache=cache,
        quiet=True,
        device="cpu",
        at_end=lambda run: None,
    )
    kept, before = (
        ganglion.load(each, which).generator.embedding.weight for each, which in ((begun, 0), (run, "best"))
    )
    assert [column.name for column in begun.recipe.data.conditions] == ["bright", "side", "width", "extra"]
    assert torch.equal(kept[:4, :5], before[:4])
    assert kept.shape == (6, 6)


def test_a_callback_gets_a_model_with_attributes(source: Path, tmp_path: Path, cache: Path) -> None:
    seen = []
    ganglion.train(
        source, recipe="fast", size=16, steps=10, run=tmp_path / "run", cache=cache, quiet=True, device="cpu",
        precision="32", set=CONDITIONAL, callback=lambda record, model: seen.append(model.sample(2, label="bright=1")),
    )  # fmt: skip
    assert seen[0].shape == (2, 16, 16, 1)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"data.conditional": True, "data.labels": "folders"}, r"48 of 48 have none: .* or write labels.csv"),
        ({"data.conditional": True, "data.labels": "folders", "data.attributes": ["x"]}, "there is none"),
        ({"data.conditional": True, "data.attributes": ["width"], "data.sampling": "balanced"}, "there are only numbers"),
        ({"data.sampling": "balanced"}, "set data.conditional to true"),
        ({"data.attributes": ["side"]}, "data.conditional is false"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(
    settings: dict[str, object], why: str, source: Path, tmp_path: Path, cache: Path
) -> None:
    with pytest.raises((DataError, RecipeError), match=why):
        train(
            source, recipe="fast", size=16, steps=1, run=tmp_path / "run", cache=cache, quiet=True, set=TINY | settings
        )


def test_an_unusable_labels_file_is_told_where_it_is_needed(tmp_path: Path, cache: Path) -> None:
    broken = faces(tmp_path / "in")
    (broken / "labels.csv").write_text("file,x\nnobody.png,1\nnowhere.png,2\n")
    with pytest.raises(DataError, match=r"labels.csv is not used: 48 of 48 images have no row in it"):
        trained(broken, tmp_path / "run", cache)


def test_a_run_without_its_attributes_file_names_it(run: ganglion.Run, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    (copy / "attributes.npy").write_bytes(b"broken")
    with pytest.raises(ganglion.RunError, match=r"attributes.npy cannot be read .* copy it from the run"):
        ganglion.load(copy)
    assert Run(copy).recipe.data.conditions
