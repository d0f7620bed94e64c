"""A log's bytes as lines of text: compressed or not, in any encoding, with terminal codes removed, and thinned where there are
too many to read each."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from ganglion.errors import DataError

__all__ = ["LONGEST_LINE", "WHOLE_BYTES", "Line", "clean_text", "lines_of", "opened"]


class Line(NamedTuple):
    number: int
    """From 1, lines that were left out counted."""
    text: str
    complete: bool = True
    """Whether a line break follows; the last line of a log may be cut off."""


BLOCK = 2**20
ARCHIVES: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
"""By the first bytes of a file."""
WHOLE_BYTES = 24 * 2**20
"""Of a log up to this size every line is read."""
FIRST_OF_A_SHAPE = 500
"""Lines of one shape that are read before some are left out."""
MOST_SHAPES = 20_000
LONGEST_LINE = 2**24
"""Bytes of a line; what is beyond is left out."""
SHAPELESS = b"0123456789.+-eE#=>_* \t\xe2\x94\x81\x96\x88\x80\x97"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_=>]")
CONTROL = re.compile(r"[\x00-\x07\x0e-\x1f\x7f]")
CONTROL_BYTES = bytes(set(range(32)) - {9, 10} | {127})
BREAKS = re.compile(r"\r\n?|\x08+|[\x0b\x0c\x85\u2028\u2029]")
LOOKALIKES = str.maketrans({
    "\xa0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "：": ":", "，": ",", "；": ";", "＝": "=", "（": "(", "）": ")",
    "−": "-", "│": "|", "┃": "|", "┆": "|", "║": "|", "┊": "|", "→": "=>", "\ufeff": "", "“": '"', "”": '"', "➜": "=>",
})  # fmt: skip


@contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """The log's bytes, decompressed; standard input for None. Raises DataError."""
    with ExitStack() as stack:
        try:
            raw = sys.stdin.buffer if path is None else stack.enter_context(path.open("rb"))
            magic = cast(io.BufferedReader, raw).peek(8)[:8] if hasattr(raw, "peek") else b""
        except OSError as error:
            raise DataError(f"{path or 'standard input'} cannot be read: {error.strerror}") from None
        decompress = next((module for start, module in ARCHIVES.items() if magic.startswith(start)), None)
        yield cast(BinaryIO, raw if decompress is None else stack.enter_context(decompress(raw)))


def lines_of(stream: BinaryIO, name: str, size: int, notes: list[str]) -> Iterator[Line]:
    """All lines of a log of about `size` bytes; of a long one some. What was left out is appended to `notes`.

    Raises DataError where the bytes are no text, or the archive is damaged from its start.
    """
    count, left_out, read, last = 0, 0, 0, b""
    shapes: Counter[bytes] = Counter()
    for block, complete in _blocks(stream, name, notes):
        read += len(block)
        lines = block.split(b"\n")
        every = _every(max(size, read))
        if every == 1:
            for line in lines:
                count += 1
                yield Line(count, line.decode("utf-8", "replace"), complete)
            continue
        for line, shape in zip(lines, block.translate(None, SHAPELESS).split(b"\n"), strict=True):
            count += 1
            seen = shapes[shape] = shapes[shape] + 1
            if seen <= FIRST_OF_A_SHAPE or seen % every == 0:
                yield Line(count, line.decode("utf-8", "replace"), complete)
                last = b""
            else:
                left_out += 1
                last = line
        if len(shapes) > MOST_SHAPES:
            shapes = Counter({b"": sum(shapes.values())})
    if last:  # the newest line is always read
        left_out -= 1
        yield Line(count, last.decode("utf-8", "replace"))
    if left_out:
        notes.append(
            f"of {count:,} lines {count - left_out:,} were read: the first {FIRST_OF_A_SHAPE} of each kind of line, and "
            f"evenly spaced ones after them"
        )


def _every(size: int) -> int:
    """One line in so many is read. Odd, so that lines that alternate are both read."""
    return 1 if size <= WHOLE_BYTES else 2 * (size // WHOLE_BYTES) + 1


def _blocks(stream: BinaryIO, name: str, notes: list[str]) -> Iterator[tuple[bytes, bool]]:
    """Complete lines as clean UTF-8, a block at a time; then what stands behind the last line break, and False."""
    rest, first = b"", True
    while True:
        try:
            raw = getattr(stream, "read1", stream.read)(BLOCK)  # read1 gives what comes before damage in an archive
        except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
            if first:
                raise DataError(f"{name} cannot be read: {error}") from None
            notes.append("the archive is damaged or cut off: what came before the damage was read")
            raw = b""
        if first and raw:
            _check_text(raw, name)
            first = False
        block = rest + raw
        if not raw:
            if block:
                yield _clean(block), False
            return
        cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
        if cut == 0 and len(block) > LONGEST_LINE:
            block, cut = block[:LONGEST_LINE], 0
        if cut % 2 and b"\0" in block[:64]:
            cut += 1  # UTF-16: the other half of the line break
        rest = block[cut:]
        if cut:
            yield _clean(block[:cut]).removesuffix(b"\n"), True


def _check_text(raw: bytes, name: str) -> None:
    sample = _clean(raw[:65536]).decode("utf-8", "replace")
    raw_controls = len(CONTROL.findall(ESCAPES.sub("", _decoded(raw[:65536]))))
    bad = raw_controls + sample.count("\ufffd")
    latin = len(re.findall(r"[ -~]", sample))
    if sample.startswith("%PDF") or (bad > 0.1 * max(1, len(sample)) and bad > 0.25 * latin):
        raise DataError(
            f"{name} is not a text file: expected console output, CSV, JSON, a notebook, or a folder of TensorBoard events"
        )


def _decoded(raw: bytes) -> str:
    """UTF-8, or UTF-16 where most of it is; NULs between bytes of a file of several encodings are dropped."""
    if b"\0" not in raw:
        return raw.decode("utf-8", "replace")
    if raw.count(b"\0") < 0.2 * len(raw):
        return raw.replace(b"\0", b"").decode("utf-8", "replace")
    big = raw.startswith(b"\xfe\xff") or (
        not raw.startswith(b"\xff\xfe") and raw[0::2].count(b"\0") > raw[1::2].count(b"\0")
    )
    text = raw.decode("utf-16-be" if big else "utf-16-le", "replace")
    strange = sum(not (c < "\u0250" or "\u2000" <= c < "\u2600") for c in text[:4096])  # letters and bars are not
    return text if strange <= 0.1 * min(len(text), 4096) else raw.replace(b"\0", b"").decode("utf-8", "replace")


def _clean(block: bytes) -> bytes:
    if block.isascii() and len(block.translate(None, CONTROL_BYTES)) == len(block):
        return block
    return clean_text(_decoded(block)).encode("utf-8", "replace")


def clean_text(text: str) -> str:
    """Without terminal codes; a carriage return and what is drawn over by backspaces are line breaks."""
    text = BREAKS.sub("\n", ESCAPES.sub("", text))
    text = CONTROL.sub("", text)
    return text if text.isascii() else text.translate(LOOKALIKES)
