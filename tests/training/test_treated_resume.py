"""Treated runs that are cut short, against those that were left alone: the same weights, records and treatments."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import ganglion
from ganglion.doctor.readers.treatments import treatments_of
from ganglion.errors import Interrupted
from ganglion.training.own import Own
from sick_runs import SICK, d_wins, outcome, pictures, tiny_treated, weights
from struck import struck_command
from tiny import TINY, as_options


class Struck(BaseException):
    """As Ctrl-C between two steps: nothing catches it."""


STRIKE: dict[str, Any] = {"folder": None, "left": 0, "seen": 0, "names": []}


def _strike(event: str, details: tuple[Any, ...]) -> None:
    if not STRIKE["folder"] or event not in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"):
        return
    if str(details[0]).startswith(STRIKE["folder"]):
        STRIKE["seen"] += 1
        STRIKE["names"].append(str(details[0]))
        if STRIKE["seen"] == STRIKE["left"]:
            STRIKE["folder"] = None
            raise Struck


sys.addaudithook(_strike)


def struck(run: Callable[[], Any], folder: Path, at: int) -> bool:
    """Whether `run` was cut short at its `at`-th file operation in `folder`."""
    STRIKE.update(folder=str(folder), left=at, seen=0)
    try:
        run()
    except Struck:
        return True
    finally:
        STRIKE["folder"] = None
    return False


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> list[str]:
    """The files of a run that is treated and left alone, in the order in which it touches them."""
    folder = tmp_path_factory.mktemp("operations") / "run"
    STRIKE.update(folder=str(folder), left=0, seen=0, names=[])
    tiny_treated(folder, cache)
    STRIKE["folder"] = None
    return list(STRIKE["names"])


def places(operations: list[str]) -> Iterator[int]:
    """Where to strike: as the treatment is noted, as the attempt is moved, as the next one begins, in it, and at its end."""
    noted = next(n for n, name in enumerate(operations, 1) if "treatments.jsonl" in name)
    kept = [n for n, name in enumerate(operations, 1) if "attempts" in name]
    end = max(n for n, name in enumerate(operations, 1) if "treatments.jsonl" in name)
    yield from (noted, kept[len(kept) // 2], next_attempt(operations), end)


def next_attempt(operations: list[str]) -> int:
    """The first file operation with which the attempt after a treatment writes samples."""
    noted = next(n for n, name in enumerate(operations) if "treatments.jsonl" in name)
    return next(n for n, name in enumerate(operations, 1) if n > noted and "samples" in name and "attempts" not in name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that the strike left open
def test_a_treated_run_that_is_cut_short_at_any_place_ends_with_the_bits_of_one_left_alone(
    treated_run: ganglion.Run, operations: list[str], tmp_path: Path, cache: Path
) -> None:
    for number, at in enumerate(places(operations)):
        folder = tmp_path / f"run{number}"
        assert struck(partial(tiny_treated, folder, cache), folder, at), operations[at - 1]
        tiny_treated(folder, cache)
        assert outcome(folder) == outcome(treated_run.path), operations[at - 1]


def test_a_treated_run_that_is_interrupted_goes_on_exactly(
    treated_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    def interrupt(record: dict[str, Any], model: Any) -> None:
        if record["step"] == 20:  # it ends at the next record, which is none of a snapshot
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        tiny_treated(tmp_path / "run", cache, own=Own(callback=interrupt))
    assert treatments_of(tmp_path / "run")
    assert ganglion.Run(tmp_path / "run").steps_saved()[-1] == 25
    tiny_treated(tmp_path / "run", cache)
    assert outcome(tmp_path / "run") == outcome(treated_run.path)


def test_a_treated_run_that_is_killed_ends_with_the_same_bits_and_scripts_are_told_of_each_attempt(
    treated_run: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    source, folder = tmp_path / "discs", tmp_path / "run"
    source.mkdir()
    for number, picture in enumerate(pictures()):
        Image.fromarray(picture).save(source / f"{number:02}.png")
    # fmt: off
    words = ["train", str(source), "--recipe", "dcgan", "--size", "16", "--steps", "40", "--device", "cpu", "--threads", "1",
             "--precision", "32", "--no-report", "--treat", "--json", "--run", str(folder), *as_options(TINY | SICK)]
    # fmt: on
    killed = struck_command(folder, cache, "attempts", "KILL", *words)
    assert abs(killed.returncode) == 9, killed.stderr
    assert treatments_of(folder)
    done = struck_command(folder, cache, 0, "KILL", *words)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for output in (killed.stdout, done.stdout) for line in output.splitlines()]
    told = [event for event in events if event["type"] in ("start", "end", "treated")]
    assert [event["type"] for event in told] == ["start", "start", "end", "treated"]
    assert (told[-3]["attempt"], told[-3]["treatment"]["findings"], told[-1]["best"]) == (2, ["non-finite"], 2)
    assert weights(folder) == weights(treated_run.path)


def test_an_attempt_that_fails_by_its_records_ends_at_the_same_step_though_the_run_was_interrupted(
    d_won: ganglion.Run, tmp_path: Path, cache: Path
) -> None:
    stops = [80, treatments_of(d_won.path)[0].step]

    def interrupt(record: dict[str, Any], model: Any) -> None:
        if stops and record["step"] >= stops[0]:
            del stops[0]
            signal.raise_signal(signal.SIGINT)

    for _ in ("in the midst of the attempt", "as it ends"):
        with pytest.raises(Interrupted):
            d_wins(tmp_path / "run", cache, own=Own(callback=interrupt))
        assert not treatments_of(tmp_path / "run")
    d_wins(tmp_path / "run", cache)
    assert outcome(tmp_path / "run") == outcome(d_won.path)
