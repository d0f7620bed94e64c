from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from ganglion.errors import RunError, StorageError
from ganglion.recipe.resolve import resolve, update
from ganglion.runs.folder import Run, difference, locked, set_aside


def test_the_recipe_in_a_run_is_the_one_that_was_written(tmp_path: Path) -> None:
    recipe = resolve("fast", {"data.size": "32x48", "data.channels": 3})
    Run(tmp_path).begin(recipe, {})
    assert Run(tmp_path).recipe == update(recipe, name="recipe") or Run(tmp_path).recipe == recipe


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no recipe.yaml"):
        _ = Run(tmp_path).recipe
    with pytest.raises(RunError, match="no recipe.yaml"):
        Run(tmp_path).checkpoint()


def test_the_scores_of_the_best_checkpoint_are_those_of_its_record(tmp_path: Path) -> None:
    run = Run(tmp_path)
    records = [{"step": step, "frechet": 1.0 / step} for step in (10, 20, 30)]
    assert (run.best_step, run.best_of(records)) == (None, {})
    run.begin(resolve("dcgan"), {})
    assert run.best_step is None
    for step in (10, 20):
        (run.checkpoints / f"{step:08d}").mkdir(parents=True)
    (run.checkpoints / "best").write_text("00000010\n")
    assert (run.best_step, run.best_of(records)) == (10, {"step": 10, "frechet": 0.1})
    assert run.best_of(records[1:]) == {}


def test_a_run_whose_recipe_was_spoilt_says_which_key(tmp_path: Path) -> None:
    Run(tmp_path).begin(resolve("dcgan"), {})
    text = (tmp_path / "recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(text.replace("non-saturating", "sideways"))
    with pytest.raises(RunError, match="objective.adversarial.*sideways"):
        _ = Run(tmp_path).recipe


def test_the_difference_names_key_and_both_values_and_nothing_else() -> None:
    before = resolve("dcgan", {"data.source": "a", "data.size": 32})
    after = resolve("dcgan", {"data.source": "b", "data.size": 64, "optimizer.generator.lr": 0.001})
    assert difference(before, after) == ["data.size: [32, 32] -> [64, 64]", "optimizer.generator.lr: 0.0002 -> 0.001"]
    assert difference(before, before) == []


def hold(path: Path, held: Event, release: Event) -> None:
    with locked(path):
        held.set()
        release.wait(30)


def test_a_second_training_in_one_folder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run", held, release))
    other.start()
    assert held.wait(30)
    with pytest.raises(RunError, match="another training is running"), locked(tmp_path / "run"):
        pass
    release.set()
    other.join(30)
    with locked(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_killed_training_leaves_no_lock_behind(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "run", held, release))
    other.start()
    assert held.wait(30)
    other.kill()
    other.join(30)
    with locked(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(RunError, match=r"holiday\.jpg"), locked(tmp_path):
        pass
    assert (tmp_path / "holiday.jpg").read_bytes() == b"dear"


def test_what_a_killed_process_was_writing_is_no_other_file(tmp_path: Path) -> None:
    for name in (".recipe.yaml.0a1b2c3d", ".environment.json.ffffffff", ".lock"):
        (tmp_path / name).write_text("")
    with locked(tmp_path):
        pass
    (tmp_path / ".holiday.jpg.0a1b2c3d").write_text("")
    with pytest.raises(RunError, match="contains other files"), locked(tmp_path):
        pass


def test_a_file_in_the_place_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"), locked(tmp_path / "file"):
        pass


def test_setting_aside_loses_nothing_and_never_writes_over(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for content in ("first", "second"):
        (run / "recipe.yaml").write_text(content)
        set_aside(run)
    assert (tmp_path / "run.old-1" / "recipe.yaml").read_text() == "first"
    assert (tmp_path / "run.old-2" / "recipe.yaml").read_text() == "second"
    assert set_aside(run) is None


def test_a_run_that_another_program_has_open_is_not_torn_in_two(tmp_path: Path) -> None:
    """Windows moves no folder while one of its files is open; TensorBoard opens them all."""
    run = tmp_path / "run"
    names = ["checkpoints", "recipe.yaml", "tensorboard", "vitals.jsonl"]
    run.mkdir()
    for name in names:
        (run / name).write_text(name)

    def move(source: Path, target: Path) -> None:
        if source.parent == run and source.name == "tensorboard":
            raise PermissionError(13, "Permission denied", str(source))
        source.rename(target)

    with pytest.raises(StorageError, match=r"tensorboard .*Permission denied.*close the program that has it open"):
        set_aside(run, move)
    assert sorted(path.name for path in run.iterdir()) == names
    assert list(tmp_path.iterdir()) == [run]


def test_a_run_can_be_used_as_a_path(tmp_path: Path) -> None:
    assert Path(Run(tmp_path)) == tmp_path
    assert Run(Run(tmp_path)).path == tmp_path
