"""A log is followed while another program writes it, without waiting: `wait` is where the writer writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from ganglion.doctor.follow import Look, follow
from ganglion.doctor.readers.records import Options

GOOD, CLAMPED = "step {s}: d_loss 0.9{s} g_loss 1.2{s}\n", "step {s}: d_loss 0.0001 g_loss 100.0\n"


def looks(path: Path, *writes: Callable[[], object]) -> Iterator[Look | None]:
    """What each look finds; between two of them the next write happens, and after the last one more look."""
    waiting = iter(writes)
    followed = follow(path, Options(), lambda seconds: next(waiting)(), lambda: 0.0)
    for _ in range(len(writes) + 1):
        yield next(followed)


def text(line: str, first: int, last: int) -> str:
    return "".join(line.format(s=s) for s in range(first, last, 10))


def append(path: Path, more: str) -> Callable[[], None]:
    def write() -> None:
        with path.open("a") as file:
            file.write(more)

    return write


def test_a_log_that_grows_is_read_on_and_a_finding_raised_once(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    writes = [
        append(path, text(GOOD, 0, 500)),
        append(path, text(CLAMPED, 500, 5000)),
        append(path, text(CLAMPED, 5000, 5100)),
    ]
    nothing, first, second, third = looks(path, *writes)
    assert nothing is None  # there is no file yet
    assert first is not None
    assert (first.first, first.verdict.step) == (True, 490)
    assert second is not None
    assert [(event.raised, event.finding.code) for event in second.events] == [
        (True, "loss-clamped"), (True, "discriminator-wins"),
    ]  # fmt: skip
    assert third is not None
    assert (third.events, third.verdict.step) == ([], 5090)


def test_a_look_without_a_change_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, text(GOOD, 0, 100))()
    first, second = looks(path, lambda: None)
    assert first is not None
    assert second is None


def test_an_unfinished_line_is_read_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, text(GOOD, 0, 100) + "step 100: d_loss 0.5")()
    first, second = looks(path, append(path, "25 g_loss 1.25\n"))
    assert first is not None
    assert first.verdict.step == 90
    assert second is not None
    assert second.verdict.step == 100
    assert second.verdict.understood is not None
    assert next(c.min for c in second.verdict.understood.columns if c.taken_for == "loss_d") == 0.525


def test_a_log_that_is_cut_to_nothing_or_replaced_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    append(path, text(GOOD, 0, 500))()

    def truncated() -> None:
        path.write_text(text(GOOD, 500, 600))

    def rotated() -> None:
        path.rename(tmp_path / "train.log.1")
        path.write_text(text(GOOD, 600, 900))

    first, second, third = looks(path, truncated, rotated)
    for look, records, step in ((first, 50, 490), (second, 60, 590), (third, 90, 890)):
        assert look is not None
        assert look.verdict.understood is not None
        assert (look.verdict.understood.records, look.verdict.step) == (records, step)


def test_what_cannot_be_read_yet_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("Loading ...\n")
    first, second = looks(path, append(path, text(GOOD, 0, 100)))
    assert first is None
    assert second is not None


def test_a_run_is_looked_at_from_its_first_record_on(tmp_path: Path) -> None:
    for name in ("recipe.yaml", "environment.json"):
        (tmp_path / name).write_text("{}")
    record = {"step": 1, "kimg": 0.1, "loss_d": 1.0, "loss_g": 1.0, "separation": 0.7}
    first, second = looks(tmp_path, append(tmp_path / "vitals.jsonl", json.dumps(record) + "\n"))
    assert first is None
    assert second is not None
    assert second.first
    assert second.verdict.step == 1
