"""What the columns of a labels file hold: yes or no, numbers, or classes; and which columns are of no use.

N images. A cell is text; an empty one, `n/a`, `nan`, `null`, `none` and `?` mean that there is no value.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.recipe.attributes import Attribute

__all__ = ["ReadColumn", "examples", "natural", "read_column"]

MISSING = frozenset(["", "n/a", "na", "nan", "null", "none", "?"])
PAIRS = (("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"))
CLASS_NAMES = frozenset(["label", "labels", "class", "classes", "category", "species", "target", "type"])
"""Whole numbers in a column of such a name are classes, not amounts."""
MOSTLY = 0.95  # share of numbers from which other text in a column counts as missing
LARGEST = 2**24  # float32 has all whole numbers up to it
FEWEST_IDS = 16  # whole numbers that are all different are an id from so many on
NUMERIC = re.compile(r"[+-]?[\d.,]*\d[\d.,]*(e[+-]?\d+)?", re.IGNORECASE)
COMMA_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # 1,200 or 1,200.5
POINT_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?")  # 1.200 or 1.200,5


class ReadColumn(NamedTuple):
    """A column, read."""

    name: str
    attribute: Attribute | None
    """None where it cannot be used."""
    values: NDArray[np.float32]
    """(N,): 1 or 0, a number, or the number of a class; NaN where there is no value."""
    why_not: str = ""
    """Why it cannot be used."""
    remark: str = ""
    """What was read otherwise than it stands."""


def examples(values: Sequence[str], most: int = 3) -> str:
    """The first three: `a, b, c, ...`."""
    return ", ".join(values[:most]) + (", ..." if len(values) > most else "")


def natural(label: str) -> tuple[int, int, str]:
    """Sort key: numeric names in numeric order, 2 before 10."""
    return (0, int(label), label) if label.isdecimal() else (1, 0, label)


def read_column(name: str, cells: Sequence[str], decimal_comma: bool = False) -> ReadColumn:
    """The column `name` with a cell for each image. `decimal_comma`: whether 1,200 is 1.2 rather than 1200."""
    cleaned = {cell: cell.strip() for cell in set(cells)}
    texts = [cleaned[cell] for cell in cells]
    counts = Counter(text for text in texts if text.casefold() not in MISSING)
    present = counts.total()
    if 2 * present < len(texts):
        return _left_out(name, len(texts), f"{len(texts) - present:,} of {len(texts):,} images have no value in it")
    is_class = name.strip().casefold() in CLASS_NAMES
    plain = str if is_class and not decimal_comma else _notation(counts, decimal_comma)
    numbers = {text: number for text in counts if (number := _number(plain(text))) is not None}
    whole = len(numbers) == len(counts) and all(number.is_integer() for number in numbers.values())
    classes = whole and is_class
    if not classes and (yes_no := _yes_no(counts, numbers)) is not None:
        return ReadColumn(name, Attribute(name=name, kind="yes-no"), _coded(texts, yes_no))
    if len(set(counts) if len(numbers) < len(counts) else set(numbers.values())) < 2:
        return _left_out(name, len(texts), f"every value in it is {next(iter(counts))}")
    numeric = sum(counts[text] for text in numbers) / present
    if numeric >= MOSTLY and not classes and not (whole and _are_codes(numbers, present)):
        other = None if decimal_comma else next((text for text in numbers if plain(text) != text), None)
        said = "" if other is None else f"{other} in {name} is read as {numbers[other]:.10g}"
        return _numbers(name, texts, counts, numbers, whole, said)
    return _classes(name, texts, counts)


def _yes_no(counts: Counter[str], numbers: dict[str, float]) -> dict[str, float] | None:
    """1 or 0 for each text of a column of yes and no, in words, as 1 and 0 or as 1 and -1; None for another column."""
    if len(numbers) == len(counts) and set(numbers.values()) in ({0.0, 1.0}, {-1.0, 1.0}):
        return {text: float(number > 0) for text, number in numbers.items()}
    words = {text.casefold() for text in counts}
    pair = next((pair for pair in PAIRS if words == set(pair)), None)
    return None if pair is None else {text: float(text.casefold() == pair[1]) for text in counts}


def _are_codes(numbers: dict[str, float], present: int) -> bool:
    """Whether whole numbers, such as 20260115, are too large for the values of a column of numbers, and repeat."""
    return max(map(abs, numbers.values())) > LARGEST and 2 * len(numbers) <= present


def _numbers(
    name: str, texts: list[str], counts: Counter[str], numbers: dict[str, float], whole: bool, remark: str
) -> ReadColumn:
    found = np.array([numbers[text] for text in texts if text in numbers])
    different = len(set(numbers.values()))
    if different == 1:
        return _left_out(name, len(texts), f"every number in it is {next(iter(numbers))}")
    gapless = found.max() - found.min() + 1 == different
    if whole and different == len(found) >= FEWEST_IDS and (gapless or name.strip().casefold().endswith("id")):
        return _left_out(name, len(texts), "it numbers the images")
    others = [text for text in counts if text not in numbers]
    if others:
        many = sum(counts[text] for text in others)
        missing = f"values of {name} that are not numbers and count as missing: {many:,} ({examples(others)})"
        remark = f"{remark}; {missing}" if remark else missing
    attribute = Attribute(
        name=name, kind="number", low=float(found.min()), high=float(found.max()), mean=float(found.mean()),
        std=float(found.std()),
    )  # fmt: skip
    return ReadColumn(name, attribute, _coded(texts, numbers), remark=remark)


def _classes(name: str, texts: list[str], counts: Counter[str]) -> ReadColumn:
    if 2 * len(counts) > counts.total():
        many = f"it has {len(counts):,} different values in {counts.total():,} images, so that it tells images apart"
        return _left_out(name, len(texts), f"{many}, not classes")
    names = sorted(counts, key=natural)
    codes = {text: float(code) for code, text in enumerate(names)}
    return ReadColumn(name, Attribute(name=name, kind="class", classes=tuple(names)), _coded(texts, codes))


def _coded(texts: Sequence[str], codes: dict[str, float]) -> NDArray[np.float32]:
    return np.array([codes.get(text, math.nan) for text in texts], np.float32)


def _left_out(name: str, images: int, why: str) -> ReadColumn:
    return ReadColumn(name, None, np.full(images, np.nan, np.float32), why)


def _notation(texts: Collection[str], decimal_comma: bool) -> Callable[[str], str]:
    """How a column's texts become numbers as Python writes them, by those that have a comma.

    Where all of these are like 1,200 or 1,200.5, the comma separates thousands, unless `decimal_comma` and none has a point.
    Otherwise it is the decimal sign, and points separate thousands, as in 1.200,5; where 1.5 contradicts that, the texts are
    taken as they are.
    """
    written = [text for text in texts if NUMERIC.fullmatch(text)]
    commas, points = [text for text in written if "," in text], [text for text in written if "." in text]
    if not commas:
        return str
    if all(COMMA_GROUPS.fullmatch(text) for text in commas) and (
        not decimal_comma or any("." in text for text in commas)
    ):
        return _without_comma_groups
    if points and all(POINT_GROUPS.fullmatch(text) for text in points):
        return _without_point_groups
    return _with_decimal_point if decimal_comma or not points else str


def _without_comma_groups(text: str) -> str:
    return text.replace(",", "") if COMMA_GROUPS.fullmatch(text) else text


def _with_decimal_point(text: str) -> str:
    return text.replace(",", ".")


def _without_point_groups(text: str) -> str:
    return (text.replace(".", "") if POINT_GROUPS.fullmatch(text) else text).replace(",", ".")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
