"""Trains some steps on a device that is not there: tensors have a device and a shape, and no values.

    python fake_device.py CACHE RECIPE ...   prints, for each, the steps that needed no value of a tensor, or the error

PyTorch without CUDA refuses gradients of fake CUDA tensors, so the device is PyTorch's place for devices of others
(PrivateUse1), which Ganglion treats as it treats CUDA: numbers of a step as tensors, latents and dice drawn there. An operation
on tensors of two devices is an error, and so is asking for a value: the end of the last step, which makes a record.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from ganglion.data.batches import Batches
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.random_numbers import ShareGenerator
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training import draws
from ganglion.training.loop import train_loop
from ganglion.training.players import Players, _optimizer
from ganglion.training.prepare import build_first_players, prepare_run
from tiny import TINY

STEPS = 2
MORE: dict[str, Any] = {
    "fast": {"training.micro_batch": 3, "discriminator.norm": "none", "objective.penalties": [{"kind": "r1"}]},
    "r3gan": {"generator.group": 4, "discriminator.group": 4},
    "dcgan": {
        "augment.kind": "ada", "objective.historical_averaging_weight": 0.01, "optimizer.generator.kind": "rmsprop",
        "objective.penalties": [{"kind": "lecam", "weight": 0.1}], "objective.instance_noise": {"std": 0.1, "decay_kimg": 9},
        "balance.d_steps": 2, "balance.g_steps": 2, "optimizer.schedule": "cosine", "data.conditional": True,
        "objective.feature_matching": {"weight": 0.1, "ramp_kimg": 1},
    },
}  # fmt: skip


class Module(ModuleType):
    """What `torch.elsewhere` has to answer."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16]

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def current_device() -> int:
        return 0

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """There is no generator."""


class Elsewhere:
    """Makes fake tensors on the device."""

    def __init__(self) -> None:
        self.device = torch.device("elsewhere:0")
        self.mode = FakeTensorMode(allow_non_fake_inputs=True, allow_fallback_kernels=False)

    def tensor(self, real: Tensor) -> Tensor:
        fake: Tensor = FakeTensor(self.mode, real.detach().to("meta"), self.device)
        return fake

    def move(self, network: nn.Module) -> None:
        """`Module.to` asks for a device that is there."""
        for module in network.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    module._parameters[name] = nn.Parameter(self.tensor(weight), weight.requires_grad)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = self.tensor(buffer)


class CpuGenerator(torch.Generator):
    """Fake tensors do not look at the generator that they are drawn with."""

    def __new__(cls, _device: object = None) -> CpuGenerator:
        return super().__new__(cls, "cpu")


def asks(images: Tensor) -> None:
    float(images.mean())


def mixes(images: Tensor) -> None:
    images + torch.ones(len(images), 1, 1, 1)


def copies(images: Tensor) -> None:
    torch.tensor([0.5], device=images.device)


SPOILED: dict[str, Callable[[Tensor], None]] = {"asks": asks, "mixes": mixes, "copies": copies}
"""What a step must not do, by the name of a recipe in which G does it."""


def trained(name: str, cache: Path) -> int:
    """Steps that were finished when the first value was asked for."""
    there, spoil = Elsewhere(), SPOILED.get(name)
    name = "sngan" if spoil else name
    changes = TINY | {"training.tick_kimg": 100, "training.snapshot_kimg": 100, "data.size": 16} | MORE.get(name, {})
    request: Any = {"recipe": name, "steps": STEPS, "precision": "32", "set": changes}
    prepared = prepare_run("digits", request, Screen(quiet=True), "cpu", 1, cache)
    recipe, progress = prepared.recipe, TrainingProgress()
    batches = Batches(prepared.store, 0, torch.device("cpu"), recipe.data.conditional)
    first = build_first_players(recipe, batches)
    for network in first.networks().values():
        there.move(network)
    if spoil:
        first.generator.register_forward_hook(lambda _, __, images: spoil(images))
    batches.device, batches._pixels = there.device, there.tensor(batches._pixels)
    batches._labels = None if batches._labels is None else there.tensor(batches._labels)
    with there.mode:
        players = players_of(recipe, first)
        fabric: Any = SimpleNamespace(
            device=there.device,
            autocast=nullcontext,
            backward=lambda loss, **named: loss.backward(**named),
            global_rank=0,
            world_size=1,
        )
        try:
            train_loop(fabric, recipe, batches, players, progress, None, Interrupt())
        except DataDependentOutputException:
            return progress.step
    raise AssertionError("a record was made of tensors that have no values")


def players_of(recipe: Recipe, first: Players) -> Players:
    """These networks with new optimisers."""
    players = replace(
        first, optimizer_g=_optimizer(first.generator, recipe.optimizer.generator),
        optimizer_d=_optimizer(first.discriminator, recipe.optimizer.discriminator),
    )  # fmt: skip
    for optimizer in players.optimizers().values():
        for group in optimizer.param_groups:
            group |= {"fused": False, "foreach": True}  # the fused update has no form for tensors without values
    return players


def answer(name: str, cache: Path) -> int | str:
    try:
        return trained(name, cache)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"


if __name__ == "__main__":
    _setup_privateuseone_for_python_backend("elsewhere", backend_module=Module("elsewhere"))
    draws.torch = SimpleNamespace(**vars(torch) | {"Generator": CpuGenerator})  # type: ignore[assignment]
    draws.ShareGenerator = lambda _, rank, count: ShareGenerator(torch.device("cpu"), rank, count)  # type: ignore[assignment]
    sys.stdout.write(json.dumps({name: answer(name, Path(sys.argv[1])) for name in sys.argv[2:]}))
