"""Weights & Biases and Trackio: Trackio speaks wandb's calls, so that one class serves both; how a run is opened differs."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ganglion.runs.events import Outcome
from ganglion.trackers.content import Finding, RunFacts
from ganglion.trackers.feed import first_sentence

__all__ = ["RunTracker", "active_run"]

PROJECT = "ganglion"
"""Where neither the environment nor the tracker's settings name one."""
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")
COLUMNS = ("finding", "severity", "since step", "why", "what to do")


def active_run(name: str) -> Any | None:
    """The run that the caller's own code has begun in this thread, if any; the package is not imported for it."""
    module = sys.modules.get(name)
    if module is None:
        return None
    return module.run if name == "wandb" else module.context_vars.current_run.get()


class RunTracker:
    """A run of either. It goes on with the caller's own run where there is one, which it leaves open at the end."""

    def __init__(self, name: str, beside: bool = False) -> None:
        """`beside`: the caller's code logs to the same run too, so that names get a prefix, and rows are the caller's."""
        self._name, self._beside = name, beside
        self._foreign = active_run(name)
        self._module: Any = None
        self._run: Any = None
        self._title = ""

    def start(self, facts: RunFacts, known: dict[str, Any]) -> str:
        self._module, self._title = import_module(self._name), facts.name
        if self._foreign is not None:
            self._run = self._foreign
            return f"in your run {self._run.name}"
        open_run = _open_wandb if self._name == "wandb" else _open_trackio
        self._run, where = open_run(self._module, facts, known)
        known["id"] = self._run.id
        return where

    def record(self, metrics: Mapping[str, float], step: int) -> None:
        self._log(dict(metrics), step)

    def sheet(self, name: str, path: Path, step: int) -> None:
        self._log({name: self._module.Image(str(path), caption=f"step {step:,}")}, step)

    def finding(self, event: Finding, still: Sequence[Finding], step: int) -> None:
        rows = [[one["code"], one["severity"], one["since_step"], one["why"], _remedies(one)] for one in still]
        self._log({"verdict/findings_table": self._module.Table(columns=list(COLUMNS), data=rows)}, step)
        raised, levels = event["event"] == "raised", self._module.AlertLevel
        severe = levels.ERROR if event["severity"] == "failing" else levels.WARN
        self._run.alert(
            title=f"{event['code']} ({event['severity'] if raised else 'cleared'})",
            text=f"{event['why']} What to do: {_remedies(event)}" if raised else f"Cleared at step {step:,}",
            level=severe if raised else levels.INFO,
        )

    def verdict(self, label: str) -> None:
        if self._name == "wandb":
            self._run.summary["verdict"] = label

    def checkpoint(self, folder: Path) -> None:
        artifact = self._module.Artifact(name=NOT_IN_A_NAME.sub("-", f"{self._title}-best"), type="model")
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            artifact.add_file(str(path), name=path.relative_to(folder).as_posix())
        self._run.log_artifact(artifact)

    def finish(self, outcome: Outcome, summary: Mapping[str, float | str]) -> None:
        numbers = {key: value for key, value in summary.items() if not isinstance(value, str)}
        if self._name == "wandb":
            self._run.summary.update(dict(summary))
        elif numbers:
            self._run.log(numbers)
        if self._foreign is not None:
            return
        if self._name == "wandb":
            self._run.finish(exit_code=1 if outcome == "failed" else 0)
        else:
            self._run.finish()

    def _log(self, values: dict[str, Any], step: int) -> None:
        if self._beside and self._foreign is not None:
            values = {f"ganglion/{name}": value for name, value in values.items()}
            more: dict[str, Any] = {"commit": False} if self._name == "wandb" else {}
            self._run.log(values | {"ganglion/step": step}, **more)
        else:
            self._run.log(values, step=step)


def _open_wandb(wandb: Any, facts: RunFacts, known: dict[str, Any]) -> tuple[Any, str]:
    """Without an API key nobody is asked for one, and no run is lost to a server that does not answer: it is kept offline."""
    chosen, resumed = wandb.setup().settings, "id" in known
    if not os.environ.get("WANDB_RUN_ID"):
        known.setdefault("id", secrets.token_hex(4))
    known.setdefault("project", chosen.project or PROJECT)
    known.setdefault("entity", chosen.entity)
    settings = wandb.Settings(silent=True, console=os.environ.get("WANDB_CONSOLE", "off"))
    begin = partial(
        wandb.init, project=known["project"], entity=known["entity"], id=known.get("id"), resume="allow",
        name=None if chosen.run_name or resumed else facts.name, config=dict(facts.config), tags=list(facts.tags.values()),
        job_type="train", settings=settings,
    )  # fmt: skip
    why = ""
    if chosen.mode == "online":
        try:
            if wandb.login(prompt=False):
                run = begin(mode="online")
                return run, run.url
            why = "no API key (wandb login), so "
        except Exception as error:  # no network, or a server that refuses
            why = f"{first_sentence(error)}, so "
    run = begin(mode="offline" if chosen.mode == "online" else chosen.mode)
    if chosen.mode not in ("online", "offline"):
        return run, f"WANDB_MODE is {chosen.mode}, so nothing is kept"
    folder = Path(run.dir).parent
    return run, f"{why}{'it is kept ' if why else ''}offline; to send it: wandb sync {_short(folder)}"


def _short(folder: Path) -> str:
    """From the working directory, where it is inside."""
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)


def _open_trackio(trackio: Any, facts: RunFacts, known: dict[str, Any]) -> tuple[Any, str]:
    resumed = "name" in known
    known.setdefault("project", os.environ.get("TRACKIO_PROJECT") or PROJECT)
    known.setdefault("name", os.environ.get("TRACKIO_NAME") or f"{facts.name}-{secrets.token_hex(2)}")
    run = trackio.init(
        known["project"], known["name"], config=_flat(facts.config), resume="allow" if resumed else "never",
        embed=False,
    )  # fmt: skip
    trackio.context_vars.current_run.set(None)  # of this thread: at its end trackio would finish it once more
    return run, f"project {known['project']}, run {known['name']}; trackio show --project {known['project']} shows it"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """By dotted key: Trackio shows a table of them."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _remedies(finding: Finding) -> str:
    said = [
        f"{one['what']} ({how})" if (how := one["command"] or one["code"]) else one["what"]
        for one in finding["remedies"]
    ]
    return "; ".join(said) or str(finding["remedy"])
