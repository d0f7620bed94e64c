"""MLflow, through its client: nothing of the calling program's own active run, thread or experiment is touched."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganglion.runs.events import Outcome
from ganglion.trackers.content import Finding, RunFacts, findings_markdown

__all__ = ["MlflowTracker"]

EXPERIMENT = "ganglion"
"""Where the environment names none."""
LONGEST_VALUE = 500
"""Characters of a parameter that every store takes."""
PARAMETERS_AT_ONCE = 100
SOURCE = {"mlflow.source.name": "ganglion", "mlflow.source.type": "LOCAL"}
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a run's description."""
STATUS = {"finished": "FINISHED", "stopped": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MlflowTracker:
    """A run of MLflow. It goes on with the caller's active run where there is one, which it leaves running at the end."""

    def __init__(self, beside: bool = False) -> None:
        """`beside`: the caller's code logs to the same run too, so that names get a prefix."""
        module = sys.modules.get("mlflow")
        active = module.active_run() if module is not None else None
        self._foreign: str | None = active.info.run_id if active else None
        self._prefix = "ganglion/" if beside and active else ""
        self._client: Any = None
        self._id = self._note = ""

    def start(self, facts: RunFacts, known: dict[str, Any]) -> str:
        import mlflow

        self._client = mlflow.MlflowClient()
        given = self._foreign or known.get("run_id") or os.environ.get("MLFLOW_RUN_ID")
        if given:
            self._id = given
            self._client.update_run(self._id, status="RUNNING")
        else:
            run = self._client.create_run(self._experiment(), run_name=facts.name, tags={**SOURCE, **facts.tags})
            self._id = run.info.run_id
        known["run_id"] = self._id
        if not self._foreign and not known.get("has_parameters"):  # they cannot be changed later
            self._parameters(facts.config)
            known["has_parameters"] = True
        experiment, place = self._client.get_run(self._id).info.experiment_id, mlflow.get_tracking_uri()
        if place.startswith("http"):
            return f"{place}/#/experiments/{experiment}/runs/{self._id}"
        return f"run {self._id} in {place}; mlflow ui --backend-store-uri {place} shows it"

    def record(self, metrics: Mapping[str, float], step: int) -> None:
        self._metrics(metrics, step)

    def sheet(self, name: str, path: Path, step: int) -> None:
        from PIL import Image

        from ganglion.pictures.sheets import over_white

        with Image.open(path) as image:
            self._client.log_image(self._id, over_white(image), key=f"{self._prefix}{name}", step=step)

    def finding(self, event: Finding, still: Sequence[Finding], step: int) -> None:  # noqa: ARG002 (Tracker's)
        codes = ", ".join(f"{one['code']} ({one['severity']})" for one in still)
        self._client.set_tag(self._id, "findings", codes or "none")
        self._describe(still)

    def verdict(self, label: str) -> None:
        self._client.set_tag(self._id, "verdict", label)

    def checkpoint(self, folder: Path) -> None:
        self._client.log_artifacts(self._id, str(folder), "checkpoint")

    def finish(self, outcome: Outcome, summary: Mapping[str, float | str]) -> None:
        self._metrics({key: value for key, value in summary.items() if not isinstance(value, str)}, 0)
        if not self._foreign:
            self._client.set_terminated(self._id, STATUS[outcome])

    def _experiment(self) -> str:
        if known := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _parameters(self, config: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        flat = [Param(key, text[:LONGEST_VALUE]) for key, text in _flat(config)]
        for first in range(0, len(flat), PARAMETERS_AT_ONCE):
            self._client.log_batch(self._id, params=flat[first : first + PARAMETERS_AT_ONCE])

    def _metrics(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(f"{self._prefix}{name}", value, now, step) for name, value in metrics.items()]
        self._client.log_batch(self._id, metrics=found)

    def _describe(self, still: Sequence[Finding]) -> None:
        """The run's description, unless somebody has written one."""
        present = self._client.get_run(self._id).data.tags.get(NOTE, "")
        if present == self._note or present.startswith("**Findings: "):
            self._note = findings_markdown(still)
            self._client.set_tag(self._id, NOTE, self._note)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", str(value))]
    return found
