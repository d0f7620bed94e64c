from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganglion.errors import CheckpointError, StorageError
from ganglion.recipe.resolve import resolve
from ganglion.runs.checkpoints import (
    TrainingProgress,
    find_checkpoint,
    is_whole,
    load_generator,
    prune,
    restore,
    save_checkpoint,
    saved_progress,
    steps_saved,
)
from ganglion.training.players import Players, build_players

PARTS = ("discriminator", "ema", "generator", "optimizers", "running_stats")
FILES = [f"{part}.safetensors" for part in PARTS]


def players(seed: int = 0) -> Players:
    recipe = resolve(
        "dcgan",
        {
            "data.size": 16, "data.channels": 1, "generator.width": 2, "discriminator.width": 2, "latent.dim": 4,
            "training.seed": seed,
        },
    )  # fmt: skip
    return build_players(recipe, torch.device("cpu"))


def trained(seed: int = 0) -> Players:
    """Players whose optimisers have something to remember."""
    both = players(seed)
    for network, optimizer, batch in (
        (both.generator, both.optimizer_g, torch.ones(3, 4)),
        (both.discriminator, both.optimizer_d, torch.ones(3, 1, 16, 16)),
    ):
        network(batch).square().mean().backward()
        optimizer.step()
    return both


def saved(both: Players):  # type: ignore[no-untyped-def]
    return both.networks(), both.optimizers()


