"""SqueezeNet's weights for tests: random ones in a package made on the spot, and whether the real ones are installed."""

from __future__ import annotations

import hashlib
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from ganglion.metrics import squeezenet_weights
from ganglion.metrics.squeezenet import FIRES

needs_weights = pytest.mark.skipif(
    squeezenet_weights.find_weights() is None, reason=f"needs the extra eye: {squeezenet_weights.INSTALL}"
)

Layers = dict[str, list[Any]]


def random_layers(seed: int = 0) -> Layers:
    """{layer: [kernel (H, W, in, out), bias (out,)]} as in the package, scaled so that activations neither grow nor vanish."""
    random = np.random.default_rng(seed)
    shapes = {"conv1": (3, 3, 3, 64), "conv10": (1, 1, 512, 1000)}
    for number, (before, within, after) in enumerate(FIRES, start=2):
        shapes[f"fire{number}/squeeze1x1"] = (1, 1, before, within)
        shapes[f"fire{number}/expand1x1"] = (1, 1, within, after // 2)
        shapes[f"fire{number}/expand3x3"] = (3, 3, within, after // 2)
    return {
        name: [
            (random.standard_normal(shape) * (2 / np.prod(shape[:3])) ** 0.5).astype(np.float32),
            (random.standard_normal(shape[3]) * 0.1).astype(np.float32),
        ]
        for name, shape in shapes.items()
    }


@cache
def random_weights() -> dict[str, Tensor]:
    """The same as they are read from the package."""
    return squeezenet_weights._converted(pickle.dumps(random_layers()))


def package(folder: Path, content: bytes | Layers, name: str = "likeness") -> str:
    """A package in `folder` with `content` as its weights; the hash of that file."""
    file = folder / name / squeezenet_weights.FILE
    file.parent.mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise AssertionError('the package is not imported')\n")
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=3)
    file.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
