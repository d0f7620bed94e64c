"""`--from`, whole runs: what the command takes over, the cases that people ask for, going on, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganglion
from ganglion.data.given import cannot_be_named
from ganglion.doctor.readers.run_folder import setup_of
from ganglion.errors import CheckpointError, DataError, RecipeError, RunError
from tiny import TINY


def started(folder: Path, cache: Path, start_from: Any, source: Any = None, **asked: Any) -> ganglion.Run:
    options: dict[str, Any] = {
        "run": folder,
        "device": "cpu",
        "quiet": True,
        "cache": cache,
        "at_end": lambda run: None,
    }
    return ganglion.train(source, start_from=start_from, **options | asked)


def tensors(run: ganglion.Run, which: str | int, file: str) -> dict[str, torch.Tensor]:
    return load_file(run.checkpoint(which) / f"{file}.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def facts(run: ganglion.Run) -> dict[str, Any]:
    return dict(json.loads((run.path / "start.json").read_text()))


def pictures(folder: Path, classes: dict[str, int], count: int) -> Path:
    random = np.random.default_rng(0)
    for name, shade in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pixels = np.clip(shade + random.integers(-9, 9, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> ganglion.Run:
    """Two classes of flat pictures, a few steps. Look, do not touch."""
    folder = tmp_path_factory.mktemp("shades")
    return ganglion.train(
        pictures(folder / "images", {"dark": 40, "light": 215}, 8), recipe="dcgan", size=16, steps=10, run=folder / "run",
        cache=cache, quiet=True, device="cpu", set={**TINY, "data.conditional": True}, at_end=lambda run: None,
    )  # fmt: skip


# What the command takes over


def test_from_alone_takes_over_recipe_images_and_weights_and_counts_from_zero(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    run = started(tmp_path / "run", cache, tiny_run)
    assert run.recipe.model_dump(exclude={"training": {"start_from"}}) == tiny_run.recipe.model_dump(
        exclude={"training": {"start_from"}}
    )
    assert run.recipe.training.start_from == str(tiny_run.path)
    assert [record["step"] for record in run.records()] == [0, 5, 10, 15, 20, 25, 30]
    assert facts(run)["checkpoint"] == "best"


def test_naming_the_same_images_again_leaves_all_that_was_said_of_them(tmp_path: Path, cache: Path) -> None:
    images = pictures(tmp_path / "images", {"dark": 40}, 30)
    how = {**TINY, "data.trim": "each", "data.held_out_images": 7}
    first = ganglion.train(
        images, recipe="dcgan", size=16, steps=2, run=tmp_path / "a", cache=cache, quiet=True, device="cpu", set=how,
        at_end=lambda run: None,
    )  # fmt: skip
    again = started(tmp_path / "b", cache, first, str(images)).recipe.data
    assert again == first.recipe.data
    assert (again.trim, again.held_out_images) == ("each", 7)
    others = shutil.copytree(images, tmp_path / "others")
    assert started(tmp_path / "c", cache, first, str(others)).recipe.data.held_out_images == 0  # chosen anew


def test_recipes_of_all_runs_that_it_comes_from_are_kept(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    for name, before, seed in (("b", tiny_run.path, 1), ("c", tmp_path / "b", 2), ("d", tmp_path / "c", 3)):
        started(tmp_path / name, cache, before, steps=1, seed=seed)
    for name in "bc":
        shutil.rmtree(tmp_path / name)  # with start.json they are needed no more
    kept = facts(ganglion.Run(tmp_path / "d"))
    assert [recipe["training"]["seed"] for recipe in (kept["recipe"], *kept["earlier"])] == [2, 1, 0]
    setup = setup_of(tmp_path / "d")
    assert setup is not None
    assert [recipe.training.seed for recipe in setup.earlier] == [2, 1, 0]


def test_the_first_checkpoint_holds_the_bits_of_the_other_run(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    run = started(tmp_path / "run", cache, f"{tiny_run.path}:20", steps=4)
    for file in ("generator", "ema", "discriminator", "optimizers"):
        assert same(tensors(run, 0, file), tensors(tiny_run, 20, file)), file
    state = json.loads((run.checkpoint(0) / "state.json").read_text())["progress"]
    assert (state["best_step"], state["images"], state["images_before"]) == (None, 0, 160)


def test_the_first_sheet_and_record_show_the_weights_taken_over(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    run = started(tmp_path / "run", cache, f"{tiny_run.path}:20", steps=2)
    fixed = Path("samples/fixed")
    assert (run.path / fixed / "00000000.png").read_bytes() == (tiny_run.path / fixed / "00000020.png").read_bytes()
    assert run.records()[0]["contrast"] != tiny_run.records()[0]["contrast"]


def test_the_average_that_was_taken_over_is_not_forgotten_in_the_first_steps(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    """240 images are behind it and 8 more seen: a half-life of 5 % of them, over a batch of 8."""
    run = started(tmp_path / "run", cache, f"{tiny_run.path}:30", steps=1)
    name, kept = "stem.linear.weight", 0.5 ** (8 / (0.05 * 248))
    before, after, weights = (tensors(run, *which)[name] for which in ((0, "ema"), (1, "ema"), (1, "generator")))
    torch.testing.assert_close(after, kept * before + (1 - kept) * weights)
    assert not torch.equal(after, weights)


def test_a_named_recipe_is_not_the_other_runs(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    run = started(
        tmp_path / "run", cache, tiny_run, recipe="lsgan", steps=2, set={**TINY, "generator.norm": "batch"}, size=16
    )
    assert run.recipe.name == "lsgan"
    assert run.recipe.data.source == "digits"
    assert facts(run)["running_statistics"].startswith("reset, since the loss is least-squares here")


def test_the_default_folder_names_the_run_that_it_started_from(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = started(None, cache, f"{tiny_run.path}:latest", steps=2)  # type: ignore[arg-type]
    assert run.path == Path("runs/digits-dcgan-16-from-tiny-latest")
    records = run.records()
    assert started(None, cache, f"{tiny_run.path}:latest", steps=2).records() == records  # type: ignore[arg-type]


def test_what_was_taken_over_is_said(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    started(tmp_path / "run", cache, tiny_run, steps=2, quiet=False)
    said = capsys.readouterr().err
    assert f"the recipe of {tiny_run.path}, dcgan" in said
    assert f"the images of {tiny_run.path}, digits" in said
    assert f"Starting from {tiny_run.path}, step 30 (0.2 kimg); this run counts from 0" in said
    assert "running means of D's logits: taken over" in said
    assert "training.steps: 30 -> 2" in said


# What people ask for


def test_more_images_later(tmp_path: Path, cache: Path, shades: ganglion.Run) -> None:
    more = pictures(tmp_path / "images", {"dark": 40, "light": 215}, 12)
    run = started(tmp_path / "run", cache, shades, more, steps=4)
    assert facts(run)["images_differ"]
    assert run.recipe.data.class_counts == (12, 12)
    assert same(tensors(run, 0, "generator"), tensors(shades, "best", "generator"))
    assert same(tensors(run, 0, "optimizers"), tensors(shades, "best", "optimizers"))
    assert not same(tensors(run, "latest", "generator"), tensors(shades, "best", "generator"))


def test_a_larger_size(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    run = started(tmp_path / "run", cache, f"{tiny_run.path}:latest", size=32, steps=4)
    assert ganglion.load(run).sample(2).shape == (2, 32, 32, 1)
    before, after = tensors(tiny_run, "latest", "generator"), tensors(run, 0, "generator")
    assert torch.equal(after["blocks.2.convolution.weight"], before["blocks.1.convolution.weight"])
    assert facts(run)["networks"]["generator"]["new"].keys() == {"stem", "blocks.0"}
    assert facts(run)["networks"]["discriminator"]["blocks"] == "1 block more: blocks.2 is new"


def test_the_good_state_of_a_run_that_went_wrong(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(tiny_run.path, wrong)
    (wrong / "checkpoints" / "00000030" / "generator.safetensors").write_bytes(b"rubbish")
    calmer = {"optimizer.generator.lr": 1e-4, "optimizer.discriminator.lr": 1e-4}
    run = started(tmp_path / "run", cache, f"{wrong}:20", set=calmer, steps=4)
    assert same(tensors(run, 0, "generator"), tensors(tiny_run, 20, "generator"))
    assert facts(run)["step"] == 20
    assert run.records()[-1]["lr_g"] == 1e-4
    assert "optimizer.generator.lr: 0.0002 -> 0.0001" in facts(run)["recipe_changes"]


def test_a_class_more(tmp_path: Path, cache: Path, shades: ganglion.Run) -> None:
    more = pictures(tmp_path / "images", {"dark": 40, "grey": 120, "light": 215}, 8)
    run = started(tmp_path / "run", cache, f"{shades.path}:latest", more, steps=4)
    assert run.recipe.data.classes == ("dark", "grey", "light")
    before, after = (tensors(r, which, "discriminator") for r, which in ((shades, "latest"), (run, 0)))
    assert torch.equal(after["head.projection.weight"][[0, 2]], before["head.projection.weight"])
    assert facts(run)["classes"] == {"known": ["dark", "light"], "new": ["grey"], "left_behind": []}


def test_another_width(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    run = started(tmp_path / "run", cache, tiny_run, steps=2, set={"generator.width": 8})
    assert facts(run)["networks"]["generator"]["taken_over"] == 0
    assert same(tensors(run, 0, "discriminator"), tensors(tiny_run, "best", "discriminator"))


# Going on


def test_the_same_command_goes_on_with_the_new_run_without_the_other_one(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "other")
    run = started(tmp_path / "run", cache, tmp_path / "other", steps=20)
    whole = tensors(run, "latest", "generator")
    shutil.rmtree(tmp_path / "other")
    shutil.rmtree(run.path / "checkpoints" / "00000020")
    again = started(tmp_path / "run", cache, f"{tmp_path / 'other'}/", steps=20)
    assert same(tensors(again, 20, "generator"), whole)


def test_another_start_or_none_is_another_recipe(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    started(tmp_path / "run", cache, tiny_run, steps=2)
    with pytest.raises(RunError, match=r"training\.start_from: .* -> .*:20"):
        started(tmp_path / "run", cache, f"{tiny_run.path}:20", steps=2)
    with pytest.raises(RunError, match=r"training\.start_from: .* -> null"):
        ganglion.train("digits", recipe=tiny_run.recipe, steps=2, run=tmp_path / "run", cache=cache, quiet=True)


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    with pytest.raises(RunError, match=r"training\.start_from: null -> .*\n.*--fresh"):
        started(tmp_path / "run", cache, tiny_run)


def test_fresh_begins_again_from_the_other_run(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    first = tensors(started(tmp_path / "run", cache, tiny_run, steps=10), "latest", "generator")
    again = started(tmp_path / "run", cache, tiny_run, steps=10, fresh=True)
    assert (tmp_path / "run.old-1").is_dir()
    assert same(tensors(again, "latest", "generator"), first)


def test_a_run_starts_from_itself_only_where_fresh_sets_it_aside(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.path, folder)
    with pytest.raises(RunError, match="cannot start from itself: name another folder with --run, or add --fresh"):
        started(folder, cache, f"{folder}:10", steps=4)
    run = started(folder, cache, f"{folder}:20", steps=4, fresh=True)
    assert same(tensors(run, 0, "ema"), tensors(tiny_run, 20, "ema"))
    assert facts(run)["run"] == str(tmp_path / "run.old-1")
    assert started(folder, cache, f"{folder}:20", steps=4).steps_saved() == [0, 4]


def test_two_processes_begin_with_the_same_weights(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    run = started(tmp_path / "run", cache, tiny_run, steps=1, devices=2, set={"optimizer.generator.lr": 1e-30})
    assert same(tensors(run, 0, "generator"), tensors(tiny_run, "best", "generator"))
    before, after = tensors(run, 0, "generator"), tensors(run, 1, "generator")
    assert all(
        torch.equal(before[name], after[name]) for name in before if "running" not in name and "batches" not in name
    )


# Errors


@pytest.mark.parametrize(
    ("start_from", "error", "words"),
    [
        ("nowhere", RunError, "nowhere is not a run .*RUN:STEP"),
        ("OTHER:21", CheckpointError, "no checkpoint '21' in .*; checkpoints are best, latest, 20, 30"),
        ("", RecipeError, "training.start_from is a run folder"),
    ],
)
def test_a_start_that_is_not_there_is_named_before_anything_is_written(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run, start_from: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        started(tmp_path / "run", cache, start_from.replace("OTHER", str(tiny_run.path)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("which", ["", ":best", ":latest", ":30"])
def test_a_damaged_checkpoint_is_said_and_no_other_one_taken(
    tmp_path: Path, cache: Path, tiny_run: ganglion.Run, which: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_run.path, other)
    (other / "checkpoints" / "best").write_text("00000030\n")
    (other / "checkpoints" / "00000030" / "discriminator.safetensors").write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match=r"00000030 is damaged .*name another one, .*:STEP with a step of 20, 30"):
        started(tmp_path / "run", cache, f"{other}{which}")
    shutil.rmtree(other / "checkpoints" / "00000030")
    if which != ":30":
        with pytest.raises(CheckpointError, match="step 30, is not there; there are steps 20: name one"):
            started(tmp_path / "run", cache, f"{other}{which}")


def test_nothing_is_set_aside_for_a_start_that_fails(tmp_path: Path, cache: Path, tiny_run: ganglion.Run) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "run")
    with pytest.raises(RunError, match="nothing could be taken over"):
        started(tmp_path / "run", cache, tiny_run, recipe="r3gan", set=TINY, fresh=True)
    assert not (tmp_path / "run.old-1").exists()
    assert ganglion.Run(tmp_path / "run").records() == tiny_run.records()


def test_images_that_were_given_in_python_have_to_be_given_again(tmp_path: Path, cache: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 1), np.uint8)
    options: dict[str, Any] = {"cache": cache, "quiet": True, "device": "cpu", "at_end": lambda run: None}
    other = ganglion.train(images, recipe="dcgan", steps=2, set=TINY, run=tmp_path / "other", **options)
    assert cannot_be_named(str(other.recipe.data.source))
    with pytest.raises(DataError, match="which no command line can name"):
        started(tmp_path / "run", cache, other)
    assert started(tmp_path / "run", cache, other, images).steps_saved() == [0, 2]
