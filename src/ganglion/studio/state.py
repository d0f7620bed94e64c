"""What the pages of a studio share: its folders, and the names of runs, which come from a browser and are checked here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ganglion.errors import DataError, RunError
from ganglion.platform.files import home_expanded

__all__ = ["Studio"]


LONGEST_NAME = 500  # characters


@dataclass(frozen=True)
class Studio:
    """One studio. `folder` and `cache` are absolute."""

    folder: Path
    """Runs are found under it, and new ones are made in it."""
    cache: Path
    """For uploads, records of started trainings and packed images."""
    remote: bool = False
    """Whether other machines reach it: then a source of images has to lie in one of `roots`."""
    roots: tuple[Path, ...] = ()

    @property
    def uploads(self) -> Path:
        """What browsers send, and images made for them. Nothing that comes from a browser is written elsewhere."""
        return self.cache / "studio" / "uploads"

    @property
    def jobs(self) -> Path:
        """Records and logs of the trainings that were started from a page."""
        return self.cache / "studio" / "jobs"

    def run(self, name: str | None) -> Path:
        """The folder of the run of this name, relative to `folder` with slashes. Raises RunError where there is none."""
        path = self.place(name)
        if not any((path / file).is_file() for file in ("recipe.yaml", "vitals.jsonl")):
            raise RunError(
                f"there is no run {name!r} in {self.folder}: it was moved or deleted; choose another on Runs"
            )
        return path

    def place(self, name: str | None) -> Path:
        """The folder that a run of this name has or would have. Raises RunError where the name leads out of `folder`."""
        if not name:
            raise RunError("no run is chosen: open one on the page Runs")
        parts = name.split("/")
        bad = any(part in ("", ".", "..") or any(ord(letter) < 32 for letter in part) for part in parts)
        if bad or len(name) > LONGEST_NAME or "\\" in name or PureWindowsPath(name).drive:
            raise RunError(f"{name[:60]!r} is not the name of a run: choose one on the page Runs")
        return self.folder.joinpath(*parts)

    def name_of(self, path: Path) -> str:
        """The name of the run in `path`, as in `?run=NAME`."""
        return PurePosixPath(path.relative_to(self.folder)).as_posix()

    def chosen(self, request: Any) -> str | None:
        """The name in `?run=NAME` of the page from which a Gradio request comes; not checked."""
        value = dict(request.query_params).get("run") if request is not None else None
        return str(value) if value else None

    def current(self, request: Any) -> Path:
        """The run of the page from which a Gradio request comes. Raises RunError where there is none."""
        return self.run(self.chosen(request))

    def source(self, text: str, what: str = "images") -> str:
        """A path or a data set's name as it was typed. Raises DataError where there is none, or `remote` forbids it."""
        text = text.strip()
        if not text or "\0" in text:
            raise DataError(f"no {what} named yet: drop a file or a folder, or type a path")
        if text == "-":
            raise DataError("- would read what is typed where the studio was started: name a file or a folder")
        path = home_expanded(Path(text))
        if not self.remote or not path.exists():
            return str(path) if text.startswith("~") else text
        real = path.resolve()
        if any(real.is_relative_to(root.resolve()) for root in (*self.roots, self.uploads)):
            return text
        raise DataError(
            f"{text} is outside the folders that a studio with --host reads ({', '.join(map(str, self.roots))}): upload it, or "
            "start the studio from a folder that holds it"
        )
