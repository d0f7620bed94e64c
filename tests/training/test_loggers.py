from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.doctor.verdict import Verdict
from ganglion.errors import RecipeError
from ganglion.platform.screen import Screen
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loggers import Loggers, LogTo


@pytest.fixture
def ends(tiny_run: ganglion.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What trackers are told at the end, and the loggers of a run."""
    folder = Path(shutil.copytree(tiny_run.path, tmp_path / "run"))
    told: dict[str, Any] = {}

    class Told:
        def __init__(self, *given: Any) -> None:
            told["step"] = given[4]

        def close(self, outcome: str, records: list[Any], label: str) -> None:
            told.update(outcome=outcome, records=len(records), label=label)

    monkeypatch.setattr("ganglion.training.loggers.Trackers", Told)
    run = ganglion.Run(folder)
    told["progress"] = TrainingProgress(step=30)
    told["loggers"] = Loggers(LogTo(("wandb",)), run.recipe, run, told["progress"], Screen(quiet=True))
    return told


@pytest.mark.parametrize(
    ("finished", "state", "stopped", "outcome"),
    [
        (True, "healthy", None, "finished"),
        (True, "watch", "the callback returned stop", "stopped"),
        (True, "failing", "the verdict is failing", "failed"),
        (False, "healthy", None, "interrupted"),
    ],
)
def test_trackers_are_told_how_a_training_ended(ends, finished, state, stopped, outcome):
    with ends["loggers"] as loggers:
        ends["progress"].stopped = stopped
        loggers.ended(finished, Verdict(state))
    assert (ends["outcome"], ends["records"], ends["step"]) == (outcome, 7, 30)


@pytest.mark.parametrize(("error", "outcome"), [(ValueError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_trackers_are_told_of_a_training_that_an_error_has_ended(ends, error, outcome):
    with pytest.raises(error), ends["loggers"]:
        raise error
    assert ends["outcome"] == outcome


def test_a_wrong_name_is_refused_before_any_image_is_read(tmp_path):
    with pytest.raises(
        RecipeError, match="--log takes trackers, separated by commas: wandb, mlflow, trackio; got 'neptune'"
    ):
        ganglion.train(tmp_path / "nowhere", log=["neptune"])
    with pytest.raises(RecipeError, match="--log takes trackers"):
        ganglion.watch(None, None, None, None, log="tensorboard")  # type: ignore[arg-type]


def test_a_checkpoint_is_kept_by_a_tracker_or_not_at_all(tmp_path):
    with pytest.raises(RecipeError, match="--log-checkpoint goes with --log"):
        ganglion.train(tmp_path / "nowhere", log_checkpoint=True)


def test_what_was_asked_for_reaches_another_process():
    wanted = LogTo.asked("trackio,wandb", True, True)
    assert pickle.loads(pickle.dumps(wanted)) == wanted == LogTo(("wandb", "trackio"), True, True)
