"""What a run folder holds that a tracker has not been given: of a session before the tracker was named, or while it failed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ganglion.recipe.schema import Recipe
from ganglion.runs.folder import Run
from ganglion.trackers.content import RunFacts
from ganglion.vitals.records import Record, is_step, read_lines

__all__ = ["Past", "best_checkpoint", "facts_of", "past"]

ORDER = {"sheet": 0, "finding": 1, "record": 2}
"""Of one step: the record comes last, as in the training."""
OF_THE_MACHINE = ("ganglion", "python", "platform", "device", "devices", "nodes", "torch_threads", "cuda_devices")
OF_A_RUN = ("recipe.yaml", "environment.json", "networks.py", "attributes.npy", "start.json")


def facts_of(recipe: Recipe, run: Run) -> RunFacts:
    """The run's name, its recipe, and of environment.json what makes runs comparable."""
    known = run.environment()
    machine = {key: known[key] for key in OF_THE_MACHINE if key in known}
    machine |= {"torch": known["packages"]["torch"]} if "packages" in known else {}
    return RunFacts(
        run.path.resolve().name, recipe.model_dump(mode="json") | {"environment": machine}, {"recipe": recipe.name}
    )


class Past(NamedTuple):
    """One thing of the past."""

    step: int
    kind: Literal["sheet", "finding", "record"]
    content: Any
    """(name, path) of a sheet; a line of findings.jsonl; a record."""


def past(folder: Path, after: int, until: int) -> list[Past]:
    """Everything with after < step <= until, and all findings up to `until`, oldest first. `after` -1: from the beginning."""
    found = [
        Past(step, "sheet", (f"samples/{kind}", path))
        for kind in ("fixed", "fresh")
        for path in (folder / "samples" / kind).glob("*.png")
        if path.stem.isdecimal() and after < (step := int(path.stem)) <= until
    ]
    found += [Past(line["step"], "finding", line) for line in _lines(folder / "findings.jsonl", -1, until)]
    found += [Past(line["step"], "record", line) for line in _lines(folder / "vitals.jsonl", after, until)]
    return sorted(found, key=lambda one: (one.step, ORDER[one.kind]))


def _lines(path: Path, after: int, until: int) -> list[Record]:
    return [line for line in read_lines(path) if is_step(line.get("step")) and after < line["step"] <= until]


@contextmanager
def best_checkpoint(run: Run) -> Iterator[Path]:
    """A folder with the run's recipe and its best checkpoint alone, which `ganglion.load` and `--from` read as a run."""
    checkpoint = run.checkpoint("best")
    with tempfile.TemporaryDirectory(prefix="ganglion-") as temporary:
        folder = Path(temporary)
        for name in OF_A_RUN:
            if (run.path / name).is_file():
                shutil.copy(run.path / name, folder / name)
        shutil.copytree(checkpoint, folder / "checkpoints" / checkpoint.name)
        for pointer in ("best", "latest"):
            (folder / "checkpoints" / pointer).write_text(f"{checkpoint.name}\n", encoding="utf-8")
        yield folder
