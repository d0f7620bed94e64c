"""Lightning Fabric, imported without torchmetrics, which it imports only to read its version: half of the time of a start.

Importing this file imports Fabric; `ganglion.training` does so before its own files. Torchmetrics itself, and what it brings
along (SciPy's signal processing, transformers), is loaded only by what computes with it. Where a program has imported Fabric
or torchmetrics before, nothing is to be gained and nothing is done.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version


def _import_fabric() -> None:
    """Fabric then has the version from the package's metadata, for programs that go on to use it."""
    if "torchmetrics" in sys.modules or "lightning_fabric" in sys.modules:
        return
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # an import of it raises ImportError meanwhile
    try:
        from lightning_fabric.utilities import imports
    finally:
        del sys.modules["torchmetrics"]
    try:
        major = int(version("torchmetrics").partition(".")[0])
    except (PackageNotFoundError, ValueError):
        return
    vars(imports)["_TORCHMETRICS_GREATER_EQUAL_1_0_0"] = major >= 1


_import_fabric()
