"""Reads every image once, before training: sizes, modes, classes, duplicates, broken files.

A scan is a small summary, cached as JSON under the source's fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.data.decode import ImageFacts, Unreadable, image_facts, quiet_pillow
from ganglion.data.sources import Entry, Source, processes_for
from ganglion.data.workers import map_chunks
from ganglion.errors import DataError
from ganglion.platform.files import write_atomically

__all__ = ["Scan", "printable", "scan"]


FORMAT = 1
LISTED_DUPLICATES = 1000
DIGEST_BYTES = 16


@dataclass(frozen=True)
class Scan:
    """Summary of a source. All sizes are (height, width) in pixels."""

    description: str
    fingerprint: str
    content: str
    """Hash of the usable images and their labels, in order."""
    images: int
    """Usable images."""
    bad: list[tuple[str, str]]
    """Path and reason of each file that is skipped."""
    broken: int
    """How many of `bad` claim to be images."""
    median_size: tuple[int, int]
    smallest_size: tuple[int, int]
    largest_size: tuple[int, int]
    sizes: list[tuple[str, int]]
    """The commonest sizes, `HxW` and count."""
    modes: dict[str, int]
    gray: int
    """Images whose colour channels are equal."""
    alpha: int
    """Images with a pixel that is not opaque."""
    animated: int
    """Images of several frames, of which the first is used."""
    turned: int
    """Images rotated by their EXIF orientation."""
    labels: dict[str, int]
    """Images in each class; empty where there are no classes."""
    duplicates: int
    """Images that are byte for byte copies of an earlier one."""
    duplicate_paths: list[tuple[str, str]] = field(default_factory=list)
    """Copy and original, the first thousand."""

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Scan:
        """Raises KeyError, TypeError or ValueError where `tree` is not a scan of this format."""
        tree = dict(tree)
        if tree.pop("format") != FORMAT:
            raise ValueError("a scan of another format")
        pairs = {name: [tuple(pair) for pair in tree[name]] for name in ("bad", "sizes", "duplicate_paths")}
        sizes = {name: tuple(tree[name]) for name in ("median_size", "smallest_size", "largest_size")}
        return cls(**{**tree, **pairs, **sizes})


class ScannedEntry(NamedTuple):
    """One entry, read: its facts and digest, or the reason why it is skipped."""

    entry: Entry
    facts: ImageFacts | None
    digest: bytes
    reason: str


def scan(source: Source, cache: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Scan:
    """The scan of `source`, from `cache` where its fingerprint is known. Calls `progress(done, total)`.

    Raises DataError where no image is usable, or more than half of the image files are broken.
    """
    fingerprint = source.fingerprint()
    result = (
        _scan_afresh(source, "", progress) if fingerprint is None else _scan_once(source, fingerprint, cache, progress)
    )
    _check_usable(result)
    return result


def read_chunk(source: Source, entries: Sequence[Entry]) -> list[ScannedEntry]:
    with quiet_pillow():
        return [_read_one(source, entry) for entry in entries]


def printable(name: str) -> str:
    """`name` for a terminal or a JSON file; undecodable bytes are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _scan_once(source: Source, fingerprint: str, cache: Path, progress: Callable[[int, int], None]) -> Scan:
    """The cached scan of this fingerprint, or a new one; with the current description of `source`."""
    kept = cache / "scans" / f"{hashlib.sha256(printable(f'{FORMAT} {fingerprint}').encode()).hexdigest()[:32]}.json"
    try:
        known = Scan.from_json(json.loads(kept.read_text(encoding="utf-8")))
        return replace(known, description=source.description)
    except (OSError, ValueError, KeyError, TypeError):
        result = _scan_afresh(source, fingerprint, progress)
        write_atomically(kept, json.dumps(result.to_json()).encode())
        return result


def _scan_afresh(source: Source, fingerprint: str, progress: Callable[[int, int], None]) -> Scan:
    entries = source.entries()
    counter = _ScanCounter()
    progress(0, len(entries))
    for findings in map_chunks(read_chunk, source, entries, processes_for(source)):
        for finding in findings:
            counter.add(finding)
        progress(counter.seen, len(entries))
    return counter.result(source.description, fingerprint, entries)


