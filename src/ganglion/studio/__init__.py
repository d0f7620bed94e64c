"""`ganglion studio`: runs in the browser. `ganglion.studio` is this package and a function: the package can be called."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """As `ganglion.studio.server.studio`, which describes its arguments."""
        from ganglion.studio.server import studio

        return studio(*arguments, **keywords)


sys.modules[__name__].__class__ = _Callable
