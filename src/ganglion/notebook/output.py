"""Whether this is a notebook, and an output of its cell that is replaced instead of being added to.

IPython is there in every notebook; elsewhere it is not imported. No widgets are needed.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Output", "in_notebook"]


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this program: Jupyter, Colab, VS Code and others. IPython in a terminal is none."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


class Output:
    """One output of the cell that is running; nothing is shown before the first `show`."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, plain: str) -> None:
        """Shows the HTML in the place of what was shown before; front ends without HTML show the plain text."""
        from IPython.display import display

        bundle = {"text/html": html, "text/plain": plain}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
