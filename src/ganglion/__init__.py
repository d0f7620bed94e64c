"""Ganglion trains generative adversarial networks that converge, and says why when one does not.

The public names are loaded when first used, so that `import ganglion` is quick and pulls in neither torch nor extras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganglion.doctor.diagnose import diagnose
    from ganglion.doctor.verdict import Finding, Verdict
    from ganglion.errors import (
        CheckpointError,
        DataError,
        DeviceError,
        GanglionError,
        Interrupted,
        RecipeError,
        RunError,
        StorageError,
        TrainingFailed,
    )
    from ganglion.latent.model import Model, load, model_of
    from ganglion.metrics.evaluation import Evaluation
    from ganglion.recipe.schema import Recipe
    from ganglion.report.evaluate import evaluate
    from ganglion.training.run import Run
    from ganglion.training.train import train
    from ganglion.watching.monitor import Monitor, watch

__all__ = [
    "CheckpointError",
    "DataError",
    "DeviceError",
    "Evaluation",
    "Finding",
    "GanglionError",
    "Interrupted",
    "Model",
    "Monitor",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "StorageError",
    "TrainingFailed",
    "Verdict",
    "__version__",
    "diagnose",
    "evaluate",
    "load",
    "model_of",
    "train",
    "watch",
]

_HOMES = {
    "Evaluation": "metrics.evaluation",
    "Finding": "doctor.verdict",
    "Model": "latent.model",
    "Monitor": "watching.monitor",
    "Recipe": "recipe.schema",
    "Run": "training.run",
    "Verdict": "doctor.verdict",
    "diagnose": "doctor.diagnose",
    "evaluate": "report.evaluate",
    "load": "latent.model",
    "model_of": "latent.model",
    "train": "training.train",
    "watch": "watching.monitor",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("ganglion")
    if name not in __all__:
        raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
    return getattr(import_module(f"ganglion.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
