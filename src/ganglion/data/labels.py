"""From a labels file to the attributes of packed images, with all that was odd about it as sentences and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.data.attributes import Attributes
from ganglion.data.columns import ReadColumn, examples, read_column
from ganglion.data.labels_file import LabelsFile
from ganglion.data.labels_table import table_of
from ganglion.data.match_rows import Matched, match_rows
from ganglion.errors import DataError
from ganglion.recipe.attributes import Attribute

__all__ = ["Labels", "check_used", "read_labels"]

FEW_OF_A_VALUE = 20  # images, or fewer than one in a hundred: such a class is called rare
RARE = 0.01


@dataclass(frozen=True)
class Labels:
    """What a labels file says of the images."""

    attributes: Attributes | None
    """None where the file cannot be used."""
    facts: dict[str, Any]
    """name, remarks, columns and why it is not used, ready for JSON."""

    @property
    def only_class(self) -> Attribute | None:
        """The file's single column where that is one of classes: it is what folders' names are otherwise."""
        columns = self.attributes.columns if self.attributes else ()
        return columns[0] if len(columns) == 1 and columns[0].kind == "class" else None

    @property
    def codes(self) -> NDArray[np.int64]:
        """The number of each image's class in the only column (N,), -1 where it has none."""
        assert self.attributes is not None
        return np.nan_to_num(self.attributes.values[:, 0], nan=-1).astype(np.int64)


def read_labels(file: LabelsFile, keys: Sequence[str], left_out: Sequence[str] = ()) -> Labels:
    """The labels of the images with these keys. Those `left_out` count only where rows are matched with images."""
    facts: dict[str, Any] = {"name": file.name, "remarks": [], "columns": [], "not_used": ""}
    try:
        table = table_of(file)
        matched = match_rows(table, [*keys, *left_out], file.name)
    except ValueError as error:
        return Labels(None, facts | {"not_used": str(error)})
    columns = _read_columns(matched._replace(cells=matched.cells[: len(keys)]), table.decimal_comma)
    usable = [column for column in columns if column.attribute]
    facts |= {"columns": [_summary(column) for column in columns], "remarks": matched.remarks + _remarks(columns)}
    if not usable:
        reasons = "; ".join(f"{column.name}: {column.why_not}" for column in columns[:3])
        return Labels(None, facts | {"not_used": f"no column can be used ({reasons})"})
    attributes = tuple(column.attribute for column in usable if column.attribute)
    return Labels(Attributes(attributes, np.stack([column.values for column in usable], 1)), facts)


def check_used(file: LabelsFile | None, facts: dict[str, Any]) -> None:
    """Raises DataError where a file that was asked for cannot be used."""
    if file and file.asked_for and (why := facts.get("not_used")):
        raise DataError(f"data.labels is {file.name}, which cannot be used: {why}")


def _read_columns(matched: Matched, decimal_comma: bool) -> list[ReadColumn]:
    return [
        read_column(name, ["" if row is None else row[place] for row in matched.cells], decimal_comma)
        for place, name in enumerate(matched.columns)
    ]


def _remarks(columns: Sequence[ReadColumn]) -> list[str]:
    found = [column.remark for column in columns if column.remark]
    holes = [(int(np.isnan(column.values).sum()), column.name) for column in columns if column.attribute]
    holes = [hole for hole in holes if hole[0]]
    if holes:
        total = sum(count for count, _ in holes)
        which = examples([f"{name} ({count:,})" for count, name in holes])
        found.append(
            f"missing values: {total:,}, in {which}; such an image is kept, and a missing value counts as neither yes nor "
            "no, as the mean of a number, as none of the classes"
        )
    out = [f"{column.name} ({column.why_not})" for column in columns if not column.attribute]
    if out:
        found.append(f"columns left out: {len(out):,}, {examples(out)}")
    return found


def _summary(column: ReadColumn) -> dict[str, Any]:
    """Name, kind, values or range, missing and rare values of a column."""
    if (attribute := column.attribute) is None:
        return {"name": column.name, "kind": None, "left_out": column.why_not}
    present = column.values[~np.isnan(column.values)]
    said: dict[str, Any] = {"name": column.name, "kind": attribute.kind, "missing": len(column.values) - len(present)}
    if attribute.kind == "number":
        return said | {"low": attribute.low, "high": attribute.high, "mean": attribute.mean, "std": attribute.std}
    names = ("no", "yes") if attribute.kind == "yes-no" else attribute.classes
    counts = np.bincount(present.astype(np.int64), minlength=len(names)).tolist()
    by_name = dict(zip(names, counts, strict=True))
    few = max(FEW_OF_A_VALUE, RARE * len(present))
    return said | {"values": by_name, "rare": [name for name, count in by_name.items() if count < few]}
