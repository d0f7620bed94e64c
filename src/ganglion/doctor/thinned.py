"""Which records of a long run are looked at: a choice that is made as they come, so that a run that goes on and one that is
read afterwards are judged by the same records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from ganglion.vitals.records import is_step

__all__ = ["THINNED", "WHOLE", "Thinned"]

Record = Mapping[str, Any]

WHOLE = 160  # newest records that are looked at one by one
THINNED = 160  # most of those before


class Thinned:
    """A run's newest records, and of those before every 1st, 2nd, 4th, ... by their number, whichever is few enough.

    What a longer run keeps, a shorter one kept too; so nothing has to be remembered that is left out once. The first record
    with a number that is not finite is never left out. A record without a step is none.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._old: list[tuple[int, Record]] = []
        self._new: deque[tuple[int, Record]] = deque()
        self._count, self._every = 0, 1
        self._first_bad: int | None = None
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """The run's next record."""
        if not is_step(record.get("step")):
            return
        if self._first_bad is None and record.get("non_finite") is not None:
            self._first_bad = self._count
        self._new.append((self._count, record))
        self._count += 1
        if len(self._new) > WHOLE:
            self._old += filter(self._stays, [self._new.popleft()])
        while len(self._old) > THINNED:
            self._every *= 2
            self._old = list(filter(self._stays, self._old))

    @property
    def records(self) -> list[Record]:
        """At most WHOLE + THINNED, oldest first."""
        return [record for _, record in (*self._old, *self._new)]

    def _stays(self, numbered: tuple[int, Record]) -> bool:
        return numbered[0] % self._every == 0 or numbered[0] == self._first_bad
