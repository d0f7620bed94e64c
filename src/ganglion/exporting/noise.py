"""Silence for libraries that report on themselves while they convert a network."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

__all__ = ["quiet"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While it lasts, warnings, log records and prints of the converters are dropped; errors are raised as ever.

    They say which optional packages are missing and which of their functions are deprecated, which is nothing that a user
    of ours can act on.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
