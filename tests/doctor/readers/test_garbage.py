"""What is no number, does not fit one, or is nested beyond reason is passed over; no log ends in a traceback."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ganglion.doctor.readers.formats import read_console, read_lines, read_table
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.doctor.examine import examine
from ganglion.doctor.readers.names import in_order, record_of, with_separation
from ganglion.runs.journal import JsonLines
from ganglion.vitals.records import is_step, read_records
from ganglion.vitals.records import read_lines as read_own_lines

Reader = Callable[[str], list[dict[str, Any]]]

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


def held(records: list[dict[str, Any]]) -> None:
    """Records with steps that rise, which the doctor can judge and print without a word of warning."""
    steps = [record["step"] for record in records]
    assert all(map(is_step, steps))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdict = examine(records)
    verdict.text()
    json.dumps(verdict.to_json(), allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(json_lines)
def test_json_lines_of_any_kind_are_read(lines: list[str]) -> None:
    held(read_lines("\n".join(lines)))


@settings(max_examples=200, deadline=None)
@given(console_lines)
def test_console_lines_of_any_kind_are_read(lines: list[str]) -> None:
    held(read_console("\n".join(lines)))


@settings(max_examples=200, deadline=None)
@given(tables)
def test_tables_of_any_kind_are_read(lines: list[str]) -> None:
    held(read_table("\n".join(lines)))


loose = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), st.text(max_size=5),
    st.lists(st.floats(), max_size=3),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(names, loose, max_size=8), max_size=12))
def test_rows_of_any_kind_become_records(rows: list[dict[str, Any]]) -> None:
    held(in_order(record_of(row) for row in rows))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, loose, max_size=8))
def test_a_record_of_other_peoples_names_holds_nothing_but_finite_numbers(row: dict[str, Any]) -> None:
    record = with_separation(record_of(row))
    assert all(math.isfinite(value) for key, value in record.items() if key != "non_finite")


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
    read_lines: ('{"iter": 10, "d_loss": 0.5}', '{"iter": 20, "d_loss": 0.25}'),
    read_console: ("step 10: d_loss 0.5", "step 20: d_loss 0.25"),
    read_table: ("step,d_loss\n10,0.5", "20,0.25"),
}
BAD: list[tuple[Reader, str]] = [
    (read_lines, NESTED), (read_lines, DEEP), (read_lines, f'{{"iter": {DIGITS}, "d_loss": 1}}'),
    (read_lines, '{"iter": 1e400}'), (read_lines, '{"iter": -15, "d_loss": 9}'), (read_lines, '{"iter": 1e300, "d_loss": 9}'),
    (read_lines, '{"iter": true}'), (read_lines, '{"iter": NaN}'), (read_lines, f'{{"d_loss": {"1" * 400}}}'),
    (read_lines, '{"non_finite": 5}'), (read_console, f"[0/5][{DIGITS}/10] Loss_D: 9"),
    (read_console, f"epoch {DIGITS} batch 3/7 d_loss 9"), (read_console, f"{DIGITS}/{DIGITS} [==] d_loss 9"),
    (read_console, f"step -15: d_loss {DIGITS}"), (read_console, f"step {DIGITS}: d_loss 9"),
    (read_console, "step -5: d_loss 9"),
    (read_table, f"{DIGITS},9"), (read_table, "-15,9"), (read_table, "1e400,"), (read_table, "1e300,9"),
]  # fmt: skip


@pytest.mark.parametrize(("read", "line"), BAD, ids=range(len(BAD)))
def test_a_line_that_is_none_takes_no_other_with_it(read: Reader, line: str) -> None:
    first, last = GOOD[read]
    found = read(f"{first}\n{line}\n{last}")
    assert [(record["step"], record.get("loss_d")) for record in found] == [(10, 0.5), (20, 0.25)]


def test_a_row_without_a_step_among_rows_with_steps_belongs_to_the_one_before() -> None:
    """As the summary of an epoch in a log of batches; it does not begin the run anew."""
    found = in_order([{"step": 100, "loss_d": 1.0}, {"fid": 30.0}, {"step": 200, "loss_d": 0.5}])
    assert found == [{"step": 100, "loss_d": 1.0, "fid": 30.0}, {"step": 200, "loss_d": 0.5}]


def test_long_lines_without_numbers_take_no_time() -> None:
    """Characters without a space, as an encoded picture has them, are tried once and not from each of them."""
    assert read_console("\n".join(["ab1c" * 50_000, "9" * 200_000, "epoch " * 30_000, "step 10: d_loss 0.5"])) == [
        {"step": 10, "loss_d": 0.5}
    ]


def test_an_own_record_that_is_spoilt_does_not_make_the_others_foreign(tmp_path: Path) -> None:
    """Live and afterwards the same records are judged."""
    record = {"step": 3, "kimg": 0.1, "range_real": [-1, 1, 0, 0.5]}
    text = "\n".join([json.dumps(record), '{"note": 1}', '{"step": "x", "kimg": 2}', json.dumps(record | {"step": 4})])
    (tmp_path / "vitals.jsonl").write_text(text)
    assert read_lines(text) == read_records(tmp_path / "vitals.jsonl") == [record, record | {"step": 4}]
