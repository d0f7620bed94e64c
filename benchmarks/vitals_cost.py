"""What records, samples, scores and checkpoints cost: their share of training time, and that of `ganglion.watch` on a loop.

    python benchmarks/vitals_cost.py                 some ten minutes on two cores
    python benchmarks/vitals_cost.py --cpu-time --seconds 0

In `ganglion train`, each call that measures, examines, records, draws or saves is timed inside the run, and their sums are
held against the whole at the recipe's own intervals. `watch` hooks into networks and optimisers, where no single call holds
its cost: the loop is timed with and without it, ticks in turn, so that a machine whose speed drifts is fair to both.
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
from ganglion.metrics.untrained import SnapshotScore
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.resolve import resolve
from ganglion.runs.journal import RunJournal
from ganglion.training import loop, outputs
from ganglion.training.budget import steps_for
from ganglion.training.train import train
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.step_stats import StepStats

RECORDS: dict[Any, tuple[str, ...]] = {
    StepStats: ("begin", "logits_seen", "losses", "read"), GradientStats: ("after_backward", "after_step"),
    loop: ("measure", "parameter_counts", "record_of"), RunJournal: ("diagnose", "write"),
}  # fmt: skip
SNAPSHOTS: dict[Any, tuple[str, ...]] = {
    outputs.Snapshots: ("draw",),
    SnapshotScore: ("of",),
    loop: ("save_checkpoint", "prune"),
}
EVERY = 31  # steps of 64 images: the default tick of 2 kimg
SETTINGS = (("dcgan", 64), ("fast", 32))


@contextmanager
def timed(spent: dict[str, float], clock: Callable[[], float]) -> Iterator[None]:
    """Adds up the seconds of each call in RECORDS and SNAPSHOTS, by its name."""
    patches = [
        patch.object(owner, name, _timing(getattr(owner, name), name, spent, clock))
        for owner, names in [*RECORDS.items(), *SNAPSHOTS.items()]
        for name in names
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def _timing(call: Callable[..., Any], name: str, spent: dict[str, float], clock: Callable[[], float]) -> Any:
    def timing(*args: Any, **named: Any) -> Any:
        began = clock()
        try:
            return call(*args, **named)
        finally:
            spent[name] = spent.get(name, 0.0) + clock() - began

    return timing


def in_training(recipe: str, size: int, ticks: int, folder: Path, clock: Callable[[], float]) -> None:
    """Shares of the time at the recipe's own intervals: records from some ticks, samples and the like from one snapshot."""
    images = np.random.default_rng(0).integers(0, 256, (2048, size, size, 3), np.uint8)
    np.save(folder / "images.npy", images)
    settings = resolve(recipe).training
    spent: dict[str, float] = {}
    steps = ticks * steps_for(settings.tick_kimg, settings.batch)
    marks: list[float] = []
    with timed(spent, clock), patch.object(loop, "update_ema", _marking(loop.update_ema, marks, clock)):
        run = train(
            folder / "images.npy", recipe=recipe, size=size, steps=steps, run=folder / f"run-{recipe}", quiet=True,
            cache=folder / "cache", set={"training.snapshot_kimg": 1000},
        )  # fmt: skip
    names = {name for names in RECORDS.values() for name in names}
    records = {name: sec for name, sec in spent.items() if name in names}
    snapshot = {name: sec for name, sec in spent.items() if name not in names}
    snapshot["draw"] /= 2  # once at step 0
    whole = marks[-1] - marks[0] - snapshot["draw"]  # the sheets of step 0 are drawn at the first record
    per_snapshot = settings.snapshot_kimg / settings.tick_kimg / ticks * whole  # seconds from one snapshot to the next
    print(f"ganglion train, {recipe} {size}x{size}, batch {settings.batch}: {steps * settings.batch / whole:.1f} images/s, "
          f"{len(run.records()) - 1} records")  # fmt: skip
    for title, parts, over in (("records", records, whole), ("samples, scores, checkpoints", snapshot, per_snapshot)):
        print(f"  {title:34}{sum(parts.values()) / over:7.2%}")
        for name, its in sorted(parts.items(), key=lambda item: -item[1]):
            print(f"    {name:32}{its / over:7.2%}{its * 1000 / (ticks if parts is records else 1):9.1f} ms each")


def _marking(call: Callable[..., Any], marks: list[float], clock: Callable[[], float]) -> Any:
    def marking(*args: Any) -> None:
        call(*args)
        marks.append(clock())

    return marking


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
    parser.add_argument("--ticks", type=int, default=4, help="of each training")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the watched loop; 0: none")
    parser.add_argument("--size", type=int, default=64, help="of the watched loop")
    parser.add_argument("--width", type=int, default=64, help="of the watched loop")
    parser.add_argument("--cpu-time", action="store_true", help="CPU time of one thread, where others use the machine")
    asked = parser.parse_args()
    if asked.cpu_time:
        torch.set_num_threads(1)
    for recipe, size in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            clock = time.process_time if asked.cpu_time else time.perf_counter
            in_training(recipe, size, asked.ticks, Path(folder), clock)
    if asked.seconds:
        watched(asked.seconds, asked.size, asked.width)


if __name__ == "__main__":
    main()
