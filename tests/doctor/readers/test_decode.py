"""Bytes of logs: archives, encodings, terminal codes, and logs too long to read each line of."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from ganglion.doctor.diagnose import log_of
from ganglion.doctor.readers import columns, decode
from ganglion.doctor.readers.decode import clean_text, lines_of, opened
from ganglion.errors import DataError

TEXT = "".join(f"step {s}: d_loss 0.5 café\n" for s in range(300))


def lines(content: bytes, size: int = 0) -> tuple[list[str], list[str]]:
    notes: list[str] = []
    return [line.text for line in lines_of(io.BytesIO(content), "log", size, notes)], notes


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_archives_are_told_by_their_content(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    (tmp_path / "log").write_bytes(compress(TEXT.encode()))
    with opened(tmp_path / "log") as stream:
        assert b"".join(iter(lambda: stream.read(1000), b"")).decode() == TEXT


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_told_by_their_bytes(encoding: str) -> None:
    assert lines(TEXT.encode(encoding))[0][:300] == TEXT.splitlines()


def test_other_encodings_cost_no_more_than_their_letters() -> None:
    assert lines(TEXT.encode("latin-1"))[0][0] == "step 0: d_loss 0.5 caf\ufffd"


def test_terminal_codes_are_removed_and_redrawn_lines_are_lines() -> None:
    assert clean_text("\x1b[1m\x1b[32mStep 1\x1b[0m\r2\b\b\b3\r\n4\x1b]0;title\x07") == "Step 1\n2\n3\n4"


def test_a_log_of_many_colours_is_text() -> None:
    coloured = "".join(f"\x1b[32mG\x1b[0m \x1b[1m{s}\x1b[0m\n" for s in range(100))
    assert lines(coloured.encode())[0] == [f"G {s}" for s in range(100)]


def test_signs_that_look_like_others_are_read_as_these() -> None:
    assert clean_text("loss_D：0.5，x−1 │") == "loss_D:0.5,x-1 |"


def test_the_last_line_tells_whether_it_is_complete() -> None:
    found = list(lines_of(io.BytesIO(b"a\nb"), "log", 0, []))
    assert [(line.number, line.text, line.complete) for line in found] == [(1, "a", True), (2, "b", False)]


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 50, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), b"%PDF-1.4 text"]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="is not a text file"):
        lines(content)


def test_of_a_long_log_rare_lines_are_all_read_and_others_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "WHOLE_BYTES", 50_000)
    monkeypatch.setattr(decode, "FIRST_OF_A_SHAPE", 50)
    text = "".join(
        f"step {s}: d_loss 0.5\n" + (f"FID: {s}.5\n" if s % 1000 == 0 else "") for s in range(20_000)
    ).encode()
    found, notes = lines(text, len(text))
    assert sum(line.startswith("FID") for line in found) == 20
    assert 1000 < len(found) < 4000
    assert notes == [
        f"of 20,020 lines {len(found):,} were read: the first 50 of each kind of line, and evenly spaced ones after them"
    ]


def test_memory_does_not_grow_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_ROWS", 1000)
    monkeypatch.setattr(columns, "FEW_ALIKE", 100)
    text = "".join(f"step {s}: d_loss 0.5\n" + (f"FID: {s}.5\n" if s % 1000 == 500 else "") for s in range(20_000))
    (tmp_path / "log.txt").write_text(text)
    log = log_of(tmp_path / "log.txt")
    assert len(log.records) <= 1100
    assert sum("fid" in record for record in log.records) == 20
    assert log.records[-1]["step"] > 19_900
    assert any("every second" in note for note in log.understood.notes)


TORN = ["step 30: d_loss 0.50 g_loss 0.", "step 30: d_lo", "step 30: d_loss 0.50 g_loss 0.7", "step 3"]


@pytest.mark.parametrize("last", TORN)
def test_a_line_that_is_cut_off_is_left_out_and_told(tmp_path: Path, last: str) -> None:
    (tmp_path / "log.txt").write_text("step 10: d_loss 0.50 g_loss 0.72\nstep 20: d_loss 0.51 g_loss 0.71\n" + last)
    log = log_of(tmp_path / "log.txt")
    assert [record["step"] for record in log.records] == [10, 20]
    assert "the last line is cut off and was left out" in log.understood.notes


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json"])
def test_a_log_of_nothing_but_a_line_that_is_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"step": 1, "loss_d": 0.')
    with pytest.raises(DataError, match="no measurements"):
        log_of(tmp_path / name)


def test_a_complete_line_without_its_break_is_read(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("step 10: d_loss 0.50 g_loss 0.72\nstep 20: d_loss 0.51 g_loss 0.71")
    assert log_of(tmp_path / "log.txt").records[-1] == {"step": 20, "loss_d": 0.51, "loss_g": 0.71}


def test_a_row_of_a_table_that_is_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,d_loss,g_loss\n10,0.50,0.72\n20,0.51,0.71\n30,0.5")
    assert [record["step"] for record in log_of(tmp_path / "log.csv").records] == [10, 20]