def tensors_of(both: Players) -> dict[str, torch.Tensor]:
    found = dict(both.state())
    for name, optimizer in both.optimizers().items():
        for index, state in optimizer.state_dict()["state"].items():
            found |= {f"{name}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    return found


def equal(a: Players, b: Players) -> bool:
    left, right = tensors_of(a), tensors_of(b)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_restore_brings_back_every_tensor_and_the_position(tmp_path: Path) -> None:
    before, after = trained(0), players(1)
    assert not equal(before, after)
    save_checkpoint(tmp_path, *saved(before), TrainingProgress(7, 448, 1.5, 7, 3.25))
    assert restore(tmp_path, *saved(after), print) == TrainingProgress(7, 448, 1.5, 7, 3.25)
    assert equal(before, after)


def test_moments_lie_in_memory_as_their_weights_do(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(1))
    after = players(1)
    restore(tmp_path, *saved(after), print)
    for optimizer in after.optimizers().values():
        for weight, state in optimizer.state.items():
            assert state["exp_avg"].stride() == weight.stride()


def test_there_is_nothing_to_restore_at_first(tmp_path: Path) -> None:
    assert restore(tmp_path / "none", *saved(players()), print) is None


@pytest.mark.parametrize("file", [*FILES, "state.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path: Path, file: str, damage: str) -> None:
    older = trained(0)
    save_checkpoint(tmp_path, *saved(older), TrainingProgress(10))
    save_checkpoint(tmp_path, *saved(trained(1)), TrainingProgress(20))
    spoil(tmp_path / "00000020" / file, damage)
    said: list[str] = []
    after = players(2)
    assert restore(tmp_path, *saved(after), said.append) == TrainingProgress(10)
    assert equal(older, after)
    assert "00000020" in said[0]
    assert "using the one before" in said[0]


def spoil(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def test_when_every_checkpoint_is_damaged_the_way_out_is_named(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(10))
    spoil(tmp_path / "00000010" / "ema.safetensors", "flip")
    with pytest.raises(CheckpointError, match="--fresh"):
        restore(tmp_path, *saved(players()), lambda text: None)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    both = trained()
    for step in (10, 20, 30, 40):
        save_checkpoint(tmp_path, *saved(both), TrainingProgress(step, best_step=10, best_score=1.0))
        prune(tmp_path, keep=2)
    assert steps_saved(tmp_path) == [10, 30, 40]
    assert find_checkpoint(tmp_path, "best").name == "00000010"
    assert find_checkpoint(tmp_path, "latest").name == "00000040"
    assert find_checkpoint(tmp_path, "30").name == "00000030"


def test_steps_that_are_asked_for_are_kept_as_well(tmp_path: Path) -> None:
    both = trained()
    for step in (10, 20, 30, 40):
        save_checkpoint(tmp_path, *saved(both), TrainingProgress(step))
    prune(tmp_path, 1, also=(20, 25))
    assert steps_saved(tmp_path) == [20, 40]


def test_the_two_newest_healthy_steps_are_known_and_come_back(tmp_path: Path) -> None:
    progress = TrainingProgress()
    for progress.step in (10, 20, 30):
        progress.keep_healthy()
    assert progress.healthy_steps == (20, 30)
    save_checkpoint(tmp_path, *saved(trained()), progress)
    assert saved_progress(tmp_path) == progress


def test_how_far_a_run_is_comes_from_its_newest_intact_checkpoint(tmp_path: Path) -> None:
    assert saved_progress(tmp_path) is None
    for step in (10, 20):
        save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(step))
    spoil(tmp_path / "00000020" / "ema.safetensors", "cut")
    assert saved_progress(tmp_path) == TrainingProgress(10)
    assert [is_whole(tmp_path / f"{step:08d}") for step in (10, 20, 30)] == [True, False, False]


def life(folder: Path, steps: list[int], damaged: list[int], best: int, keep: int) -> list[int]:
    """Saves these steps, damages some, resumes, trains five steps more, is interrupted; what is left to read.

    From step `best` on it is the best one; before, each is better than the one before it.
    """
    both = trained()
    for step in steps:
        save_checkpoint(folder, *saved(both), TrainingProgress(step, best_step=min(step, best), best_score=1.0))
    for step in damaged:
        spoil(folder / f"{step:08d}" / "ema.safetensors", "flip")
    position = restore(folder, *saved(both), lambda _: None)
    assert position is not None
    save_checkpoint(folder, *saved(both), replace(position, step=position.step + 5))
    prune(folder, keep)
    return [step for step in steps_saved(folder) if readable(folder / f"{step:08d}")]


def readable(checkpoint: Path) -> bool:
    try:
        load_generator(checkpoint, players().ema)
    except CheckpointError:
        return False
    return True


@pytest.mark.parametrize(
    ("steps", "damaged", "best", "keep", "left"),
    [
        ([10, 20], [20], 20, 1, [10, 15]),  # the newest is damaged, and was the best: that is 10 again
        ([10, 20], [20], 10, 1, [10, 15]),
        ([5, 10, 20], [5, 20], 5, 1, [15]),  # the best is damaged
        ([10, 20, 30], [20, 30], 10, 2, [10, 15]),
        ([5, 10, 20], [20], 20, 2, [10, 15]),
        ([5, 10, 20], [20], 5, 1, [5, 15]),
        ([5, 10, 20], [10], 5, 2, [5, 20, 25]),
    ],
)
def test_what_an_interrupted_run_has_saved_is_kept_beside_a_damaged_later_one(
    tmp_path: Path, steps: list[int], damaged: list[int], best: int, keep: int, left: list[int]
) -> None:
    assert life(tmp_path, steps, damaged, best, keep) == left
    found = restore(tmp_path, *saved(players()), lambda _: None)
    assert found is not None
    assert found.step == left[-1]
    assert find_checkpoint(tmp_path, "latest").name == f"{left[-1]:08d}"
    assert find_checkpoint(tmp_path, "best").name == f"{found.best_step:08d}"


def test_nothing_is_deleted_before_a_newer_one_is_known_to_be_whole(tmp_path: Path) -> None:
    both = trained()
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, *saved(both), TrainingProgress(step))
    for step, file in ((30, "state.json"), (20, "optimizers.safetensors")):
        spoil(tmp_path / f"{step:08d}" / file, "flip")  # a disk that loses what was just written
    prune(tmp_path, keep=1)
    assert steps_saved(tmp_path) == [10, 20, 30]
    assert restore(tmp_path, *saved(players()), lambda _: None) == TrainingProgress(10)


def test_where_all_are_damaged_none_is_deleted(tmp_path: Path) -> None:
    for step in (10, 20):
        save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(step))
        spoil(tmp_path / f"{step:08d}" / "ema.safetensors", "cut")
    prune(tmp_path, keep=1)
    assert steps_saved(tmp_path) == [10, 20]


def test_an_unknown_checkpoint_is_answered_with_those_there_are(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(10))
    with pytest.raises(CheckpointError, match="best, latest, 10"):
        find_checkpoint(tmp_path, "11")


def test_what_a_killed_process_left_is_swept_away_and_never_taken_for_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / ".writing-abc" / "ema.safetensors").write_bytes(b"half")
    save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(10))
    assert steps_saved(tmp_path) == [10]
    prune(tmp_path, keep=1)
    assert not (tmp_path / ".writing-abc").exists()


