"""Numbers in a line of text, as people print them, and the line without them.

A line's skeleton is the line with a mark in the place of each number. Lines of one `print` have one skeleton, so that what
the numbers are called has to be found out once (`phrases`).
"""

from __future__ import annotations

import math
import re

__all__ = ["BEYOND", "FLOAT", "INT", "NUMBER", "cleaned", "comma_decimals", "number", "skeleton", "with_points"]


INT, FLOAT = "\x01", "\x02"
"""Marks: a number of digits only; any other number."""

NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9_.)\]])[-+])?(?<![A-Za-z0-9_.])"
    r"(?:(?:(?<!\d,)[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?!,\d)|\d+)(?:\.(?!\.)\d*)?(?:[eE][-+]?\d+(?!\w))?"
    r"|\.\d+(?:[eE][-+]?\d+(?!\w))?"
    r"|(?i:nan(?:\(\w*\))?|inf(?:inity)?)(?![\w.]))"
)
BEYOND = 1e300
"""Stands for an integer that no float holds, which is no measurement."""
GLUED = re.compile(r"\b(epoch|ep|iter|iteration|step|batch|tick|kimg|it|gs)(?:[_#.-]|\.\s)?(?=\d)", re.I)
"""`Epoch10`, `it.670`, `iter-5`."""
EPOCH_AND_BATCH = re.compile(r"(?<![\w.-])[Ee](\d+)([\s,/|:_-]+)(?:[Bb]|[Ii]|[Ss])(\d+)(?![\w.])")
"""`E03 B0120`, `e3/i120`."""
INITIALS = re.compile(r"(?<![\w.-])(?![IWEF]\d{4} \d\d:)([A-Za-z]{1,2})(?=\d{2,}(?![\w.]))")
"""`B0120`: a counter that is glued to its initial, or else each line would have a name of its own; not glog's level and day."""
TENSOR = re.compile(
    r"(?:\b[\w.]*(?:[Tt]ensor|[Aa]rray|float\d*|Float\d*|Variable)\()\s*\[*\s*([-+\w.]+)\s*\]*"
    r"\s*(?:,\s*\w+=(?:<[^>]*>|'[^']*'|\([^)]*\)|[^,()\s]+)\s*)*\)"
)
TF_TENSOR = re.compile(r"<tf\.\w+[^<>]*?numpy=([-+\w.]+)[^<>]*>")
WINDOWS_NAN = re.compile(r"-?1\.#(?:QNAN|IND|SNAN)\w*", re.I)
WINDOWS_INF = re.compile(r"1\.#INF\w*", re.I)
COMMA = re.compile(r"(?<![\w.,])([-+]?\d+),(\d+(?:[eE][-+]?\d+)?)(?![\d,.]*[,.]\d)(?!\w)")
POWER = re.compile(r"(?<=\d)\s?(?:\*|x|×)\s?10\^?\(?([-+]?\d+)\)?")


LOGGER = re.compile(r"\b(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL):[\w.-]+:(?!\s*[-+]?\d)\s*")
"""`INFO:root:`, as Python's logging begins its lines."""


def cleaned(line: str) -> str:
    """The line without its logger, and with tensors, arrays and counters that are glued to their name as plain numbers."""
    if ":" in line:
        line = LOGGER.sub("", line, count=1)
    if "numpy=" in line:
        line = TF_TENSOR.sub(r"\1", line)
    if "(" in line and ("ensor(" in line or "rray(" in line or "loat" in line or "Variable(" in line):
        line = TENSOR.sub(r"\1", line)
    if "1.#" in line:
        line = WINDOWS_INF.sub("inf", WINDOWS_NAN.sub("nan", line))
    if "10^" in line:
        line = POWER.sub(r"e\1", line)
    line = EPOCH_AND_BATCH.sub(r"epoch \1\2batch \3", line)
    return INITIALS.sub(r"\1 ", GLUED.sub(r"\1 ", line))


def skeleton(line: str) -> tuple[str, list[str]]:
    """The line with marks for its numbers, and the numbers as printed."""
    numbers = NUMBER.findall(line)
    if not numbers:
        return line, numbers
    marked = NUMBER.sub(FLOAT, line)
    if any(map(str.isdigit, numbers)):
        parts = marked.split(FLOAT)
        marks = [INT if n.isdigit() or ("," in n and "." not in n) else FLOAT for n in numbers]
        marked = "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))
    return marked, numbers


def number(text: str) -> float:
    """The value of a number as printed; BEYOND for one of more digits than a float holds."""
    text = text.replace(",", "")
    if text[-1] == ")":  # nan(ind)
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return BEYOND if math.isinf(value) and text.lstrip("+-").isdigit() else value


def comma_decimals(lines: list[str]) -> bool:
    """Whether these lines, the first of a log, print 0,53 for 0.53: never with a point, and not only groups of three."""
    text = "\n".join(lines)
    found = COMMA.findall(text)
    if len(found) < 3 or re.search(r"[:=\s]\s*\d+\.\d+(?![\d.:])", text):
        return False
    return any(whole.lstrip("+-") == "0" or len(part) != 3 for whole, part in found)


def with_points(line: str) -> str:
    """The same line with decimal points for decimal commas."""
    return COMMA.sub(r"\1.\2", line)
