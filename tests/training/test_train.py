from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.errors import DataError, DeviceError, RecipeError, RunError, TrainingFailed
from ganglion.runs.checkpoints import find_checkpoint
from ganglion.runs.folder import default_run
from ganglion.training.train import train
from tiny import TINY


def tiny(run: Path, cache: Path, **asked: Any) -> ganglion.Run:
    options: dict[str, Any] = {
        "recipe": "dcgan",
        "size": 16,
        "steps": 20,
        "precision": "32",
        "device": "cpu",
        "set": TINY,
        "quiet": True,
    }
    return train("digits", run=run, cache=cache, **options | asked)


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def weights(run: ganglion.Run, which: str = "latest") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(run.checkpoint(which).glob("*.safetensors"))}


def test_the_run_folder_holds_what_the_contract_promises(tiny_run: ganglion.Run) -> None:
    held = {path.relative_to(tiny_run.path).as_posix() for path in tiny_run.path.rglob("*")}
    assert {"recipe.yaml", "environment.json", "vitals.jsonl", "checkpoints/latest", "checkpoints/best"} <= held
    assert {"samples/fixed/00000000.png", "samples/fixed/00000030.png", "samples/fresh/00000010.png"} <= held
    parts = {"generator", "ema", "discriminator", "running_stats", "optimizers"}
    assert {f"checkpoints/00000030/{part}.safetensors" for part in parts} <= held
    assert "checkpoints/00000030/state.json" in held
    assert any(name.startswith("tensorboard/events") for name in held)


def test_the_recipe_is_written_with_every_value_settled(tiny_run: ganglion.Run) -> None:
    recipe = tiny_run.recipe
    assert (recipe.data.size, recipe.data.channels, recipe.training.precision) == ((16, 16), 1, "32")
    assert recipe.data.content
    assert len(recipe.data.content) == 64


def test_the_environment_tells_seed_device_and_versions(tiny_run: ganglion.Run) -> None:
    facts = json.loads((tiny_run.path / "environment.json").read_text())
    assert (facts["seed"], facts["device"], facts["packages"]["torch"]) == (0, "cpu", torch.__version__)


