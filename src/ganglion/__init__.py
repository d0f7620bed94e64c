"""Ganglion trains generative adversarial networks and diagnoses training runs that fail.

The public names are loaded when first used, so that `import ganglion` is quick and pulls in neither torch nor extras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganglion.api import train
    from ganglion.doctor.diagnose import diagnose
    from ganglion.doctor.verdict import Finding, Verdict
    from ganglion.errors import (
        CheckpointError,
        DataError,
        DeviceError,
        ExportError,
        GanglionError,
        HubError,
        Interrupted,
        RecipeError,
        RunError,
        StorageError,
        TrainingFailed,
    )
    from ganglion.evaluation.evaluate import evaluate
    from ganglion.exporting.export import Exported, export
    from ganglion.latent.model import Model, load, model_of
    from ganglion.metrics.evaluation import Evaluation
    from ganglion.objectives.adversarial import AdversarialLoss
    from ganglion.recipe.schema import Recipe
    from ganglion.report.compare import Comparison, compare
    from ganglion.report.report import write_report
    from ganglion.report.timeline import write_timeline
    from ganglion.runs.folder import Run
    from ganglion.sharing.push import Push, push
    from ganglion.studio.server import studio
    from ganglion.watching.monitor import Monitor, watch

    __version__: str

__all__ = [
    "AdversarialLoss",
    "CheckpointError",
    "Comparison",
    "DataError",
    "DeviceError",
    "Evaluation",
    "ExportError",
    "Exported",
    "Finding",
    "GanglionError",
    "HubError",
    "Interrupted",
    "Model",
    "Monitor",
    "Push",
    "Recipe",
    "RecipeError",
    "Run",
    "RunError",
    "StorageError",
    "TrainingFailed",
    "Verdict",
    "__version__",
    "compare",
    "diagnose",
    "evaluate",
    "export",
    "load",
    "model_of",
    "push",
    "studio",
    "train",
    "watch",
    "write_report",
    "write_timeline",
]

_HOMES = {
    "AdversarialLoss": "objectives.adversarial",
    "Comparison": "report.compare",
    "Evaluation": "metrics.evaluation",
    "Exported": "exporting.export",
    "Finding": "doctor.verdict",
    "Model": "latent.model",
    "Monitor": "watching.monitor",
    "Push": "sharing.push",
    "Recipe": "recipe.schema",
    "Run": "runs.folder",
    "Verdict": "doctor.verdict",
    "compare": "report.compare",
    "diagnose": "doctor.diagnose",
    "evaluate": "evaluation.evaluate",
    "export": "exporting.export",
    "load": "latent.model",
    "model_of": "latent.model",
    "push": "sharing.push",
    "studio": "studio.server",
    "train": "api",
    "watch": "watching.monitor",
    "write_report": "report.report",
    "write_timeline": "report.timeline",
}


if not TYPE_CHECKING:  # a checker that saw it would take any misspelt name for Any

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return import_module("importlib.metadata").version("ganglion")
        if name == "lightning":  # a package of its own, which imports PyTorch Lightning
            return import_module("ganglion.lightning")
        if name not in __all__:
            raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
        return getattr(import_module(f"ganglion.{_HOMES.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return __all__
