"""What is no number, does not fit one, or is nested beyond reason is passed over; no log ends in a traceback."""

from __future__ import annotations

import json
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.doctor.diagnose import log_of, verdict_of
from ganglion.doctor.examine import examine
from ganglion.errors import DataError
from ganglion.runs.journal import JsonLines
from ganglion.vitals.records import is_step, read_records
from ganglion.vitals.records import read_lines as read_own_lines

DIGITS = "9" * 5000
NUMBERS = (
    "0", "3", "-7", "0.5", "1e400", "-1e400", "1e308", "-1e308", "1e-320", "NaN", "Infinity", "-Infinity", "true", "null",
    "9223372036854775807", "9223372036854775808", "1" * 400, DIGITS, f"-{DIGITS}", f"0.{DIGITS}", "1e99999", "", '"x"', "{}",
    "[]", '{"num": 1, "mean": 1e308, "std": 1e308}', '{"num": true, "mean": null, "std": ' + "1" * 400 + "}",
)  # fmt: skip
NAMES = (
    "step", "kimg", "epoch", "loss_d", "loss_g", "fid", "swd", "swd_floor", "separation", "diversity", "contrast", "non_finite",
    "range_real", "range_fake", "saturation", "fine", "lr_g", "grad_g_first", "moves_d_with_g", "logit_real", "logit_fake",
    "logit_real_std", "logit_fake_std", "update_g", "weight_g", "Loss/scores/real", "Loss/scores/fake", "Progress/kimg", "D(x)",
)  # fmt: skip
NESTED = '{"a":' * 100_000 + "1" + "}" * 100_000
DEEP = '{"a":' * 900 + "1" + "}" * 900
LISTS = '{"step": 1, "kimg": 1, "loss_d": ' + "[" * 100_000 + "]" * 100_000 + "}"

numbers, names = st.sampled_from(NUMBERS), st.sampled_from(NAMES)
objects = st.dictionaries(names, numbers, max_size=6).map(
    lambda pairs: "{" + ", ".join(f"{json.dumps(name)}: {number}" for name, number in pairs.items()) + "}"
)
ours = st.lists(objects.map(lambda text: '{"step": 4, "kimg": 1, ' + text[1:].lstrip() if len(text) > 2 else text))
json_lines = (
    st.lists(objects | numbers | st.text(max_size=20) | st.sampled_from([NESTED, DEEP, LISTS]), max_size=12) | ours
)
console_lines = st.lists(
    st.builds("[{}/{}][{}/{}] Loss_D: {} {}={}".format, *[numbers] * 5, names, numbers)
    | st.builds("Epoch {} Batch {}/{} {}: {} {} {}".format, *[numbers] * 3, names, numbers, names, numbers)
    | st.builds("{}/{} [==] - d_loss: {}".format, *[numbers] * 3)
    | st.text(max_size=40),
    max_size=12,
)
tables = st.builds(
    lambda head, rows: [",".join(head), *(",".join(row) for row in rows)],
    st.lists(names | st.text(max_size=5), min_size=1, max_size=6),
    st.lists(st.lists(numbers | st.text(max_size=5), max_size=7), max_size=12),
)


tables = st.builds(
    lambda head, rows: [",".join(head), *(",".join(row) for row in rows)],
    st.lists(names | st.text(max_size=5), min_size=1, max_size=6),
    st.lists(st.lists(numbers | st.text(max_size=5), max_size=7), max_size=12),
)
LINES = (
    "[0/5][7/10] Loss_D: 0.5 Loss_G: 1.0", "Epoch: [ 3] [  40/ 500] d_loss: 1.38", "| step | D loss |", "| 1 | 0.5 |",
    "|---|---|",
    "> FID score (Step: 2000, x): 56.4", "{'d_loss': tensor(0.5, grad_fn=<A>)}", "((((((((", "))))))]]]]}}}}",
    "a: b: c: d: 0.5: 0.6",
    "1 2 3 4 5 6", "d_losses = [" + ", ".join(["0.5"] * 40) + "]", "100%|####| 40/40 [00:10<00:00, 3.5it/s, g=1]",
    "\x1b[31mD: 1",
    "1,2,3", "step,d_loss", "nan inf -inf 1.#QNAN", "0:1:2:3:4", "D/G: 0.5/1.2", "D (0.5 real, 0.6 fake)", "\x08\x08",
    "\r\r",
)  # fmt: skip
any_lines = st.lists(
    st.sampled_from(LINES) | st.text(max_size=60) | st.builds("{}: {} {} {}".format, names, numbers, names, numbers)
)


