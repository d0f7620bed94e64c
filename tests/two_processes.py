"""Trainings that are the same in one process and in several, and what two processes do in one start for many tests.

Starting a process takes seconds, so that one start serves several files of tests: what each process found is left in a file.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganglion.data.batches import Batch
from ganglion.errors import TrainingFailed
from ganglion.networks.layers import MinibatchDiscrimination, MinibatchStddev
from ganglion.networks.synchronised import gathered, synchronise
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import preset_names, resolve, update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, restore, save_checkpoint
from ganglion.training.collectives import Collectives
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.players import Players, build_players
from ganglion.training.train import Job, _work
from gaussian_mixtures import PLANES, PlaneBatches

__all__ = [
    "BATCH",
    "CPU",
    "CRITIC",
    "IMAGES",
    "IN_TWO_SITTINGS",
    "RECIPES",
    "STEPS",
    "Learnt",
    "first_players",
    "half",
    "layer_result",
    "tensors_of",
    "tiny_recipe",
    "trained",
    "what_three_find",
    "what_two_find",
]

Learnt = tuple[dict[str, Any], dict[str, Any]]
"""What each of two processes found."""

CPU = torch.device("cpu")
STEPS, BATCH = 20, 12

CRITIC: dict[str, object] = {
    "generator.norm": "none", "discriminator.norm": "none", "objective.adversarial": "wasserstein",
    "objective.penalties": [{"kind": "r1", "weight": 1.0}], "balance.d_steps": 2,
}  # fmt: skip
"""A critic with a penalty on its gradient that draws nothing at random, and no statistics of a batch."""

RECIPES: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in preset_names() if name != "auto"},
    "critic": ("dcgan", CRITIC),
    "micro-batches": ("dcgan", CRITIC | {"training.micro_batch": 2}),
    "stddev": ("dcgan", {"discriminator.minibatch": "stddev", "objective.adversarial": "relativistic-average"}),
    "one stage": (
        "dcgan",
        {
            "balance.updates": "simultaneous", "discriminator.norm": "none",
            "objective.adversarial": "relativistic-average", "objective.penalties": [{"kind": "r1", "weight": 1.0}],
        },
    ),
    "one stage, batch norm": ("dcgan", {"balance.updates": "simultaneous"}),
    "remembers": (
        "dcgan",
        {
            "objective.penalties": [{"kind": "lecam", "weight": 0.1}, {"kind": "wgan-gp", "interval_updates": 2}],
            "objective.instance_noise.std": 0.1, "discriminator.norm": "none", "augment.kind": "ada",
            "augment.target": -0.9, "augment.speed_kimg": 0.05, "balance.pause_above_auc": 0.6,
            "objective.historical_averaging_weight": 0.01,
        },
    ),
}  # fmt: skip
"""Every preset, and what none of them has: by name, a preset and changes to it."""
IN_TWO_SITTINGS = ("critic", "remembers")


def tiny_recipe(name: str, steps: int = STEPS) -> Recipe:
    """Networks of a few weights, and learning rates that no schedule changes.

    Adam's eps is above the rounding of gradients: with a smaller one Adam makes whole steps of gradients that would be 0 in
    exact arithmetic, such as those of a bias in front of a batch norm.
    """
    preset, changes = RECIPES[name]
    base = resolve(preset)
    small: dict[str, object] = {
        "generator.width": 4, "discriminator.width": 4, "latent.dim": 8, "data.size": 16, "data.channels": 1,
        "training.kimg": None, "training.minutes": None, "training.steps": steps, "training.batch": BATCH,
        "training.precision": "32", "training.tick_kimg": 0.12, "optimizer.schedule": "constant",
        "balance.d_steps": min(base.balance.d_steps, 2),
    }  # fmt: skip
    for player in ("generator", "discriminator"):
        if getattr(base.optimizer, player).kind == "adam":
            small[f"optimizer.{player}.eps"] = 1e-4
        if base.generator.family == "r3gan":
            small |= {f"{player}.group": 4, f"{player}.blocks": 1}
    return resolve(preset, small | changes)


class Noise(PlaneBatches):
    """Images (N, 1, 16, 16) that follow from their place in the order; from `broken` images on the second of two is NaN."""

    def __init__(self, broken: int | None = None) -> None:
        super().__init__(PLANES["ring8"], 0)
        self.broken = broken

    def take(self, first: int, count: int, part: slice = slice(None)) -> Batch:
        images = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(first)) * 2 - 1
        if self.broken is not None and first >= self.broken:
            images[1::2] = float("nan")
        return Batch(images[part], None)


def first_players(settings: Recipe) -> Players:
    players = build_players(settings, CPU)
    if players.discriminator.needs_reference:
        players.discriminator.reference = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return players


def trained(
    fabric: Fabric, name: str, steps: int = STEPS, start: Path | None = None, broken: int | None = None
) -> tuple[Players, TrainingProgress]:
    """The players of a recipe after `steps` steps, from the checkpoint in `start` if there is one."""
    settings = tiny_recipe(name, steps)
    players, progress = first_players(settings), TrainingProgress()
    if start is not None:
        found = restore(start, players.networks(), players.optimizers(), lambda _: None)
        assert found
        progress = found
    assert train_loop(fabric, settings, Noise(broken), players, progress, None, Interrupt())
    return players, progress


def half(fabric: Fabric, name: str, folder: Path) -> Path:
    """A checkpoint after half of the steps."""
    players, progress = trained(fabric, name, STEPS // 2)
    if fabric.global_rank == 0:
        save_checkpoint(folder, players.networks(), players.optimizers(), progress)
    if fabric.world_size > 1:
        distributed.barrier()
    return folder


def tensors_of(players: Players) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.detach().clone()
        for name, network in players.networks().items()
        for key, value in network.state_dict().items()
    }


# What each of two processes does


def what_two_find(fabric: Fabric, *, interrupt: Interrupt, folder: Path, alone: Path, job: Job) -> bool:
    """Every recipe; some of them in two sittings, and from a checkpoint of one process; images that are NaN in the second
    process only; the messages of a step; `job`; and a job that fails."""
    faulthandler.dump_traceback_later(240, exit=True)  # where processes no longer meet, they would wait for ever
    found: dict[str, Any] = {"collectives": collective_results(fabric), "layers": {}}
    for name in IMAGES:
        found["layers"][name] = layer_result(name, fabric.global_rank, 2)
    for name in RECIPES:
        found[name] = tensors_of(trained(fabric, name)[0])
    for name in IN_TWO_SITTINGS:
        start = half(fabric, name, folder / name)
        found[f"{name}, resumed"] = tensors_of(trained(fabric, name, start=start)[0])
    found["from one"] = tensors_of(trained(fabric, "remembers", start=alone)[0])
    found["messages"] = {name: messages_of(fabric, name) for name in ("critic", "dcgan", "r3gan")}
    try:
        trained(fabric, "critic", broken=3 * BATCH)  # the second batch of step 2
    except TrainingFailed as failure:
        found["not finite"] = str(failure)
    torch.save(found, folder / f"{fabric.global_rank}.pt")
    assert _work(fabric, interrupt=interrupt, job=job)
    rates = {"optimizer__discriminator__lr": 1e38, "optimizer__generator__lr": 1e38}
    return _work(fabric, interrupt=interrupt, job=Job(update(job.recipe, **rates), job.store, folder, True, Own()))


class Messages(TorchDispatchMode):
    """Each call of torch.distributed as (steps finished before it, operation, types of its tensors)."""

    def __init__(self, progress: TrainingProgress) -> None:
        super().__init__()
        self.progress = progress
        self.seen: list[tuple[int, str, tuple[torch.dtype, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "c10d":
            tensors = tuple(leaf.dtype for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
            self.seen.append((self.progress.step, func.overloadpacket.__name__, tensors))
        return func(*args, **kwargs or {})


def messages_of(fabric: Fabric, name: str) -> list[tuple[int, str, tuple[torch.dtype, ...]]]:
    settings, progress = tiny_recipe(name, 3), TrainingProgress()
    with Messages(progress) as messages:
        assert train_loop(fabric, settings, Noise(), first_players(settings), progress, None, Interrupt())
    return messages.seen


def collective_results(fabric: Fabric) -> dict[str, Any]:
    """What the collectives make of what two processes say."""
    together, rank = Collectives(fabric), fabric.global_rank
    return {
        "clock": together.clock_and_interrupt(1 / 3 + rank, wanted=rank == 1),
        "first": together.first_of("mine" if rank == 1 else None),
        "mean": together.mean(torch.tensor([1.0, 2.0]) + rank),
        "minimum": together.minimum(torch.tensor([5, 7 - 3 * rank])),
        "logits": torch.stack(
            together.whole_logits(torch.tensor([0.0, 1.0]) + 10 * rank, torch.tensor([5.0, 6.0]) * rank)
        ),
        "averaged": averaged(together),
        "buffers": remembered(together),
        "gathered": gathered(torch.tensor([float(rank)])),
    }


def averaged(together: Collectives) -> list[Tensor]:
    """Tensors of several shapes, averaged in one message."""
    tensors = [torch.full((2, 3), 1.0 + together.rank), torch.full((), 4.0 * together.rank)]
    together.average(tensors)
    return tensors


def remembered(together: Collectives) -> Tensor:
    """The running means of a norm that is no batch norm, after each process showed it other images."""
    network = nn.Sequential(nn.InstanceNorm2d(2, momentum=1.0, track_running_stats=True))
    together.synchronise(network)
    network(torch.arange(2.0)[:, None, None].expand(1, 2, 3, 3) + 4 * together.rank)
    together.average_buffers()
    means: Tensor = network.get_buffer("0.running_mean")
    return means


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Tanh(), nn.Conv2d(3, 1, 4)),
    "discrimination": lambda: nn.Sequential(nn.Flatten(), MinibatchDiscrimination(48)),
    "stddev": lambda: nn.Sequential(nn.Flatten(), MinibatchStddev()),
}
IMAGES = {"batch norm": 6, "discrimination": 6, "stddev": 8, "stddev across shares": 4, "stddev of a rest": 6}
"""Batches: of 8 images a group of stddev is within a share of two processes, of 4 it is not, and 4 does not divide 6."""


def layer_result(name: str, rank: int = 0, count: int = 1) -> dict[str, Tensor]:
    """A layer on a share of one batch, the gradients of a penalty on its gradient, and what it remembers."""
    n = IMAGES[name]
    x = torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[rank::count]
    network = LAYERS[name.partition(" of ")[0].partition(" across ")[0]]().double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.linspace(-0.5, 0.5, weight.numel()).view_as(weight))
    if count > 1:
        synchronise(network)
    x.requires_grad_(True)
    out = network(x)
    (slope,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    (slope.square().sum() + out.square().sum()).backward()
    assert x.grad is not None
    return {
        "out": out.detach(), "slope": slope.detach(), "x": x.grad,
        **{f"buffer {key}": value for key, value in network.named_buffers()},
        **{f"weight {key}": weight.grad for key, weight in network.named_parameters() if weight.grad is not None},
    }  # fmt: skip


def what_three_find(fabric: Fabric, *, interrupt: Interrupt, folder: Path, start: Path) -> bool:
    """A training that two processes began."""
    faulthandler.dump_traceback_later(120, exit=True)
    found = tensors_of(trained(fabric, "remembers", start=start)[0])
    if fabric.global_rank == 0:
        torch.save(found, folder / "three.pt")
    return True
