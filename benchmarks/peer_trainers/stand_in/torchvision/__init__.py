"""A stand-in for the few functions of torchvision that other packages call while they train; not torchvision.

There is no CPU build of torchvision beside the torch that we pin. This folder is on a peer's `sys.path` and nobody else's.
"""

from torchvision import datasets, transforms, utils

__all__ = ["datasets", "transforms", "utils"]
__version__ = "0.0.0"