def held(records: list[dict[str, Any]]) -> None:
    """Records with steps that rise, which the doctor can judge and print without a word of warning."""
    steps = [record["step"] for record in records]
    assert all(map(is_step, steps))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdict = examine(records)
    verdict.text()
    json.dumps(verdict.to_json(), allow_nan=False)


def read(folder: Path, name: str, content: bytes) -> list[dict[str, Any]]:
    """Records of a file, empty where it is refused; nothing else may come of it."""
    path = folder / name
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            log = log_of(path)
        except DataError:
            return []
        verdict = verdict_of(log)
        verdict.text()
        json.dumps(verdict.to_json(), allow_nan=False)
    steps = [record["step"] for record in log.records]
    assert log.understood.is_ours or steps == sorted(set(steps))
    held(log.records)
    return log.records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("garbage")


ENDINGS = st.sampled_from(["a.txt", "a.log", "a.csv", "a.tsv", "a.jsonl", "a.json", "a.ipynb", "d_loss", "a.log.gz"])


@settings(max_examples=150, deadline=None)
@given(name=ENDINGS, lines=json_lines)
def test_json_lines_of_any_kind_are_read(folder: Path, name: str, lines: list[str]) -> None:
    read(folder, name, "\n".join(lines).encode("utf-8", "replace"))


@settings(max_examples=200, deadline=None)
@given(name=ENDINGS, lines=console_lines | any_lines)
def test_console_lines_of_any_kind_are_read(folder: Path, name: str, lines: list[str]) -> None:
    read(folder, name, "\n".join(lines).encode("utf-8", "replace"))


@settings(max_examples=150, deadline=None)
@given(name=ENDINGS, lines=tables)
def test_tables_of_any_kind_are_read(folder: Path, name: str, lines: list[str]) -> None:
    read(folder, name, "\n".join(lines).encode("utf-8", "replace"))


@settings(max_examples=150, deadline=None)
@given(
    name=ENDINGS,
    content=st.binary(max_size=3000) | st.text(max_size=1000).map(lambda text: text.encode("utf-16", "replace")),
)
def test_bytes_of_any_kind_are_read_or_refused(folder: Path, name: str, content: bytes) -> None:
    read(folder, name, content)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(names | st.text(max_size=4), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(tree=trees)
def test_json_of_any_shape_is_read_or_refused(folder: Path, tree: Any) -> None:
    read(folder, "a.json", json.dumps(tree).encode())
    read(folder, "a.ipynb", json.dumps({"nbformat": 4, "cells": tree}).encode())


loose = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), st.text(max_size=5),
    st.lists(st.floats(), max_size=3),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(names, loose, max_size=8).map(lambda row: {"step": 3, "kimg": 1.0} | row), max_size=30))