def test_a_full_disk_is_said_and_the_last_checkpoint_stays_whole(tmp_path: Path) -> None:
    """A limit on file size stands in for a full disk: the kernel refuses the write in the same place."""
    resource = pytest.importorskip("resource", reason="Windows limits no file's size")
    both = trained()
    save_checkpoint(tmp_path, *saved(both), TrainingProgress(10))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="disk is full"):
            save_checkpoint(tmp_path, *saved(both), TrainingProgress(20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert steps_saved(tmp_path) == [10]
    assert not list(tmp_path.glob(".writing-*"))
    after = players(1)
    assert restore(tmp_path, *saved(after), print) == TrainingProgress(10)
    assert equal(both, after)


class Bomb:
    """Unpickling this would create the file named in `target`."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.target,)  # type: ignore[return-value]


@pytest.mark.parametrize("file", [*FILES, "state.json"])
def test_a_malicious_file_cannot_run_code(tmp_path: Path, file: str) -> None:
    save_checkpoint(tmp_path / "run", *saved(trained()), TrainingProgress(10))
    target = tmp_path / "pwned"
    payload = pickle.dumps(Bomb(target))
    pickle.loads(payload)
    assert target.exists(), "the bomb itself works"
    target.unlink()
    (tmp_path / "run" / "00000010" / file).write_bytes(payload)
    with pytest.raises(CheckpointError):
        restore(tmp_path / "run", *saved(players()), lambda text: None)
    assert not target.exists()


def test_a_hostile_hash_does_not_help_a_pickle(tmp_path: Path) -> None:
    """Even with state.json rewritten to bless it, a pickle is not a safetensors file and is only refused."""
    import hashlib

    save_checkpoint(tmp_path / "run", *saved(trained()), TrainingProgress(10))
    folder, target = tmp_path / "run" / "00000010", tmp_path / "pwned"
    payload = pickle.dumps(Bomb(target))
    (folder / "ema.safetensors").write_bytes(payload)
    state = json.loads((folder / "state.json").read_text())
    del state["self"]
    state["sha256"]["ema"] = hashlib.sha256(payload).hexdigest()
    state["self"] = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(CheckpointError, match="ema.safetensors"):
        load_generator(folder, players().ema)
    assert not target.exists()


def test_saving_over_a_step_of_an_older_life_replaces_it(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *saved(trained(0)), TrainingProgress(10))
    newer = trained(1)
    save_checkpoint(tmp_path, *saved(newer), TrainingProgress(10))
    after = players(2)
    restore(tmp_path, *saved(after), print)
    assert equal(newer, after)


def test_a_checkpoint_of_another_shape_of_network_is_no_silent_success(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, *saved(trained()), TrainingProgress(10))
    shutil.copy(tmp_path / "00000010" / "ema.safetensors", tmp_path / "00000010" / "generator.safetensors")
    with pytest.raises(CheckpointError):
        restore(tmp_path, *saved(players()), lambda text: None)
