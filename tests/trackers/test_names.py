from __future__ import annotations

import pytest

from ganglion.errors import RecipeError
from ganglion.trackers.names import TRACKERS, asked_trackers


def everything(name: str) -> bool:
    return True


def nothing(name: str) -> bool:
    return False


@pytest.mark.parametrize(
    "log", ["wandb,trackio", "trackio, WandB", ["trackio", "wandb"], ("wandb", "trackio", "wandb")]
)
def test_names_come_as_text_or_list_in_any_order_and_are_taken_once(log):
    assert asked_trackers(log, everything) == ("wandb", "trackio")


def test_without_a_name_there_is_no_tracker():
    assert asked_trackers(None) == asked_trackers([]) == ()


@pytest.mark.parametrize("log", ["tensorbord", "wandb,", "", ",", "wandb mlflow", ["neptune"], [7], 7, True])
def test_an_unknown_name_is_refused_with_the_list(log):
    with pytest.raises(RecipeError, match="--log takes trackers, separated by commas: wandb, mlflow, trackio; got '"):
        asked_trackers(log, everything)


@pytest.mark.parametrize("name", TRACKERS)
def test_a_package_that_is_missing_names_the_extra(name):
    with pytest.raises(RecipeError, match=f"--log {name} needs .*: pip install 'ganglion\\[{name}\\]'"):
        asked_trackers(name, nothing)
