"""SqueezeNet's ImageNet weights: from the installed package ndf into the cache, checked by hash at each step.

The package has them as a pickle, which can execute code when it is read; only NumPy arrays are read from it, and the package
itself is never imported.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganglion.errors import DataError, StorageError
from ganglion.platform.files import cache_folder, write_atomically

__all__ = ["ArrayUnpickler", "find_weights", "pretrained_weights"]


PACKAGE, VERSION = "ndf", "0.1.4"
FILE = "example_models/weights/squeezenet_weights.pkl"
FILE_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
WEIGHTS_SHA256 = "ce7f0e085a1997c1aca772f46ba2bb8acfb285bbe3eb0f8243da612f2ecf60fe"
CACHED = "squeezenet-1.1.safetensors"
INSTALL = 'pip install "ganglion[eye]"'


def pretrained_weights(
    cache: Path | None = None, package: str = PACKAGE, sha256: tuple[str, str] = (FILE_SHA256, WEIGHTS_SHA256)
) -> dict[str, Tensor]:
    """Weights by LAYER.weight, (out, in, side, side) for red, green, blue, and LAYER.bias, (out,); float32.

    From `cache` (by default the user's cache folder), or from `package`, converted once. `sha256`: of the package's file, and
    of the weights. Raises DataError where the package is missing or its file is another.
    """
    path = (cache or cache_folder()) / "extractors" / CACHED
    kept = _read_kept(path)
    if kept is not None and _digest(kept) == sha256[1]:
        return kept
    weights = _converted(_content(package, sha256[0]))
    if _digest(weights) != sha256[1]:
        raise DataError(f"SqueezeNet's weights in the package {package} are not those that were expected: {INSTALL}")
    with suppress(StorageError):  # a cache that cannot be written
        write_atomically(path, save(weights))
    return weights


def find_weights(package: str = PACKAGE) -> Path | None:
    """The file in the installed package; None where it is not installed."""
    found = find_spec(package)
    places = [Path(folder) / FILE for folder in (found and found.submodule_search_locations) or ()]
    return next((path for path in places if path.is_file()), None)


class ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays, and lists, tuples and dicts of them. Anything else is not executed and raises UnpicklingError."""

    KNOWN: Mapping[tuple[str, str], Any] = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # its name since NumPy 2
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a NumPy array")
        return self.KNOWN[module, name]


def _read_kept(path: Path) -> dict[str, Tensor] | None:
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError, ValueError):
        return None


def _content(package: str, sha256: str) -> bytes:
    path = find_weights(package)
    if path is None:
        raise DataError(
            f"SqueezeNet's ImageNet weights are in the package {package}, which is not installed: {INSTALL}"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): reinstall {package}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} has SHA-256 {found[:12]}..., not {sha256[:12]}...: it is not that of {package} {VERSION} and was not "
            f"read; reinstall with {INSTALL}"
        )
    return content


def _converted(content: bytes) -> dict[str, Tensor]:
    """From {LAYER: [kernel (H, W, in, out), bias (out,)]}, with the first layer's input as blue, green, red."""
    layers: dict[str, list[NDArray[np.float32]]] = ArrayUnpickler(io.BytesIO(content)).load()
    weights: dict[str, Tensor] = {}
    for name, (kernel, bias) in sorted(layers.items()):
        there = kernel[:, :, ::-1] if name == "conv1" else kernel  # (H, W, in, out)
        weights[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(there.transpose(3, 2, 0, 1), np.float32))
        weights[f"{name}.bias"] = torch.from_numpy(np.ascontiguousarray(bias, np.float32))
    return weights


def _digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes and values, in the order of the names."""
    key = hashlib.sha256()
    for name in sorted(weights):
        key.update(f"{name} {tuple(weights[name].shape)}".encode())
        key.update(weights[name].numpy().tobytes())
    return key.hexdigest()