def _read_one(source: Source, entry: Entry) -> ScannedEntry:
    try:
        payload = source.read(entry)
        facts = image_facts(payload)
    except Unreadable as error:
        return ScannedEntry(entry, None, b"", str(error))
    except OSError as error:
        return ScannedEntry(entry, None, b"", f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return ScannedEntry(entry, None, b"", str(error))
    raw = payload if isinstance(payload, bytes) else repr(payload.shape).encode() + payload.tobytes()
    return ScannedEntry(entry, facts, hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest(), "")


class _ScanCounter:
    """Accumulates scanned entries; keeps sixteen bytes per image."""

    def __init__(self) -> None:
        self.seen = self.gray = self.alpha = self.animated = self.turned = self.broken = 0
        self.modes: Counter[str] = Counter()
        self.labels: Counter[str | None] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.bad: list[tuple[str, str]] = []
        self.bad_places: list[int] = []
        self.digests = bytearray()  # of every entry, zeros for a bad one
        self.content = hashlib.sha256()

    def add(self, finding: ScannedEntry) -> None:
        self.seen += 1
        self.digests += finding.digest or bytes(DIGEST_BYTES)
        entry, facts = finding.entry, finding.facts
        if facts is None:
            self.bad.append((printable(entry.key), finding.reason))
            self.bad_places.append(self.seen - 1)
            self.broken += entry.claims_image
            return
        self.content.update(finding.digest + repr(entry.label).encode())
        self.modes[facts.mode] += 1
        self.labels[entry.label] += 1
        self.sizes[facts.height, facts.width] += 1
        self.gray += facts.gray
        self.alpha += facts.alpha
        self.animated += facts.animated
        self.turned += facts.turned

    def result(self, description: str, fingerprint: str, entries: Sequence[Entry]) -> Scan:
        copies = _copies(self.digests, self.bad_places)
        areas = sorted(self.sizes, key=lambda size: (size[0] * size[1], size)) or [(0, 0)]
        return Scan(
            description=description,
            fingerprint=fingerprint,
            content=self.content.hexdigest(),
            images=self.modes.total(),
            bad=self.bad,
            broken=self.broken,
            median_size=(self._median(0), self._median(1)),
            smallest_size=areas[0],
            largest_size=areas[-1],
            sizes=[(f"{h}x{w}", count) for (h, w), count in self.sizes.most_common(10)],
            modes=dict(self.modes.most_common()),
            gray=self.gray,
            alpha=self.alpha,
            animated=self.animated,
            turned=self.turned,
            labels={str(k): v for k, v in sorted(self.labels.items(), key=lambda kv: str(kv[0])) if k is not None},
            duplicates=len(copies),
            duplicate_paths=[
                (printable(entries[copy].key), printable(entries[original].key))
                for copy, original in copies[:LISTED_DUPLICATES].tolist()
            ],
        )

    def _median(self, axis: int) -> int:
        """The low median of the heights (0) or widths (1)."""
        half = (self.sizes.total() + 1) // 2
        for size in sorted(self.sizes, key=lambda size: size[axis]):
            half -= self.sizes[size]
            if half <= 0:
                return size[axis]
        return 0


def _copies(digests: bytearray, bad: Sequence[int]) -> NDArray[np.int64]:
    """Pairs (M, 2) of an entry's place and that of the first with the same digest, by ascending place; none for bad ones."""
    words = np.array(digests, np.uint8).view(np.uint64).reshape(-1, 2)
    usable = np.delete(np.arange(len(words)), bad)
    order = usable[np.lexsort(words[usable].T)]  # equal digests side by side, in the order of their places
    same = (words[order[1:]] == words[order[:-1]]).all(1)
    starts = np.flatnonzero(np.concatenate([[True], ~same]))  # of runs of equal digests
    originals = np.repeat(order[starts], np.diff(np.append(starts, len(order)))) if len(order) else order
    pairs: NDArray[np.int64] = np.stack([order, originals], 1)[1:][same]
    return pairs[np.argsort(pairs[:, 0])]


def _check_usable(result: Scan) -> None:
    examples = "; ".join(f"{path}: {reason}" for path, reason in result.bad[:3])
    if not result.images:
        found = f"{len(result.bad)} files, none of them usable ({examples})" if result.bad else "it is empty"
        hint = (
            "; Python pickles are not opened, since they can execute code: convert them to image files"
            if _pickles(result)
            else ""
        )
        raise DataError(f"no image in {printable(result.description)}: {found}{hint}")
    if result.broken > result.images:
        raise DataError(
            f"{result.broken} of {result.broken + result.images} images in {printable(result.description)} are broken, "
            f"more than half: check the data set ({examples})"
        )


def _pickles(result: Scan) -> bool:
    return any("data_batch" in path or path.endswith((".pkl", ".pickle")) for path, _ in result.bad)
