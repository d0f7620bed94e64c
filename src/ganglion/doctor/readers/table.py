"""CSV and its like, as Lightning's and Keras's loggers write it: one row a step, names in the first line."""

from __future__ import annotations

import csv
import io
from typing import Any

from ganglion.doctor.readers.names import record_of
from ganglion.doctor.readers.series import in_order
from ganglion.errors import DataError

__all__ = ["read_table"]


def read_table(text: str) -> list[dict[str, Any]]:
    """Records of all rows; an empty cell is a number that was not measured at that step."""
    head = text[: text.find("\n") + 1] or text
    separator = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text, newline=None), delimiter=separator)
    try:
        found = [record_of((name, value) for name, value in row.items() if name) for row in rows]
    except csv.Error as error:
        raise DataError(f"the table cannot be read near line {rows.line_num + 1:,}: {error}") from None
    return in_order(row for row in found if row)
