"""Training: preparing a run, the loop, both phases of a step, snapshots."""

import sys
from importlib.metadata import PackageNotFoundError, version


def _import_fabric() -> None:
    """Lightning Fabric without torchmetrics, which it imports only to read its version: half of the time of a start.

    Fabric then has the same answer from the package's metadata, for programs that go on to use it.
    """
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
