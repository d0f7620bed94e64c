"""The moves of attempts, cut short at every file operation and done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ganglion.runs.attempts as moves
from ganglion.doctor.readers.treatments import attempt_folder
from ganglion.errors import StorageError
from ganglion.runs.attempts import IDENTITY, best_attempt, first_attempt, keep_attempt, put_in_place

FILES = ("recipe.yaml", "environment.json", "vitals.jsonl", "findings.jsonl", "checkpoints/00000010/state.json",
         "checkpoints/best", "samples/fixed/00000010.png", "tensorboard/events", "report.html")  # fmt: skip


class Struck(BaseException):
    """Nothing catches it."""


def attempt(folder: Path, text: str, more: tuple[str, ...] = ()) -> Path:
    for name in (*FILES, *more):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text} {name}", encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def expected(text: str, more: tuple[str, ...] = ()) -> dict[str, str]:
    return {name: f"{text} {name}" for name in (*FILES, *more)}


def cut_short(monkeypatch: pytest.MonkeyPatch, at: int, act: Callable[[], object]) -> bool:
    """Whether `act` was cut short before its `at`-th move, copy or removal."""
    counted = iter(range(1, 10**6))

    def striking(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if next(counted) == at:
                raise Struck
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("move", "write_atomically"):
            patch.setattr(moves, name, striking(getattr(moves, name)))
        patch.setattr(shutil, "rmtree", striking(shutil.rmtree))
        patch.setattr(Path, "unlink", striking(Path.unlink))
        try:
            act()
        except Struck:
            return True
    return False


def test_an_attempt_is_kept_whole_wherever_its_move_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 1
    while True:
        run = attempt(tmp_path / f"run{at}", "first", ("start.json",))
        was_struck = cut_short(monkeypatch, at, lambda run=run: keep_attempt(run, 1))
        assert (run / "recipe.yaml").is_file()  # it is a run at every moment
        keep_attempt(run, 1)
        assert content(attempt_folder(run, 1)) == expected("first", ("start.json",))
        assert {child.name for child in run.iterdir()} == {"recipe.yaml", "environment.json", "start.json", "attempts"}
        attempt(run, "second")
        keep_attempt(run, 1)  # it is kept already, so that the next one stays where it is
        assert content(attempt_folder(run, 1)) == expected("first", ("start.json",))
        assert (run / "vitals.jsonl").read_text(encoding="utf-8") == "second vitals.jsonl"
        if not was_struck:
            break
        at += 1
    assert at > len(FILES) - len(IDENTITY)


def test_the_best_attempt_is_put_in_place_wherever_that_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 1
    while True:
        run = attempt(tmp_path / f"run{at}", "second", ("start.json",))
        attempt(attempt_folder(run, 1), "first", ("networks.py",))
        keep_attempt(run, 2)
        was_struck = cut_short(monkeypatch, at, lambda run=run: put_in_place(run, 1))
        assert (run / "recipe.yaml").is_file()
        put_in_place(run, 1)
        put_in_place(run, 1)
        inside = content(run)
        assert {name: text for name, text in inside.items() if "attempts" not in name} == expected(
            "first", ("networks.py",)
        )
        assert content(run / "attempts") == {
            f"2/{name}": text for name, text in expected("second", ("start.json",)).items()
        }
        if not was_struck:
            break
        at += 1
    assert at > len(FILES)


def test_the_first_attempt_is_the_run_itself_until_it_is_kept(tmp_path: Path) -> None:
    run = attempt(tmp_path / "run", "first")
    assert first_attempt(run) == run
    keep_attempt(run, 1)
    assert first_attempt(run) == attempt_folder(run, 1)


def test_a_file_that_is_open_elsewhere_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = attempt(tmp_path / "run", "first")

    def refused(source: Path, target: Path) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(moves, "move", refused)
    with pytest.raises(StorageError, match="close the program that has it open"):
        keep_attempt(run, 1)


@pytest.mark.parametrize(
    ("scores", "last", "best"),
    [
        ({1: 50.0, 2: 20.0, 3: 30.0}, 3, 2),
        ({1: 20.0, 2: 20.5}, 2, 2),  # within the noise of a score the newer one
        ({1: 20.0, 2: 21.0}, 2, 1),
        ({1: 20.0}, 2, 1),  # the last one has no score
        ({}, 4, 4),
    ],
)
def test_the_best_attempt_is_the_newest_of_those_with_the_lowest_score(
    scores: dict[int, float], last: int, best: int
) -> None:
    assert best_attempt(scores, last) == best
