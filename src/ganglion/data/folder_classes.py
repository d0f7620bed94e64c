"""Which folders of a source are classes. Folders that divide one set are none: train and test, numbered parts, a camera's.

In doubt a folder is a class. F images; a folder is the tuple of its names, outermost first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ganglion.data.file_names import looks_like_image

__all__ = ["natural_label", "why_no_classes"]

Folder = tuple[str, ...]

SPLIT = re.compile(
    "training|train|testing|test|validation|valid|val|development|dev|evaluation|eval|prediction|pred|unlabell?ed"
)
"""The word in the name of a folder that divides a data set, such as seg_train, test_set, val2017."""
NO_MEANING = frozenset(["set", "data", "dataset", "image", "images", "img", "imgs", "photos", "pictures", "split"])
"""Words that folders of one data set have beside it, or not."""
NO_LETTERS = re.compile(r"[\W\d_]+")

NUMBERED_FOLDER = re.compile(r"[0-9]{3,}")
NUMBERED_FILE = re.compile(r"(\D*)(\d+)")
UNITS = (1_000, 10_000, 100_000, 1_000_000)  # files that a part has room for
FULL = 0.9  # of the numbers that a part has room for; some images could not be downloaded
SMALLEST_PART = 100  # images; fewer in each folder may be a class by chance

CAMERA_FOLDER = re.compile(r"[1-9]\d\d(?!\d{5})[A-Z0-9_]{5}")  # DCF (CIPA DC-009): 100APPLE, 101CANON, 100_PANA
CAMERA_MONTH = re.compile(r"20\d\d(0[1-9]|1[0-2])_[_a-z]")  # as Windows shows an iPhone's
CAMERA_FILE = re.compile(r"\w{4}\d{4}|IMG_E\d{4}", re.ASCII | re.IGNORECASE)  # DCF; edited on an iPhone
MOSTLY = 0.9
KEPT = 4  # names of many, one more than a line shows


def natural_label(paths: Sequence[str]) -> list[str | None]:
    """The class of each path: its first folder below the common prefix of all images.

    There are classes only where every image is in a folder and there are two folders or more. Files without an image
    suffix are not considered. Where all these folders are splits (train, test_set, val2017), the classes are those below what
    they share; parts of one set, such as 00000, 00001, and a camera's folders are no classes.
    """
    images = [path for path in paths if looks_like_image(path)] or list(paths)
    level = _level(set(_folders(images)))
    if any(path.count("/") == level for path in images) or _parts(images, level):
        return [None] * len(paths)
    return [folder[level] if len(folder) > level else None for folder in _folders(paths)]


def why_no_classes(paths: Sequence[str]) -> dict[str, Any]:
    """What keeps the folders of images from being classes, ready for JSON; empty where there is nothing.

    outside: number of images without which the folders of all others would be classes; examples: some of them;
    flat: whether they have a folder of their own, `test` beside `train/cat`; parts: some folders that divide one set.
    """
    inside, outside, flat = [path for path in paths if looks_like_image(path)], list[str](), False
    while inside:
        level = _level(set(_folders(inside)))
        ending = [path for path in inside if path.count("/") == level]
        if not ending:
            break
        inside = [path for path in inside if path.count("/") > level]
        outside += ending
        flat |= not {folder[:level] for folder in _folders(inside)}.issuperset(_folders(ending))
    parts = _parts(inside, _level(set(_folders(inside))))
    if parts:
        return {} if outside else {"parts": parts}
    if not inside or not outside:
        return {}
    return {"outside": len(outside), "examples": outside[:KEPT], "flat": flat}


def _folders(paths: Iterable[str]) -> list[Folder]:
    return [tuple(path.split("/")[:-1]) for path in paths]


def _level(folders: Collection[Folder]) -> int:
    """How many names every folder begins with that tell no two apart but by their split: the next ones are the classes.

    It is the length of the shortest folder where an image lies beside other folders.
    """
    level = 0
    while True:
        level += _shared_prefix([folder[level:] for folder in folders])
        if any(len(folder) == level for folder in folders) or not are_splits({folder[level] for folder in folders}):
            return level
        level += 1


def _shared_prefix(folders: Collection[Folder]) -> int:
    if not folders:
        return 0
    first, last = min(folders), max(folders)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def are_splits(names: Iterable[str]) -> bool:
    """Whether folders of these names divide one set: they differ in a word such as train or test, and in digits at most."""
    rests = [_rests(name.casefold()) for name in names]
    common = set(rests[0]).intersection(*rests[1:]) if rests else set[Folder]()
    return any(len({rest[other] for rest in rests}) > 1 for other in common)


def _rests(name: str) -> dict[Folder, str]:
    """The words before and after the split in a name, and the split."""
    return {
        (*_words(name[: found.start()]), "", *_words(name[found.end() :])): found[0] for found in SPLIT.finditer(name)
    }


def _words(text: str) -> Folder:
    return tuple(word for word in NO_LETTERS.split(text) if word and word not in NO_MEANING)


def _parts(images: Sequence[str], level: int) -> list[str]:
    """The first names of the folders at this level where they are parts of one set; empty where they may be classes."""
    stems: dict[str, list[str]] = {}
    for path in images:
        *folders, name = path.split("/")[level:]
        if len(folders) != 1:
            return []
        stems.setdefault(folders[0], []).append(name.rpartition(".")[0])
    names = sorted(stems)
    numbered = _count_on(names) and (_are_ranges(names, stems) or _are_equally_full(names, stems))
    return names[:KEPT] if numbered or _are_of_a_camera(stems) else []


def _count_on(names: Sequence[str]) -> bool:
    """Whether sorted names are numbers of one width, three digits or more, that begin with 0 or 1 and have one distance."""
    if len(names) < 2 or not all(NUMBERED_FOLDER.fullmatch(name) and len(name) == len(names[0]) for name in names):
        return False
    numbers = [int(name) for name in names]
    return numbers[0] < 2 and len({second - first for first, second in pairwise(numbers)}) == 1


def _are_ranges(names: Sequence[str], stems: Mapping[str, Sequence[str]]) -> bool:
    """Whether the folder's number is the beginning of each file's, and all folders but the last are full.

    00001/img00001234.png (StyleGAN), 00001/000011234.jpg (img2dataset), 01000/01234.png (FFHQ).
    """
    files = [(int(name), NUMBERED_FILE.fullmatch(stem)) for name in names for stem in stems[name]]
    numbers = [(folder, int(found[2])) for folder, found in files if found]
    if len(numbers) < len(files) or len({found[1] for _, found in files if found}) > 1:
        return False
    for unit in UNITS:
        if any(all(number // unit * scale == folder for folder, number in numbers) for scale in (1, unit)):
            reach = dict.fromkeys((int(name) for name in names), 0)
            for folder, number in numbers:
                reach[folder] = max(reach[folder], number % unit)
            return min([*reach.values()][:-1]) >= FULL * unit
    return False


def _are_equally_full(names: Sequence[str], stems: Mapping[str, Sequence[str]]) -> bool:
    """Whether the last of three folders or more has what remained, the others equally many, and no name is there twice."""
    *counts, last = [len(stems[name]) for name in names]
    if len(counts) < 2 or len(set(counts)) > 1 or not last < counts[0] >= SMALLEST_PART:
        return False
    return len({stem for each in stems.values() for stem in each}) == sum(counts) + last


def _are_of_a_camera(stems: Mapping[str, Sequence[str]]) -> bool:
    """Whether folders and files are called as cameras call them: 100APPLE/IMG_0001.JPG."""
    if len(stems) < 2 or not (_are_of_dcf(stems) or all(map(CAMERA_MONTH.fullmatch, stems))):
        return False
    files = [stem for each in stems.values() for stem in each]
    return sum(CAMERA_FILE.fullmatch(stem) is not None for stem in files) >= MOSTLY * len(files)


def _are_of_dcf(names: Collection[str]) -> bool:
    """Whether folders of such names are numbered with few gaps; articles called like that are not."""
    numbers = {int(name[:3]) for name in names if CAMERA_FOLDER.fullmatch(name)}
    return len(numbers) == len(names) and max(numbers) - min(numbers) < 2 * len(numbers)