def test_there_is_a_record_for_each_tick(tiny_run: ganglion.Run) -> None:
    records = tiny_run.records()
    assert [record["step"] for record in records] == [0, 5, 10, 15, 20, 25, 30]
    assert [record["kimg"] for record in records] == [0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24]
    numbers = [value for record in records for value in record.values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()
    assert [record["step"] for record in records if "frechet" in record] == [10, 20, 30]


def test_best_is_the_newest_snapshot_among_those_nearest_to_the_data(tiny_run: ganglion.Run) -> None:
    scores = {r["step"]: r["frechet"] for r in tiny_run.records() if "frechet" in r}
    near = [step for step, score in scores.items() if score <= 1.03 * min(scores.values())]
    assert int(tiny_run.checkpoint("best").name) == max(near)


def test_equal_commands_give_equal_bits_and_another_seed_does_not(tmp_path: Path, cache: Path) -> None:
    first, second = tiny(tmp_path / "a", cache), tiny(tmp_path / "b", cache)
    assert weights(first) == weights(second)
    assert weights(tiny(tmp_path / "c", cache, seed=1)) != weights(first)


def test_training_leaves_the_callers_random_numbers_alone(tmp_path: Path, cache: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002 (the global state is what is asked about)
    tiny(tmp_path / "run", cache)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_drawing_samples_does_not_change_what_is_learnt(tmp_path: Path, cache: Path) -> None:
    often = tiny(tmp_path / "often", cache, set={**TINY, "training.snapshot_kimg": 0.008})
    once = tiny(tmp_path / "once", cache, set={**TINY, "training.snapshot_kimg": 10})
    assert weights(often) == weights(once)


def test_the_fixed_sheet_is_what_the_loaded_model_samples(tiny_run: ganglion.Run) -> None:
    from ganglion.pictures.sheets import sheet

    drawn = picture(tiny_run.fixed_samples / "00000030.png")
    model = ganglion.load(tiny_run, checkpoint=30)
    assert np.array_equal(drawn, sheet(model.sample(64, seed=0))[..., 0])


def test_fresh_sheets_show_other_latents_each_time(tiny_run: ganglion.Run) -> None:
    first, second = (picture(tiny_run.fresh_samples / f"{s:08d}.png") for s in (0, 10))
    fixed = picture(tiny_run.fixed_samples / "00000000.png")
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, fixed)


def test_a_finished_run_says_so_and_is_left_as_it_is(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny(tmp_path / "run", cache)
    before = weights(run)
    tiny(tmp_path / "run", cache, quiet=False)
    assert "finished" in capsys.readouterr().err
    assert weights(run) == before


def test_a_changed_recipe_is_refused_with_the_difference_and_the_ways_out(tmp_path: Path, cache: Path) -> None:
    run = tiny(tmp_path / "run", cache)
    before = weights(run)
    with pytest.raises(RunError) as refusal:
        tiny(tmp_path / "run", cache, set={**TINY, "generator.width": 8}, seed=3)
    for part in ("generator.width: 4 -> 8", "training.seed: 0 -> 3", "--fresh", "--run"):
        assert part in str(refusal.value)
    assert weights(run) == before


def test_a_larger_budget_goes_on_and_equals_one_long_run(tmp_path: Path, cache: Path) -> None:
    tiny(tmp_path / "grown", cache, steps=10)
    grown = tiny(tmp_path / "grown", cache, steps=20)
    assert weights(grown) == weights(tiny(tmp_path / "long", cache, steps=20))


def test_a_larger_budget_is_refused_where_the_schedule_depends_on_it(tmp_path: Path, cache: Path) -> None:
    cosine = {**TINY, "optimizer.schedule": "cosine"}
    tiny(tmp_path / "run", cache, set=cosine)
    with pytest.raises(RunError, match="training.steps: 20 -> 40"):
        tiny(tmp_path / "run", cache, set=cosine, steps=40)


def test_fresh_starts_over_and_sets_the_old_run_aside(tmp_path: Path, cache: Path) -> None:
    old = weights(tiny(tmp_path / "run", cache))
    new = tiny(tmp_path / "run", cache, seed=9, fresh=True)
    assert new.recipe.training.seed == 9
    assert weights(ganglion.Run(tmp_path / "run.old-1")) == old


def test_other_images_are_another_run(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(random.integers(0, 256, (16, 16), np.uint8)).save(folder / f"{i}.png")
    options: dict[str, Any] = {
        "recipe": "dcgan",
        "steps": 2,
        "run": tmp_path / "run",
        "cache": cache,
        "set": TINY,
        "quiet": True,
    }
    train(folder, **options)
    (folder / "3.png").unlink()
    with pytest.raises(RunError, match="images of .* have changed since the run in .* began: 20 then, "):
        train(folder, **options)


def test_broken_images_are_skipped_and_training_goes_on(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(20):
        picture = Image.new("RGB", (20, 17), (12 * i, 9, 99))
        picture.paste((255, 255, 255), (3, 3, 12, 9))
        picture.save(folder / f"{i}.jpg")
    (folder / "cut.jpg").write_bytes((folder / "3.jpg").read_bytes()[:300])
    (folder / "empty.png").touch()
    run = train(folder, recipe="dcgan", size="16x24", steps=3, run=tmp_path / "run", cache=cache, set=TINY, quiet=True)
    assert (run.recipe.data.size, run.recipe.data.channels) == ((16, 24), 3)
    assert ganglion.load(run).sample(2).shape == (2, 16, 24, 3)


def test_a_mistake_in_the_recipe_is_found_before_the_images_are_touched(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="generator.widht"):
        train(tmp_path / "missing", set={"generator.widht": 3}, run=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"device": "tpu"}, DeviceError, "auto, cpu, cuda, mps"),
        ({"devices": 3}, RunError, "a batch of 8 cannot be shared evenly; choose --batch 6 or 9"),
        ({"devices": 9}, RunError, "a batch of 8 has no image for some"),
        ({"devices": 0}, RunError, "1 or more; got 0"),
        ({"source": "nowhere/"}, DataError, "no file or folder"),
    ],
)
def test_bad_requests_write_nothing(
    tmp_path: Path, cache: Path, asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    options = {"source": "digits", "size": 16, "set": TINY, "quiet": True, "run": tmp_path / "run", "cache": cache}
    with pytest.raises(error, match=words):
        train(**options | asked)
    assert not (tmp_path / "run").exists()


def test_numbers_that_are_not_finite_end_training_and_spare_the_last_checkpoint(tmp_path: Path, cache: Path) -> None:
    explosive = {**TINY, "optimizer.discriminator.lr": 1e38, "optimizer.generator.lr": 1e38}
    with pytest.raises(TrainingFailed, match="finite at step 1: first the loss of the|finite at step [12]") as failure:
        tiny(tmp_path / "run", cache, set=explosive)
    assert failure.value.exit_code == 3
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_training_in_bf16_learns_other_bits_but_repeats_them(tmp_path: Path, cache: Path) -> None:
    first, second = (tiny(tmp_path / name, cache, precision="bf16") for name in "ab")
    assert weights(first) == weights(second)
    assert weights(first) != weights(tiny(tmp_path / "full", cache))


def test_the_default_run_folder_is_named_by_source_recipe_and_size() -> None:
    from ganglion.recipe.resolve import resolve

    recipe = resolve("dcgan", {"data.source": "../my/photos.zip", "data.size": "64x96"})
    assert default_run(recipe) == Path("runs/photos-dcgan-64x96")
    assert default_run(resolve("fast", {"data.source": "hf:a/b", "data.size": 32})) == Path("runs/b-fast-32")


@pytest.mark.parametrize("source", [".", "./", "inner/..", "../photos"])
def test_a_source_that_is_named_by_dots_gives_the_run_its_folders_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    from ganglion.recipe.resolve import resolve

    (tmp_path / "photos" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "photos")
    assert default_run(resolve("fast", {"data.source": source, "data.size": 32})) == Path("runs/photos-fast-32")


def test_the_cache_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_CACHE", str(tmp_path / "mine"))
    tiny(tmp_path / "run", cache=None)  # type: ignore[arg-type]
    assert len(os.listdir(tmp_path / "mine" / "stores")) >= 1  # noqa: PTH208


def test_minutes_are_a_budget_too(tmp_path: Path, cache: Path) -> None:
    run = tiny(tmp_path / "run", cache, steps=None, minutes=0.01)
    assert 0.6 <= run.records()[-1]["seconds"] < 5
    assert find_checkpoint(run.checkpoints, "latest").is_dir()
