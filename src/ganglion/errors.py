"""Every error that a person's input, machine or images can cause. Programming mistakes raise Python's own errors.

    GanglionError
    ├── RecipeError       a recipe, a preset's name, an override
    ├── DataError         the source of images, or what is in it
    ├── RunError          the run folder: locked, foreign, made with another recipe
    │   └── CheckpointError   no checkpoint that can be read
    ├── DeviceError       the device or the precision asked for is not there
    ├── StorageError      the disk is full or cannot be written
    ├── TrainingFailed    training went wrong beyond repair, for example non-finite weights
    └── Interrupted       not a failure: training was asked to stop, and has saved everything

Each message says what was expected, what came, and what to do, in one or two lines.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DataError",
    "DeviceError",
    "GanglionError",
    "Interrupted",
    "RecipeError",
    "RunError",
    "StorageError",
    "TrainingFailed",
]


class GanglionError(Exception):
    """The root. `exit_code` is what the command line returns for it."""

    exit_code = 1


class RecipeError(GanglionError):
    """A recipe cannot be resolved."""


class DataError(GanglionError):
    """The images cannot be used."""


class RunError(GanglionError):
    """The run folder cannot be used."""


class CheckpointError(RunError):
    """No checkpoint in the run folder can be read."""


class DeviceError(GanglionError):
    """The machine lacks what was asked for."""


class StorageError(GanglionError):
    """Nothing can be written where it has to be."""


class TrainingFailed(GanglionError):  # noqa: N818 (it names an outcome, and the contract gives it an exit code of its own)
    """Training ended in a state from which no generator can come."""

    exit_code = 3


class Interrupted(GanglionError):  # noqa: N818 (as above)
    """Training was asked to stop and has saved everything; the same command goes on."""

    exit_code = 130
