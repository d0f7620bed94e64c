"""What a button on the page of a run does: stop, continue, a new run with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganglion.doctor.diagnose import diagnose
from ganglion.errors import RunError
from ganglion.studio.commands import continuing, free_name, with_remedy, working_folder
from ganglion.studio.details import remedies_of
from ganglion.studio.jobs import Jobs
from ganglion.studio.state import Studio

__all__ = ["act"]


def act(studio: Studio, jobs: Jobs, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Does `wanted["action"]` with the run `wanted["run"]`.

    Returns `said`, what happens in a few words, and `run`, the name of the run to show, where that is another one. Raises
    RunError, DataError, StorageError.
    """
    name, action = wanted.get("run"), wanted.get("action")
    path = studio.place(name if isinstance(name, str) else None)
    if action == "stop":
        jobs.stop(path)
        return {"said": "Stopping"}
    studio.run(name)
    if action == "continue":
        jobs.start(continuing(path), path, working_folder(path))
        return {"said": "Continuing"}
    if action == "remedy":
        return _start_with_remedy(studio, jobs, path, wanted)
    raise RunError(f"expected stop, continue or remedy; got {action!r}")


def _start_with_remedy(studio: Studio, jobs: Jobs, path: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A new run beside `path`, as the remedy of a finding says."""
    findings = {finding.code: finding for finding in diagnose(path).findings}
    finding = findings.get(str(wanted.get("finding")))
    index = wanted.get("remedy")
    if finding is None or not isinstance(index, int) or not 0 <= index < len(finding.remedies):
        raise RunError("the findings of this run have changed meanwhile: look at its verdict again")
    remedy = finding.remedies[index]
    if remedy not in remedies_of(finding):
        raise RunError(f"this remedy is no change of the recipe: {remedy.what}")
    new = path.with_name(free_name(path.name, path.parent, jobs.trains))
    jobs.start(with_remedy(remedy, new), new, working_folder(path))
    return {"said": "Started", "run": studio.name_of(new)}
