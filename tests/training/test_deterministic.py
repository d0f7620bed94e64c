"""Under --deterministic no operation is used that has no deterministic CUDA kernel: PyTorch would end the run there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import ganglion
from ganglion.platform.numerics import training_numerics
from tiny import TINY

REFUSED = {
    "_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "avg_pool3d_backward", "grid_sampler_2d_backward", "histc",
    "kthvalue", "max_unpool2d", "nll_loss2d", "put_", "reflection_pad2d_backward", "upsample_bicubic2d_backward",
}  # fmt: skip
"""By the documentation of torch.use_deterministic_algorithms; `interpolate` goes round its bilinear kernel by itself."""
IF_FLOATING = {"bincount", "cumsum"}
"""Those of floating point numbers (of bincount, the weights) are refused."""

RECIPES: dict[str, dict[str, object]] = {
    "dcgan": {"augment.kind": "ada", "augment.target": -0.5, "augment.speed_kimg": 0.02},
    "r3gan": {"generator.group": 4, "discriminator.group": 4},
}


class Used(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        floating = any(isinstance(one, torch.Tensor) and one.is_floating_point() for one in args)
        if name in REFUSED or (name in IF_FLOATING and floating):
            self.names.add(name)
        return func(*args, **(kwargs or {}))


def used(recipe: str, folder: Path, cache: Path, deterministic: bool) -> set[str]:
    """Of a run with records, samples and checkpoints."""
    with Used() as mode, training_numerics(torch.device("cuda"), deterministic):
        ganglion.train(
            "digits", recipe=recipe, size=16, steps=6, run=folder, precision="32", device="cpu", cache=cache, quiet=True,
            set=TINY | RECIPES[recipe], at_end=lambda run: None,
        )  # fmt: skip
    return mode.names


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_deterministic_run_uses_none_of_them(recipe: str, tmp_path: Path, cache: Path) -> None:
    assert used(recipe, tmp_path / "run", cache, deterministic=True) == set()


def test_another_run_uses_some_and_is_seen_to(tmp_path: Path, cache: Path) -> None:
    assert used("dcgan", tmp_path / "run", cache, deterministic=False) == {"grid_sampler_2d_backward", "histc"}
