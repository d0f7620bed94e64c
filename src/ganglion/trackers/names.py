"""Which trackers there are, and what `--log` names. Nothing of a tracker is imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec

from ganglion.errors import RecipeError

__all__ = ["TRACKERS", "asked_trackers"]

TRACKERS = {"wandb": "Weights & Biases", "mlflow": "MLflow", "trackio": "Trackio"}
"""What each is called. The names are those of the package and of the extra that installs it."""


def asked_trackers(
    log: str | Iterable[str] | None, installed: Callable[[str], bool] = lambda name: find_spec(name) is not None
) -> tuple[str, ...]:
    """`wandb,mlflow` or a list of names, each once, in the order of TRACKERS.

    Raises RecipeError for a name that is not among them, and for a package that is not installed.
    """
    if log is None:
        return ()
    words = log.split(",") if isinstance(log, str) else list(log) if isinstance(log, Iterable) else [log]
    names = [str(word).strip().lower() for word in words]
    for name in names:
        if name not in TRACKERS:
            raise RecipeError(f"--log takes trackers, separated by commas: {', '.join(TRACKERS)}; got {name!r}")
    for name in names:
        if not installed(name):
            raise RecipeError(
                f"--log {name} needs {TRACKERS[name]}, which is not installed: pip install 'ganglion[{name}]'"
            )
    return tuple(name for name in TRACKERS if name in names)
