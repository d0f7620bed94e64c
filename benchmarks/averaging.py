"""Gradients averaged over two processes in one message, as the training loop does, against DistributedDataParallel of Fabric.

    python benchmarks/averaging.py                      dcgan, 32x32 RGB, width 32, batch 64, penalty R1 in every update
    python benchmarks/averaging.py --size 64 --width 64 --rounds 10

Both ways are in the same two processes of one thread each, over gloo, and take turns of a few steps, so that a machine whose
speed drifts is fair to both. First their gradients are compared with those of the whole batch in one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import chain

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.parallel import DistributedDataParallel

from ganglion.networks.build import build_discriminator, build_generator
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.training.collectives import Collectives
from ganglion.training.players import frozen
from ganglion.training.processes import launch

STEPS = 3  # of a turn
Average = Callable[[nn.Module], None]
Gradients = list[Tensor]


def recipe_of(size: int, width: int) -> Recipe:
    return resolve("dcgan", {
        "data.size": size, "data.channels": 3, "generator.width": width, "discriminator.width": width,
        "generator.norm": "none", "discriminator.norm": "none",
    })  # fmt: skip


def networks(recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    return build_generator(recipe), build_discriminator(recipe)


def batch(recipe: Recipe, share: slice) -> tuple[Tensor, Tensor]:
    """Made images and latents; each process has its share of the same batch."""
    height, width = recipe.data.size or (0, 0)
    n, random = recipe.training.batch, torch.Generator().manual_seed(0)
    images = torch.rand(n, 3, height, width, generator=random) * 2 - 1
    return images[share], torch.randn(n, recipe.latent.dim, generator=random)[share]


def step(g: nn.Module, d: nn.Module, real: Tensor, z: Tensor, average: Average) -> Gradients:
    """The gradients of D's loss with R1, which is differentiated twice, and of G's loss; nothing is updated."""
    inner = d.module if isinstance(d, DistributedDataParallel) else d
    g.zero_grad(set_to_none=True)
    d.zero_grad(set_to_none=True)
    fake, images = g(z), real.detach().requires_grad_(True)
    real_logits, fake_logits = d(images), d(fake.detach())
    (slope,) = torch.autograd.grad(real_logits.sum(), images, create_graph=True)
    penalty = slope.flatten(1).square().sum(1).mean() / 2
    (softplus(-real_logits).mean() + softplus(fake_logits).mean() + penalty).backward()
    average(d)
    with frozen(inner):
        softplus(-inner(fake)).mean().backward()
    average(g)
    return [p.grad.clone() for p in chain(g.parameters(), d.parameters()) if p.grad is not None]


def measured(fabric: Fabric, *, interrupt: Interrupt, size: int, width: int, rounds: int) -> bool:
    torch.set_num_threads(1)
    recipe, together = recipe_of(size, width), Collectives(fabric)
    real, z = batch(recipe, together.share)

    def flat(network: nn.Module) -> None:
        together.average([p.grad for p in network.parameters() if p.grad is not None])

    wrapped = [DistributedDataParallel(network) for network in networks(recipe)]
    ours, theirs = (
        partial(step, *networks(recipe), real, z, flat),
        partial(step, *wrapped, real, z, lambda network: None),
    )
    whole = step(*networks(recipe), *batch(recipe, slice(None)), lambda network: None)
    seconds: dict[str, list[float]] = {"one message": [], "DDP": []}
    for turn in range(rounds + 1):
        for name, run in (("one message", ours), ("DDP", theirs)):
            began = time.perf_counter()
            for _ in range(STEPS):
                gradients = run()
            if turn:
                seconds[name].append((time.perf_counter() - began) / STEPS)
            elif fabric.global_rank == 0:
                print(
                    f"{name}: largest difference of gradients from one process {furthest(gradients, whole):.1e}",
                    flush=True,
                )
    if fabric.global_rank == 0:
        report(seconds)
    return True


def furthest(found: Gradients, expected: Gradients) -> float:
    """Over all tensors: the largest difference, relative to the largest value of the tensor."""
    pairs = zip(found, expected, strict=True)
    return max(float((one - two).abs().max() / two.abs().max().clamp_min(1e-12)) for one, two in pairs)


def report(seconds: dict[str, list[float]]) -> None:
    for name, times in seconds.items():
        print(f"{name}: {1000 * statistics.median(times):.1f} ms a step, median of {len(times)} turns of {STEPS}")
    ratios = sorted(theirs / ours for ours, theirs in zip(seconds["one message"], seconds["DDP"], strict=True))
    print(f"DDP takes {statistics.median(ratios):.3f} times as long ({ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=32)
    options.add_argument("--width", type=int, default=32)
    options.add_argument("--rounds", type=int, default=20)
    given = options.parse_args()
    launch(
        partial(measured, size=given.size, width=given.width, rounds=given.rounds), torch.device("cpu"), 2, "32-true"
    )
