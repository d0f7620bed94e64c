"""The run folder: its paths, locking, and the comparison of recipes for resuming."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ganglion.data.given import cannot_be_named
from ganglion.errors import GanglionError, RecipeError, RunError, StorageError
from ganglion.platform.files import intended_name, move, storage_errors, write_atomically
from ganglion.platform.process_identity import Identity, living
from ganglion.recipe.resolve import flatten, recipe_text, resolve
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.runs.checkpoints import find_checkpoint, named_checkpoint, steps_saved
from ganglion.vitals.records import Record, read_records

__all__ = ["Run", "changes", "default_run", "difference", "is_locked", "locked", "named_process", "set_aside"]


OWN_FILES = {
    ".lock",
    "recipe.yaml",
    "environment.json",
    "networks.py",
    "attributes.npy",
    "start.json",
    "treatments.jsonl",
    "attempts",
    "vitals.jsonl",
    "findings.jsonl",
    "checkpoints",
    "samples",
    "tensorboard",
    "report.html",
    "evaluation.json",
    "trackers.json",
}
LOCK_SEC = 0.3  # `is_locked` holds a lock for less
NOT_PIXELS = {"name", "data.source", "data.data_dir", "data.labels"}
"""Names: the content of images and labels is compared instead."""


class Run:
    """A run folder, of a finished or unfinished run; it can be used as a path. Reading does not change it."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        from ganglion.runs.shown import run_html

        return run_html(self)

    @property
    def recipe_path(self) -> Path:
        """`recipe.yaml`, every value resolved."""
        return self.path / "recipe.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder with a folder for each checkpoint."""
        return self.path / "checkpoints"

    @property
    def networks_path(self) -> Path:
        """The file of networks that it was trained with, if it was one."""
        return self.path / "networks.py"

    @property
    def attributes_path(self) -> Path:
        """The values of the columns that the run is conditioned on, of training images, if there are such columns."""
        return self.path / "attributes.npy"

    @property
    def evaluation_path(self) -> Path:
        """The scores that `ganglion evaluate` has measured, if it has."""
        return self.path / "evaluation.json"

    @property
    def fixed_samples(self) -> Path:
        """Sheets `STEP.png` of the same latents at every snapshot."""
        return self.path / "samples" / "fixed"

    @property
    def fresh_samples(self) -> Path:
        """Sheets `STEP.png` of new latents at every snapshot."""
        return self.path / "samples" / "fresh"

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run: one has a `recipe.yaml`."""
        return self.recipe_path.is_file()

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe. Raises RunError where the folder is not a run."""
        if not self.exists:
            raise RunError(f"{self.path} is not a run: it has no recipe.yaml")
        try:
            return resolve(self.recipe_path)
        except RecipeError as error:
            raise RunError(f"{self.recipe_path} cannot be used: {error}") from None

    def training_rows(self) -> NDArray[np.float32]:
        """The attributes (M, A) of training images, for a run that is conditioned on some. Raises RunError."""
        count = len(self.recipe.data.conditions)
        try:
            rows: NDArray[np.float32] = np.load(self.attributes_path, allow_pickle=False)
            if rows.ndim != 2 or rows.shape[1] != count or not len(rows) or rows.dtype != np.float32:
                raise ValueError(f"it holds {rows.dtype} {rows.shape}, and the run has {count} attributes")
        except (OSError, ValueError, EOFError) as error:
            raise RunError(
                f"{self.attributes_path} cannot be read ({error}); samples need it: copy it from the run"
            ) from None
        return rows

    def records(self) -> list[Record]:
        """The vitals, oldest first."""
        return read_records(self.path / "vitals.jsonl")

    def steps_saved(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        return steps_saved(self.checkpoints)

    @property
    def best_step(self) -> int | None:
        """The step of the best checkpoint; None where there is none yet."""
        try:
            return int(named_checkpoint(self.checkpoints, "best").name)
        except (GanglionError, OSError, ValueError):
            return None

    def best_of(self, records: Sequence[Record]) -> Record:
        """The record of the best checkpoint, which holds its scores; empty where there is none."""
        step = self.best_step
        return next((record for record in reversed(records) if record.get("step") == step), {})

    def checkpoint(self, which: str | int = "best") -> Path:
        """The folder of checkpoint `best`, `latest` or a step. Raises RunError, CheckpointError."""
        if not self.exists:
            raise RunError(f"{self.path} is not a run: it has no recipe.yaml")
        return find_checkpoint(self.checkpoints, which)

    def begin(
        self,
        recipe: Recipe,
        environment: dict[str, Any],
        networks: bytes = b"",
        rows: NDArray[np.float32] | None = None,
    ) -> None:
        """Writes recipe, environment, the content of the file of networks, and the attributes of training images (M, A).

        Raises StorageError.
        """
        if rows is not None:
            file = io.BytesIO()
            np.save(file, rows, allow_pickle=False)
            write_atomically(self.attributes_path, file.getvalue())
        if networks:
            write_atomically(self.networks_path, networks)
        write_atomically(self.path / "environment.json", json.dumps(environment, indent=1).encode())
        write_atomically(self.recipe_path, recipe_text(recipe).encode())

    def note_environment(self, **facts: Any) -> None:
        """Adds to environment.json what is known only once the training has started. Raises StorageError."""
        path = self.path / "environment.json"
        write_atomically(path, json.dumps(self.environment() | facts, indent=1).encode())

    def environment(self) -> dict[str, Any]:
        """What environment.json tells: versions, device, seed, command; empty where it cannot be read."""
        try:
            known = json.loads((self.path / "environment.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def default_run(recipe: Recipe) -> Path:
    """`runs/SOURCE-RECIPE-SIZE`, and the run that it starts from if any, so that the same command finds its run again."""
    name = str(recipe.data.source)
    name = name.partition(" ")[0] if cannot_be_named(name) else name
    place = Path(name.replace(":", "-"))
    last = place.resolve().name if place.name in ("", "..") else place.name  # of `.` and `..` that of the folder meant
    source = last.split(".")[0] or "images"
    size = size_text(recipe.data.size) if recipe.data.size else "auto"
    origin = recipe.training.start_from
    return Path("runs") / f"{source}-{recipe.name}-{size}{f'-from-{_last_name(origin)}' if origin else ''}"


def _last_name(origin: str) -> str:
    """`RUN:CHECKPOINT` as a part of a folder's name."""
    return Path(origin.replace(":", "-")).resolve().name


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Locks the folder against a second training; a killed process releases its lock. Raises RunError, StorageError."""
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file; a run needs a folder: choose another --run")
    names = {p.name for p in path.iterdir()} if path.is_dir() and not (path / "recipe.yaml").exists() else set()
    if foreign := {name for name in names if intended_name(name) not in OWN_FILES}:
        raise RunError(
            f"{path} contains other files ({', '.join(sorted(foreign)[:3])}): choose a new folder with --run"
        )
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock", timeout=LOCK_SEC)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(f"another training is running in {path}: wait for it, or choose another --run") from None
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a training is running in the folder, in this process or another; it is the lock itself that is tried."""
    if not (path / ".lock").is_file():
        return False
    lock = FileLock(path / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # another user's, or on a disk that cannot be written
        return living(named_process(path)) is not None
    lock.release()
    return False


def named_process(path: Path) -> Identity | None:
    """The process that last began or resumed the run; None where that is not known."""
    found: Identity | None = Run(path).environment().get("process")
    return found


def set_aside(path: Path, move: Callable[[Path, Path], None] = move) -> Path | None:
    """Moves the contents of a run folder to a sibling folder before a fresh run; returns that folder.

    Raises StorageError where a file cannot be moved (on Windows: while a program has it open); then nothing is moved.
    """
    held = [child for child in path.iterdir() if child.name != ".lock"]
    held.sort(key=lambda child: child.name == "recipe.yaml")  # last: until then the folder is that run
    if not held:
        return None
    number = next(n for n in range(1, 10**6) if not path.with_name(f"{path.name}.old-{n}").exists())
    aside = path.with_name(f"{path.name}.old-{number}")
    with storage_errors(aside):
        aside.mkdir()
    for child in held:
        try:
            move(child, aside / child.name)
        except OSError as error:
            for moved in list(aside.iterdir()):
                move(moved, path / moved.name)
            aside.rmdir()
            raise StorageError(
                f"{child} cannot be moved ({error.strerror}): close the program that has it open, such as TensorBoard, "
                "and run the same command again; or choose another --run"
            ) from error
    return aside


def changes(before: Recipe, after: Recipe) -> list[tuple[str, str, str]]:
    """Every key whose value differs, with both values as YAML."""
    old, new = flatten(before), flatten(after)
    keys = list(dict.fromkeys([*new, *old]))
    return [(key, _shown(old.get(key)), _shown(new.get(key))) for key in keys if old.get(key) != new.get(key)]


def difference(before: Recipe, after: Recipe) -> list[str]:
    """The changes in `after`, one line each, without names of the images and keys that `after` does not have."""
    keys = flatten(after)
    return [
        f"{key}: {old} -> {new}" for key, old, new in changes(before, after) if key in keys and key not in NOT_PIXELS
    ]


def _shown(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...").strip()
