"""What the vitals and the doctor cost: their share of training time, and that of `ganglion.watch` on a plain loop.

    python benchmarks/vitals_cost.py                 64x64 RGB, width 64: some ten minutes on two cores
    python benchmarks/vitals_cost.py --seconds 60

In `ganglion train`, each call that measures, examines or records is timed inside the run, and their sum is held against
the whole. `watch` hooks into networks and optimisers, where no single call holds its cost: the loop is timed with and
without it, ticks in turn, so that a machine whose speed drifts is fair to both.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

import ganglion
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.resolve import resolve
from ganglion.runs.journal import RunJournal
from ganglion.training import loop
from ganglion.training.train import train
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.step_stats import StepStats

TIMED: dict[Any, tuple[str, ...]] = {
    StepStats: ("begin", "separated", "losses", "read"), GradientStats: ("after_backward", "after_step"),
    loop: ("measure", "parameter_counts"), RunJournal: ("diagnose", "write"),
}  # fmt: skip
EVERY = 31  # steps of 64 images: the default tick of 2 kimg


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the seconds of each call in TIMED, by class or module."""
    patches = [
        patch.object(owner, name, _timing(getattr(owner, name), owner.__name__, spent))
        for owner, names in TIMED.items()
        for name in names
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def _timing(call: Callable[..., Any], owner: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timing(*args: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*args, **named)
        finally:
            spent[owner] = spent.get(owner, 0.0) + time.perf_counter() - began

    return timing


def in_training(seconds: float, size: int, width: int, folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2048, size, size, 3), np.uint8)
    np.save(folder / "images.npy", images)
    spent: dict[str, float] = {}
    with timed(spent):
        run = train(
            folder / "images.npy", recipe="dcgan", size=size, minutes=seconds / 60, run=folder / "run", quiet=True,
            cache=folder / "cache",
            set={"generator.width": width, "discriminator.width": width, "training.snapshot_kimg": 1000},
        )  # fmt: skip
    last = run.records()[-1]
    whole = last["seconds"]
    print(f"ganglion train, {size}x{size}, width {width}, batch 64: {last['kimg'] / whole * 1000:.1f} images/s, "
          f"{len(run.records())} records in {whole:.0f} s")  # fmt: skip
    for owner, its in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {owner:10} {its / whole:7.2%}")
    print(f"  {'all':10} {sum(spent.values()) / whole:7.2%}")


def watched(seconds: float, size: int, width: int) -> None:
    recipe = resolve("dcgan", {
        "data.size": size, "data.channels": 3, "generator.width": width, "discriminator.width": width,
    })  # fmt: skip
    torch.manual_seed(0)
    G, D = build_generator(recipe), build_discriminator(recipe)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    real = torch.rand(64, 3, size, size) * 2 - 1

    def tick() -> float:
        began = time.perf_counter()
        for _ in range(EVERY):
            step(G, D, opt_g, opt_d, real)
        return time.perf_counter() - began

    tick()
    shares, began = [], time.perf_counter()
    while len(shares) < 2 or time.perf_counter() - began < seconds:
        alone = tick()
        with ganglion.watch(G, D, opt_g, opt_d, every=EVERY):
            with_it = tick()
        shares.append(with_it / alone - 1)
    print(f"ganglion.watch, the same networks in a plain loop: {statistics.median(shares):.2%} "
          f"(median of {len(shares)} pairs of {EVERY} steps, {min(shares):.2%} to {max(shares):.2%})")  # fmt: skip


def step(G: nn.Module, D: nn.Module, opt_g: Any, opt_d: Any, real: torch.Tensor) -> None:
    """The DCGAN tutorial's."""
    criterion = nn.functional.binary_cross_entropy_with_logits
    opt_d.zero_grad()
    fake = G(torch.randn(64, 100))
    at_real, at_fake = D(real), D(fake.detach())
    (criterion(at_real, torch.ones(64)) + criterion(at_fake, torch.zeros(64))).backward()
    opt_d.step()
    opt_g.zero_grad()
    criterion(D(fake), torch.ones(64)).backward()
    opt_g.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each of the two")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        in_training(asked.seconds, asked.size, asked.width, Path(folder))
    watched(asked.seconds, asked.size, asked.width)


if __name__ == "__main__":
    main()
