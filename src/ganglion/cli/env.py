"""`ganglion env`: what this machine offers, and what is missing; for reports of problems too."""

from __future__ import annotations

import json
from typing import Annotated

import typer

__all__ = ["env"]


def env(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print versions, device, threads and what is missing."""
    from ganglion.data.prepare import cache_folder
    from ganglion.training.environment import describe_environment, missing_extras
    from ganglion.training.hardware import choose_device, choose_precision

    device = choose_device("auto")
    facts = describe_environment(device) | {
        "precision": choose_precision("auto", device),
        "cache": str(cache_folder()),
        "missing": missing_extras(),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    packages = facts.pop("packages")
    missing = facts.pop("missing")
    for name, value in {**facts, **packages}.items():
        typer.echo(f"{name:18} {_shown(value)}")
    typer.echo(f"{'missing':18} {'; '.join(f'{name} ({purpose})' for name, purpose in missing.items()) or 'nothing'}")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not found" if value is None else str(value)
