"""Records of a watched training that goes on from a checkpoint of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ganglion
from watch_loops import ConvD, ConvG, adam, data
from watch_loops_networks import bce

N, EVERY = 8, 4


class Training:
    """A loop of its own, which is watched; its networks and optimisers live on when the watching ends."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.G, self.D = ConvG(), ConvD(norm=False)
        self.optimizers = adam(self.G), adam(self.D)
        self.done = 0

    def watch(self, **options: Any) -> ganglion.Monitor:
        return ganglion.watch(self.G, self.D, *self.optimizers, every=EVERY, say=lambda text: None, **options)

    def steps(self, count: int) -> None:
        opt_g, opt_d = self.optimizers
        for step in range(self.done, self.done + count):
            real, fake = data(N, step), self.G(torch.randn(N, 8))
            opt_d.zero_grad()
            (bce(self.D(real), True) + bce(self.D(fake.detach()), False)).backward()
            opt_d.step()
            opt_g.zero_grad()
            bce(self.D(fake), True).backward()
            opt_g.step()
        self.done += count


def steps_in(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / "vitals.jsonl").read_text(encoding="utf-8").splitlines()]


def interrupted(out: Path | None, before: int = 6, lost: int = 0, after: int = 6) -> tuple[Any, ganglion.Monitor]:
    """The records at a checkpoint after `before` steps, and a monitor that went on from it; `lost` steps came to nothing."""
    training = Training()
    with training.watch(out=out) as monitor:
        training.steps(before)
        state = json.loads(json.dumps(monitor.state_dict()))
        training.steps(lost)
    again = training.watch(out=out)
    again.load_state_dict(state)
    training.steps(after)
    again.close()
    return state, again


@pytest.mark.parametrize("lost", [0, 5])
@pytest.mark.parametrize("written", [False, True])
def test_steps_images_records_and_files_go_on_from_the_checkpoint(tmp_path: Path, written: bool, lost: int) -> None:
    out = tmp_path / "out" if written else None
    state, monitor = interrupted(out, lost=lost)
    assert state["step"] == 6
    assert [record["step"] for record in monitor.records] == [0, 1, 4, 8, 12]
    assert [record["kimg"] for record in monitor.records] == [step * N / 1000 for step in (0, 1, 4, 8, 12)]
    assert monitor.records[:3] == state["records"]
    assert monitor.verdict().step == 12
    assert monitor.error is None
    if out is not None:
        assert steps_in(out) == [0, 1, 4, 8, 12]
        assert not list(out.glob("*.old-*"))


def test_the_diagnosis_without_files_knows_the_records_before() -> None:
    _, monitor = interrupted(None, before=1, after=3)
    assert [record["step"] for record in monitor.records] == [0, 1, 4]
    told = monitor.verdict()
    again = ganglion.watch(ConvG(), ConvD(), *Training().optimizers, say=lambda text: None)
    again.load_state_dict(monitor.state_dict())
    assert (told.step, told.state, told.seen) == (again.verdict().step, again.verdict().state, again.verdict().seen)
    again.close()


def test_the_files_of_another_training_are_renamed_and_the_records_written_anew(tmp_path: Path) -> None:
    state = interrupted(None)[0]
    other = Training()
    with other.watch(out=tmp_path):
        other.steps(1)
    training = Training()
    monitor = training.watch(out=tmp_path)
    monitor.load_state_dict(state)
    assert steps_in(tmp_path) == [0, 1, 4]
    assert len((tmp_path / "vitals.jsonl.old-1").read_text(encoding="utf-8").splitlines()) == 2
    monitor.close()


def test_samples_of_another_training_are_set_aside_with_its_records(tmp_path: Path) -> None:
    training = Training()
    with training.watch(out=tmp_path):
        training.steps(6)
    (tmp_path / "samples" / "fixed").mkdir(parents=True, exist_ok=True)
    (tmp_path / "samples" / "fixed" / "00010000.png").touch()
    again = Training()
    with again.watch(out=tmp_path):
        again.steps(6)
    assert not (tmp_path / "samples" / "fixed" / "00010000.png").exists()
    assert (tmp_path / "samples.old-1" / "fixed" / "00010000.png").exists()


def test_a_training_may_go_back_to_a_checkpoint_while_it_is_watched(tmp_path: Path) -> None:
    training = Training()
    with training.watch(out=tmp_path) as monitor:
        training.steps(5)
        state = monitor.state_dict()
        training.steps(8)
        assert steps_in(tmp_path) == [0, 1, 4, 8, 12]
        monitor.load_state_dict(state)
        training.steps(4)
        assert monitor.step == 9
    assert steps_in(tmp_path) == [0, 1, 4, 8]


@pytest.mark.parametrize("state", [{}, {"step": 1}, {"step": "x", "images": 1, "records": []}, {"step": 1, "images": 2,
                                   "records": [3]}, None])  # fmt: skip
def test_what_is_no_state_is_refused_and_nothing_changes(state: Any) -> None:
    training = Training()
    with training.watch() as monitor:
        training.steps(1)
        with pytest.raises(ValueError, match="load_state_dict takes what state_dict of a Monitor returned"):
            monitor.load_state_dict(state)
        assert (monitor.step, len(monitor.records)) == (1, 2)


def test_a_folder_that_cannot_be_one_is_refused_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ganglion.StorageError):
        Training().watch(out=tmp_path / "file")
