"""`ganglion diagnose --follow`: findings of a log that another program is writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ganglion.doctor.diagnose import log_of_rows, read_source, verdict_of
from ganglion.doctor.examine import FindingEvent
from ganglion.doctor.readers.columns import Rows
from ganglion.doctor.readers.own import own_log
from ganglion.doctor.readers.records import Log, Options
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError

__all__ = ["Look", "follow"]


Signature = tuple[tuple[str, int, int, int], ...]
FIRST_BYTES = 256


class Look(NamedTuple):
    """What is new after a look at the log."""

    verdict: Verdict
    events: list[FindingEvent]
    first: bool
    """Whether the log was read for the first time."""


class _Followed:
    """A log that grows, is cut to nothing, or is replaced by a new file of its name; what was read before is kept then."""

    def __init__(self, path: Path, options: Options) -> None:
        self._path, self._options = path, options
        self._signature: Signature = ()
        self._start = b""
        self._earlier: Rows | None = None
        self._newest: Rows | None = None

    def changed(self) -> bool:
        """Whether the log changed since the last call, and holds something."""
        now = _signature(self._path)
        if now == self._signature or not now:
            return False
        if self._path.is_file() and self._newest is not None and self._begins_anew(now):
            self._earlier = _joined(self._earlier, self._newest)
        self._signature = now
        return True

    def _begins_anew(self, now: Signature) -> bool:
        old = self._signature[0]
        return now[0][3] != old[3] or now[0][1] < old[1] or not _first_bytes(self._path).startswith(self._start)

    def read(self) -> Log:
        """All records so far; of a run none before its first one. Raises DataError where nothing can be read yet."""
        self._start = _first_bytes(self._path)
        if (own := own_log(self._path)) is not None:
            return own
        self._newest = read_source(self._path, self._options, growing=True)
        return log_of_rows(_joined(self._earlier, self._newest), str(self._path), self._options)


def follow(
    path: Path, options: Options, wait: Callable[[float], None], clock: Callable[[], float], every_sec: float = 2.0
) -> Iterator[Look | None]:  # fmt: skip
    """After each change of the log what is new; None where a look found no change, or nothing that can be read yet.

    `wait` is called between two looks, with the longer of `every_sec` and ten times the seconds that the last reading took.
    """
    followed, last = _Followed(path, options), None
    pause = every_sec
    while True:
        begun = clock()
        look = _look(followed, last, path) if followed.changed() else None
        last = look.verdict if look is not None else last
        pause = max(every_sec, 10 * (clock() - begun))
        yield look
        wait(pause)


def _look(followed: _Followed, last: Verdict | None, path: Path) -> Look | None:
    try:
        log = followed.read()
    except DataError:
        return None
    if not log.records:  # a run before its first one
        return None
    verdict = verdict_of(log, path)
    before = {finding.code: finding for finding in last.findings} if last is not None else {}
    now = {finding.code: finding for finding in verdict.findings}
    events = [
        FindingEvent(True, verdict.step, finding)
        for code, finding in now.items()
        if code not in before or before[code].severity != finding.severity
    ]
    events += [FindingEvent(False, verdict.step, finding) for code, finding in before.items() if code not in now]
    return Look(verdict, events, last is None)


def _signature(path: Path) -> Signature:
    """Name, size, time of change and number of each file; empty where there is none, or only empty ones."""
    found = []
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        try:
            state = file.stat()
        except OSError:
            continue
        found.append((file.name, state.st_size, state.st_mtime_ns, state.st_ino))
    return tuple(found) if any(size for _, size, _, _ in found) else ()


def _first_bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(FIRST_BYTES)


def _joined(earlier: Rows | None, newest: Rows) -> Rows:
    if earlier is None:
        return newest
    both = Rows(kind=newest.kind, name=newest.name)
    both.extend(earlier)
    both.extend(newest)
    return both
