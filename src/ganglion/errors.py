"""Every error that input, machine or images can cause. Programming mistakes raise Python's own errors.

    GanglionError
    ├── RecipeError       a recipe, a preset's name, an override
    ├── DataError         the source of images, or what is in it
    ├── RunError          the run folder: locked, foreign, made with another recipe
    │   └── CheckpointError   no readable checkpoint
    ├── HubError          a model on the Hugging Face Hub: not there, not allowed, not reached
    ├── DeviceError       the requested device or precision is not available
    ├── ExportError       a network cannot be written in a format, or a file would not compute the same
    ├── StorageError      the disk is full or cannot be written
    ├── TrainingFailed    training failed irrecoverably, for example with non-finite weights
    └── Interrupted       not a failure: training was interrupted; the message says what is saved

Each message states what was expected, what was found, and what to do, in one or two lines.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DataError",
    "DeviceError",
    "ExportError",
    "GanglionError",
    "HubError",
    "Interrupted",
    "RecipeError",
    "RunError",
    "StorageError",
    "TrainingFailed",
]


class GanglionError(Exception):
    """The root. `exit_code` is the exit code of the command line."""

    exit_code = 1
    told = False
    """Whether another process of the same run says it; then this one ends without a word."""
    alone = False
    """Whether the other processes of the run, if there are any, do not know of it."""


class RecipeError(GanglionError):
    """A recipe cannot be resolved."""


class DataError(GanglionError):
    """The images cannot be used."""


class RunError(GanglionError):
    """The run folder cannot be used."""


class CheckpointError(RunError):
    """No checkpoint in the run folder can be read."""


class HubError(GanglionError):
    """A model on the Hugging Face Hub cannot be loaded or sent."""


class DeviceError(GanglionError):
    """The requested device is not available."""


class ExportError(GanglionError):
    """A trained generator cannot be exported as asked."""


class StorageError(GanglionError):
    """A file or folder cannot be written."""


class TrainingFailed(GanglionError):  # noqa: N818 (an outcome with its own exit code)
    """Training ended without a usable generator."""

    exit_code = 3


class Interrupted(GanglionError):  # noqa: N818 (as above)
    """Training was interrupted; the message says what is saved. The same command resumes it."""

    exit_code = 130
