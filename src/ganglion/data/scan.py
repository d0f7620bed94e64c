"""Reads every image once, before training: sizes, modes, classes, looks, duplicates, broken files.

A scan is a small summary, cached as JSON under the source's fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import PIL

from ganglion.data.copies import DIGEST_BYTES, content_part, copies_among
from ganglion.data.decode import is_deep
from ganglion.data.file_names import printable
from ganglion.data.folder_classes import why_no_classes
from ganglion.data.look import Look
from ganglion.data.scan_entries import ScannedEntry, read_chunk
from ganglion.data.sources import Entry, InThisProcess, Source, processes_for
from ganglion.data.workers import map_chunks
from ganglion.errors import DataError, StorageError
from ganglion.platform.files import write_atomically

__all__ = ["Scan", "is_unchanged", "scan"]


FORMAT = 5
MOST_LOOKS = 1000  # images looked at closely, evenly spread, at least one of each chunk; all of a smaller source
LISTED_DUPLICATES = 1000
LISTED_OF_A_KIND = 5
NOTHING_IN_IT = (
    "it is empty, but for hidden files, runs and packed stores; a run or a store is read where it is named itself"
)


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
    """Images whose colour channels are equal, or nearly."""
    tinted: int
    """Those of them that are gray only nearly, such as after JPEG."""
    alpha: int
    """Images with a pixel that is not opaque."""
    deep: int
    """Gray images of 16 or 32 bits."""
    brightest: float
    """The largest value among those; 0 without any."""
    animated: int
    """Images of several frames, of which the first is used."""
    turned: int
    """Images rotated by their EXIF orientation."""
    labels: dict[str, int]
    """Images in each class; empty where there are no classes."""
    duplicates: int
    """Images that equal an earlier one pixel by pixel."""
    duplicate_paths: list[tuple[str, str]] = field(default_factory=list)
    """Copy and original, the first thousand."""
    copies: list[int] = field(default_factory=list)
    """Places of the duplicates among the entries of the source."""
    content_without_copies: str = ""
    """Hash of the usable images that are no duplicates, and their labels, in order."""
    kinds: dict[str, int] = field(default_factory=dict)
    """How many of the images looked at are a drawing, a photo, or unclear."""
    kind_paths: dict[str, list[str]] = field(default_factory=dict)
    """Some of each kind."""
    colour_paths: list[str] = field(default_factory=list)
    """Some of the images in colour."""
    alpha_paths: list[str] = field(default_factory=list)
    """Some of those with a pixel that is not opaque."""
    folders: dict[str, Any] = field(default_factory=dict)
    """What keeps folders from being classes, where something does (data/folder_classes.py)."""
    content_without_labels: str = ""
    """`content` without what a labels file says, where there is one."""
    looks: list[Look] = field(default_factory=list)
    """Of at most MOST_LOOKS images, evenly spread over the source."""

    @property
    def images_content(self) -> str:
        """Hash of the usable images and their folders, whatever a labels file says of them."""
        return self.content_without_labels or self.content

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    def facts(self) -> dict[str, Any]:
        """What is shown of it, as plain values: without the looks and places of single images."""
        hidden = ("looks", "copies", "content_without_copies", "content_without_labels")
        return {name: value for name, value in self.to_json().items() if name not in hidden}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Scan:
        """Raises KeyError, TypeError or ValueError where `tree` is not a scan of this format."""
        tree = dict(tree)
        if tree.pop("format") != FORMAT:
            raise ValueError("a scan of another format")
        pairs = {name: [tuple(pair) for pair in tree[name]] for name in ("bad", "sizes", "duplicate_paths")}
        sizes = {name: tuple(tree[name]) for name in ("median_size", "smallest_size", "largest_size")}
        looks = [Look._make([*one[:3], tuple(one[3]), *one[4:]]) for one in tree["looks"]]
        return cls(**{**tree, **pairs, **sizes, "looks": looks})


def scan(source: Source, cache: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Scan:
    """The scan of `source`, from `cache` where its fingerprint is known. Calls `progress(done, total)`.

    Raises DataError where no image is usable, or more than half of the image files are broken.
    """
    fingerprint = source.fingerprint()
    found = _scan_once(source, fingerprint, cache, progress) if fingerprint else _scan_afresh(source, "", progress)[0]
    _check_usable(found)
    return found


def is_unchanged(source: Source, fingerprint: str) -> bool:
    """Whether the source holds what it held when it had this fingerprint; images in memory do, and so do those without one."""
    if not fingerprint or isinstance(source, InThisProcess):
        return True
    try:
        return source.fingerprint() == fingerprint
    except OSError:  # it is gone
        return False


def _scan_once(source: Source, fingerprint: str, cache: Path, progress: Callable[[int, int], None]) -> Scan:
    """The cached scan of this fingerprint, or a new one; with the current description of `source`."""
    key = printable(f"{FORMAT} {PIL.__version__} {fingerprint}").encode()
    kept = cache / "scans" / f"{hashlib.sha256(key).hexdigest()[:32]}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = Scan.from_json(json.loads(kept.read_text(encoding="utf-8")))
        return replace(known, description=source.description)
    result, lasting = _scan_afresh(source, fingerprint, progress)
    if lasting and is_unchanged(source, fingerprint):
        with suppress(OSError, StorageError):  # the next start scans again
            write_atomically(kept, json.dumps(result.to_json()).encode())
    return result


def _scan_afresh(source: Source, fingerprint: str, progress: Callable[[int, int], None]) -> tuple[Scan, bool]:
    """The scan, and whether the next one would find the same."""
    entries = source.entries()
    counter = _ScanCounter()
    progress(0, len(entries))
    work = partial(read_chunk, min(1.0, MOST_LOOKS / max(1, len(entries))))
    for findings in map_chunks(work, source, entries, processes_for(source)):
        for finding in findings:
            counter.add(finding)
        progress(counter.seen, len(entries))
    return counter.result(source, fingerprint, entries), counter.lasting


class _ScanCounter:
    """Accumulates scanned entries; keeps 32 bytes per image, and some looks."""

    def __init__(self) -> None:
        self.seen = self.gray = self.tinted = self.alpha = self.animated = self.turned = self.broken = self.deep = 0
        self.brightest = 0.0
        self.lasting = True  # no entry that may be readable the next time
        self.modes: Counter[str] = Counter()
        self.labels: Counter[str | None] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.bad: list[tuple[str, str]] = []
        self.bad_places: list[int] = []
        self.digests, self.pixels = bytearray(), bytearray()  # of every entry, zeros for a bad one
        self.looks: list[tuple[int, Look]] = []
        self.colour_paths: list[str] = []
        self.alpha_paths: list[str] = []
        self.content = hashlib.sha256()

    def add(self, finding: ScannedEntry) -> None:
        self.seen += 1
        self.digests += finding.digest or bytes(DIGEST_BYTES)
        self.pixels += finding.pixels or bytes(DIGEST_BYTES)
        entry, facts = finding.entry, finding.facts
        if facts is None:
            self.bad.append((printable(entry.key), finding.reason))
            self.bad_places.append(self.seen - 1)
            self.broken += entry.claims_image
            self.lasting &= not finding.transient
            return
        self.content.update(content_part(finding.digest, entry.label))
        self.modes[facts.mode] += 1
        self.labels[entry.label] += 1
        self.sizes[facts.height, facts.width] += 1
        self.gray += facts.gray
        self.tinted += facts.tinted
        self.alpha += facts.alpha
        self.deep += is_deep(facts.mode)
        self.brightest = max(self.brightest, facts.brightest)
        for paths, counts in ((self.colour_paths, not facts.gray), (self.alpha_paths, facts.alpha)):
            if counts and len(paths) < LISTED_OF_A_KIND:
                paths.append(printable(entry.key))
        self.animated += facts.animated
        self.turned += facts.turned
        if finding.look:
            self.looks.append((self.seen - 1, finding.look))

    def result(self, source: Source, fingerprint: str, entries: Sequence[Entry]) -> Scan:
        copies = copies_among(source, entries, self.digests, self.pixels, self.bad_places)
        kinds: dict[str, list[int]] = {}
        for place, look in self.looks:
            kinds.setdefault(look.kind, []).append(place)
        areas = sorted(self.sizes, key=lambda size: (size[0] * size[1], size)) or [(0, 0)]
        return Scan(
            description=source.description,
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
            tinted=self.tinted,
            alpha=self.alpha,
            deep=self.deep,
            brightest=self.brightest,
            animated=self.animated,
            turned=self.turned,
            labels={str(k): v for k, v in sorted(self.labels.items(), key=lambda kv: str(kv[0])) if k is not None},
            duplicates=len(copies),
            duplicate_paths=[
                (printable(entries[copy].key), printable(entries[original].key))
                for copy, original in copies[:LISTED_DUPLICATES]
            ],
            copies=[copy for copy, _ in copies],
            content_without_copies=self._content_without([copy for copy, _ in copies], entries),
            kinds={kind: len(places) for kind, places in sorted(kinds.items())},
            kind_paths={
                kind: [printable(entries[place].key) for place in places[:LISTED_OF_A_KIND]]
                for kind, places in sorted(kinds.items())
            },
            colour_paths=self.colour_paths,
            alpha_paths=self.alpha_paths,
            folders=why_no_classes([printable(entry.key) for entry in entries]) if set(self.labels) == {None} else {},
            looks=[look for _, look in self.looks],
        )

    def _content_without(self, copies: Sequence[int], entries: Sequence[Entry]) -> str:
        left_out, content = {*copies, *self.bad_places}, hashlib.sha256()
        for place in (place for place in range(self.seen) if place not in left_out):
            digest = bytes(self.digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES])
            content.update(content_part(digest, entries[place].label))
        return content.hexdigest()

    def _median(self, axis: int) -> int:
        """The low median of the heights (0) or widths (1)."""
        half = (self.sizes.total() + 1) // 2
        for size in sorted(self.sizes, key=lambda size: size[axis]):
            half -= self.sizes[size]
            if half <= 0:
                return size[axis]
        return 0


def _check_usable(result: Scan) -> None:
    examples = "; ".join(f"{path}: {reason}" for path, reason in result.bad[:3])
    if not result.images:
        found = f"{len(result.bad)} files, none of them usable ({examples})" if result.bad else NOTHING_IN_IT
        opened = "; Python pickles are not opened, since they can execute code: convert them to image files"
        pickles = any("data_batch" in path or path.endswith((".pkl", ".pickle")) for path, _ in result.bad)
        raise DataError(f"no image in {printable(result.description)}: {found}{opened if pickles else ''}")
    if result.broken > result.images:
        raise DataError(
            f"{result.broken} of {result.broken + result.images} images in {printable(result.description)} are broken, "
            f"more than half: check the data set ({examples})"
        )
