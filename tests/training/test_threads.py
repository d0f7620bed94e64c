"""The number of CPU threads: whose word counts, what is measured, what it leaves as it was."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

from ganglion.errors import DeviceError
from ganglion.platform.cores import cores
from ganglion.runs.folder import Run
from ganglion.training import threads
from ganglion.training.threads import ThreadsChoice, checked_threads, choose_threads, faster_threads, restored_threads
from ganglion.training.train import train
from tiny import TINY


@pytest.fixture(autouse=True)
def _as_before():
    with restored_threads():
        yield


class Machine:
    """Its step takes as many seconds as it says, by number of threads; the first step with each number takes longer."""

    def __init__(self, step_sec: Callable[[int, int], float], first_sec: float = 0.0) -> None:
        self.now, self.threads, self.step_sec, self.first_sec = 0.0, 0, step_sec, first_sec
        self.trials: list[int] = []

    def train_steps(self, count: int) -> int:
        self.now += count * self.step_sec(self.threads, len(self.trials))
        self.now += 0 if self.threads in self.trials else self.first_sec
        self.trials.append(self.threads)
        return count * 64

    def set_threads(self, count: int) -> None:
        self.threads = count

    def chosen(self, count: int = 2) -> ThreadsChoice:
        return faster_threads(self.train_steps, count, self.set_threads, lambda: self.now)


@pytest.mark.parametrize(("one", "both", "chosen"), [(0.010, 0.006, 2), (0.010, 0.1, 1), (3.0, 1.7, 2), (3.0, 30.0, 1)])
def test_the_faster_number_is_taken_and_both_figures_are_said(one, both, chosen):
    machine = Machine(lambda threads, _: one if threads == 1 else both)
    found = machine.chosen()
    assert found.count == chosen
    faster, slower = sorted((64 / one, 64 / both), reverse=True)
    assert found.reason == f"{faster:,.0f} images/s in trial steps; {slower:,.0f} with {3 - chosen}"


def test_the_numbers_take_turns_so_that_a_change_of_the_machine_meets_both():
    machine = Machine(lambda threads, _: 0.010)
    machine.chosen(4)
    assert machine.trials == [4, 1] * (len(machine.trials) // 2)
    assert len(machine.trials) > 6


def test_what_is_made_once_is_not_held_against_the_number_that_pays_for_it():
    machine = Machine(lambda threads, _: 0.006 if threads == 2 else 0.010, first_sec=0.3)
    assert machine.chosen().count == 2


def test_one_slow_trial_of_several_decides_nothing():
    machine = Machine(lambda threads, trial: 0.15 if trial == 4 else 0.009 if threads == 2 else 0.010)
    assert machine.chosen().count == 2


@pytest.mark.parametrize("step_sec", [0.001, 0.02, 0.4, 3.0])
def test_a_measurement_takes_a_second_or_two_steps_of_each(step_sec):
    machine = Machine(lambda threads, _: step_sec)
    machine.chosen()
    assert machine.now < max(1.0, 4.1 * step_sec)


def never(count: int) -> ThreadsChoice:
    raise AssertionError("nothing is to be measured")


def test_what_was_asked_for_counts_first_and_what_it_changes_is_said():
    assert choose_threads(3, None, never, environment={"OMP_NUM_THREADS": "1"}) == ThreadsChoice(3, "--threads")
    assert torch.get_num_threads() == 3
    assert choose_threads(1, 1, never).reason == "--threads"
    assert choose_threads(1, 2, never).reason == (
        "--threads; trained with 2 so far: from here on sums are rounded otherwise than in an uninterrupted run"
    )


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_environment_is_a_choice_of_the_user(name):
    torch.set_num_threads(1)
    assert choose_threads("auto", None, never, environment={name: "1"}) == ThreadsChoice(1, name)
    assert "trained with 2 so far" in choose_threads("auto", 2, never, environment={name: "1"}).reason


def test_so_is_a_number_that_pytorch_would_not_have_taken(monkeypatch):
    monkeypatch.setattr(threads, "usual_threads", lambda: {8, 4})
    torch.set_num_threads(3)
    assert choose_threads("auto", None, never, environment={}) == ThreadsChoice(3, "torch.set_num_threads")
    monkeypatch.setattr(threads, "usual_threads", lambda: None)  # systems that do not tell
    assert choose_threads("auto", None, None, environment={}).count == min(3, cores())


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr(threads, "usual_threads", lambda: {8})
    torch.set_num_threads(8)


@pytest.mark.usefixtures("eight_cores")
def test_a_resumed_run_takes_the_number_that_its_weights_were_trained_with():
    assert choose_threads("auto", 5, never, environment={}) == ThreadsChoice(5, "as before")
    assert torch.get_num_threads() == 5


@pytest.mark.usefixtures("eight_cores")
def test_where_there_are_fewer_cores_all_of_these_are_taken():
    found = choose_threads("auto", 16, never, environment={})
    assert found.count == 8
    assert found.reason.startswith("this machine has no more; trained with 16 so far")


@pytest.mark.usefixtures("eight_cores")
def test_a_new_run_measures_one_and_all():
    asked = []
    assert (
        choose_threads("auto", None, lambda n: asked.append(n) or ThreadsChoice(1, "measured"), environment={}).count
        == 1
    )
    assert asked == [8]


@pytest.mark.usefixtures("eight_cores")
def test_each_of_several_processes_has_its_share():
    torch.set_num_threads(4)
    assert choose_threads("auto", None, None, share=4, environment={}) == ThreadsChoice(4)
    assert choose_threads("auto", None, None, share=2, environment={}).count == 2


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", "", True])
def test_anything_but_auto_or_a_number_is_refused_in_one_sentence(wrong):
    with pytest.raises(
        DeviceError, match="--threads is auto or the number of CPU threads of each process, 1 or more; got"
    ):
        checked_threads(wrong)
    assert checked_threads("auto") == "auto"
    assert checked_threads("2") == checked_threads(2) == 2


def trained(folder, steps=6, **more):  # type: ignore[no-untyped-def]
    return train(
        "digits", run=folder / "run", cache=folder.parent / "cache", quiet=True, steps=steps, recipe="dcgan", size=16,
        precision="32", set=TINY, **more,
    )  # fmt: skip


def weights(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.checkpoint("latest").glob("*.safetensors")}


def test_a_measurement_leaves_no_trace_in_the_run(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    plain = trained(tmp_path / "a", threads=1)
    measured = []

    def measure(*args, **named):  # type: ignore[no-untyped-def]
        measured.append(found := threads.faster_threads(threads.steps_on_copies(*args[:-1]), 2))
        return ThreadsChoice(1, found.reason)

    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.setattr(threads, "usual_threads", lambda: {2})
    monkeypatch.setattr(threads, "VARIABLES", ())
    monkeypatch.setattr("ganglion.training.train.measured_threads", measure)
    torch.set_num_threads(2)
    with_it = trained(tmp_path / "b")
    assert "images/s in trial steps" in measured[0].reason
    assert weights(with_it) == weights(plain)
    assert torch.get_num_threads() == 2


def test_the_number_is_kept_with_the_weights_and_in_the_environment(tmp_path):
    run = trained(tmp_path / "a", threads=1)
    state = json.loads((run.checkpoint("latest") / "state.json").read_text())
    assert state["progress"]["threads"] == 1
    assert json.loads((run.path / "environment.json").read_text())["torch_threads"] == 1
    before = torch.get_num_threads()
    trained(tmp_path / "a", steps=8, threads=2)
    assert json.loads((run.path / "environment.json").read_text())["torch_threads"] == 2
    assert torch.get_num_threads() == before
