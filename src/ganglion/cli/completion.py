"""What the Tab key completes in a shell: recipes, run folders, data sets and trackers (`ganglion --install-completion`).

A function that finds nothing returns nothing, and the shell completes file names. Nothing here loads torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["recipes", "runs", "sources", "trackers"]


DEPTH = 3
"""Levels below the folder typed so far on which runs are looked for."""
MOST = 200
"""Folders that are looked into, so that the key answers at once."""


def recipes(incomplete: str) -> list[str]:
    """Names of the presets; else the shell's files."""
    from ganglion.recipe.resolve import preset_names

    return _starting_with(incomplete, preset_names())


def sources(incomplete: str) -> list[str]:
    """Names of data sets, and files and folders beside them; else the shell's files."""
    from ganglion.data.find import NAMES

    names = _starting_with(incomplete, NAMES) if incomplete else []
    return names and sorted({*names, *_starting_with(incomplete, (path.name for path in Path().iterdir()))})


def trackers(incomplete: str) -> list[str]:
    """Names of trackers, after a comma the next one."""
    from ganglion.trackers.names import TRACKERS

    before, comma, last = incomplete.rpartition(",")
    taken = before.split(",")
    return [f"{before}{comma}{name}" for name in _starting_with(last, TRACKERS) if name not in taken]


def runs(incomplete: str) -> list[str]:
    """Run folders at or below the path typed so far."""
    typed = Path(incomplete)
    folder = typed if incomplete.endswith("/") or not incomplete else typed.parent
    return sorted(_runs_in(folder, incomplete))


def _runs_in(folder: Path, start: str) -> Iterator[str]:
    waiting, looked = [(folder, 0)], 0
    while waiting and looked < MOST:
        here, depth = waiting.pop(0)
        looked += 1
        for child in _folders(here):
            name = str(child)
            if not (name.startswith(start) or start.startswith(f"{name}/")):
                continue
            if (child / "recipe.yaml").is_file():
                yield name
            elif depth < DEPTH:
                waiting.append((child, depth + 1))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _starting_with(start: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(start)]