def test_records_of_any_kind_are_judged(records: list[dict[str, Any]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        json.dumps(examine(records).to_json(), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(lines=json_lines)
def test_a_runs_own_files_are_read_and_taken_up_again_whatever_they_hold(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("run") / "vitals.jsonl"
    path.write_text("\n".join([*lines, '{"step": 5, "kimg": 1.0}']), encoding="utf-8", errors="replace")
    held(read_records(path))
    with closing(JsonLines(path, resumed_step=5)):
        assert read_own_lines(path)[-1] == {"step": 5, "kimg": 1.0}


# Each kind by itself: the line goes, and those around it stay

GOOD = {
    "a.jsonl": ('{"iter": 10, "d_loss": 0.5}', '{"iter": 20, "d_loss": 0.25}'),
    "a.txt": ("step 10: d_loss 0.5", "step 20: d_loss 0.25"),
    "a.csv": ("step,d_loss\n10,0.5", "20,0.25"),
}
BAD = [
    ("a.jsonl", NESTED), ("a.jsonl", DEEP), ("a.jsonl", f'{{"iter": {DIGITS}, "d_loss": 1}}'), ("a.jsonl", '{"iter": 1e400}'),
    ("a.jsonl", '{"iter": -15, "d_loss": 9}'), ("a.jsonl", '{"iter": 1e300, "d_loss": 9}'), ("a.jsonl", '{"iter": true}'),
    ("a.jsonl", '{"iter": NaN}'), ("a.jsonl", f'{{"d_loss": {"1" * 400}}}'), ("a.jsonl", '{"non_finite": 5}'),
    ("a.txt", f"step -15: d_loss {DIGITS}"), ("a.txt", f"step {DIGITS}: d_loss 9"), ("a.txt", "step -5: d_loss 9"),
    ("a.csv", f"{DIGITS},9"), ("a.csv", "-15,9"), ("a.csv", "1e400,"), ("a.csv", "1e300,9"), ("a.csv", "x" * 200_000 + ",9"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line"), BAD, ids=range(len(BAD)))
def test_a_line_that_is_none_takes_no_other_with_it(tmp_path: Path, name: str, line: str) -> None:
    first, last = GOOD[name]
    found = read(tmp_path, name, f"{first}\n{line}\n{last}\n".encode())
    assert [(record["step"], record.get("loss_d")) for record in found] == [(10, 0.5), (20, 0.25)]


def test_a_row_without_a_step_among_rows_with_steps_belongs_to_the_one_before(tmp_path: Path) -> None:
    """As the summary of an epoch in a log of batches; it does not begin the run anew."""
    found = read(tmp_path, "a.txt", b"step 100 d_loss 1.0\nFID: 30.0\nstep 200 d_loss 0.5\n")
    assert found == [{"step": 100, "loss_d": 1.0, "fid": 30.0}, {"step": 200, "loss_d": 0.5}]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_long_lines_without_numbers_take_no_time(tmp_path: Path, name: str) -> None:
    """Characters without a space, as an encoded picture has them, are tried once and not from each of them."""
    lines = ["ab1c" * 250_000, "9" * 200_000, "epoch " * 30_000, "(" * 100_000, "1 " * 100_000]
    first, last = GOOD[name]
    found = read(tmp_path, name, "\n".join([first, *lines, last, ""]).encode())
    assert [record["step"] for record in found][:1] == [10]
    assert [record["step"] for record in found][-1:] == [20]


def test_an_own_record_that_is_spoilt_does_not_make_the_others_foreign(tmp_path: Path) -> None:
    """Live and afterwards the same records are judged."""
    record = {"step": 3, "kimg": 0.1, "range_real": [-1, 1, 0, 0.5]}
    text = "\n".join([json.dumps(record), '{"note": 1}', '{"step": "x", "kimg": 2}', json.dumps(record | {"step": 4})])
    (tmp_path / "vitals.jsonl").write_text(text)
    assert log_of(tmp_path).records == read_records(tmp_path / "vitals.jsonl") == [record, record | {"step": 4}]


def test_lines_of_several_encodings_are_read(tmp_path: Path) -> None:
    """As where PowerShell appends UTF-16 to a log in UTF-8, and a name is in Latin-1."""
    content = b"step 10: d_loss 0.5\n" + b"caf\xe9\n" + "step 20: d_loss 0.25\n".encode("utf-16-le")
    assert [(r["step"], r["loss_d"]) for r in read(tmp_path, "a.txt", content)] == [(10, 0.5), (20, 0.25)]


def test_a_log_that_a_crash_ended_in_zeros_is_read(tmp_path: Path) -> None:
    content = b"".join(b"step %d: d_loss 0.5\n" % step for step in range(200)) + b"\0" * 500
    assert read(tmp_path, "a.txt", content)[-1]["step"] == 199
