"""What records, samples, scores and checkpoints cost: their share of training time, and that of `ganglion.watch` on a loop.

    python benchmarks/vitals_cost.py                 some ten minutes on two cores
    python benchmarks/vitals_cost.py --cpu-time --seconds 0

In `ganglion train`, each call that measures, examines, records, draws or saves is timed inside the run; the median of each is
held against five minutes with the forty records and eight snapshots that a run has at least. `watch` hooks into networks and
optimisers, where no single call holds its cost: the loop is timed with and without it, ticks in turn, so that a machine whose
speed drifts is fair to both.
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
from ganglion.metrics.relative_distance import RelativeDistance
from ganglion.metrics.untrained import SnapshotScore
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.recipe.resolve import resolve
from ganglion.runs.journal import RunJournal
from ganglion.training import loop, outputs
from ganglion.training.intervals import RECORDS as RECORDS_OF_A_RUN
from ganglion.training.intervals import SNAPSHOTS as SNAPSHOTS_OF_A_RUN
from ganglion.training.train import train
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.scalars import Reading
from ganglion.vitals.step_stats import StepStats

STEPS: dict[Any, tuple[str, ...]] = {
    StepStats: ("begin", "logits_seen", "losses"), GradientStats: ("gradient", "update"), Reading: ("keep",),
}  # fmt: skip
RECORDS: dict[Any, tuple[str, ...]] = {
    StepStats: ("read",), loop: ("measure", "parameter_counts", "record_of"), RunJournal: ("diagnose", "write"),
}  # fmt: skip
SNAPSHOTS: dict[Any, tuple[str, ...]] = {
    outputs.Snapshots: ("draw",), SnapshotScore: ("features", "frechet"), RelativeDistance: ("features", "of"),
    loop: ("save_checkpoint", "prune"),
}  # fmt: skip
EVERY = 31  # steps of 64 images: the default tick of 2 kimg
SETTINGS = (("small-data", 64, 300), ("dcgan", 64, 300), ("fast", 32, 2048))  # recipe, side, images
FIVE_MINUTES = 300.0
TICK, SNAPSHOT = 16, 32  # steps: most have no close look at the updates, as in a run


@contextmanager
def timed(spent: dict[str, list[float]], clock: Callable[[], float]) -> Iterator[None]:
    """Keeps the seconds of each call in STEPS, RECORDS and SNAPSHOTS, by its name."""
    patches = [
        patch.object(owner, name, _timing(getattr(owner, name), name, spent, clock))
        for owner, names in [*STEPS.items(), *RECORDS.items(), *SNAPSHOTS.items()]
        for name in names
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def _timing(call: Callable[..., Any], name: str, spent: dict[str, list[float]], clock: Callable[[], float]) -> Any:
    def timing(*args: Any, **named: Any) -> Any:
        began = clock()
        try:
            return call(*args, **named)
        finally:
            spent.setdefault(name, []).append(clock() - began)

    return timing


def in_training(recipe: str, size: int, count: int, ticks: int, folder: Path, clock: Callable[[], float]) -> None:
    """What a record and a snapshot cost, and their share of five minutes with as many as a run has at least."""
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    np.save(folder / "images.npy", images)
    batch = resolve(recipe).training.batch
    intervals = {"training.tick_kimg": TICK * batch / 1000, "training.snapshot_kimg": SNAPSHOT * batch / 1000}
    spent: dict[str, list[float]] = {}
    marks: list[float] = []
    with timed(spent, clock), patch.object(loop, "update_ema", _marking(loop.update_ema, marks, clock)):
        train(
            folder / "images.npy", recipe=recipe, size=size, steps=ticks * TICK, run=folder / f"run-{recipe}", quiet=True,
            cache=folder / "cache", set=intervals,
        )  # fmt: skip
    steps = np.diff(marks)[[i for i in range(len(marks) - 1) if (i + 1) % TICK]]  # those without a record before them
    print(
        f"ganglion train, {recipe} {size}x{size}, batch {batch}: {batch / statistics.median(steps):.1f} images/s in steps"
    )
    least = {"records": (RECORDS, RECORDS_OF_A_RUN), "snapshots": (SNAPSHOTS, SNAPSHOTS_OF_A_RUN)}
    of_step = sum(np.reshape(spent[name], (len(marks), -1)).sum(1) for names in STEPS.values() for name in names)
    usual = float(np.median(of_step))
    close_looks = {"records": {"close looks": float((of_step - usual).clip(0).sum()) / ticks}, "snapshots": {}}
    whole = 0.0
    for title, (parts, number) in least.items():
        each = {name: statistics.median(spent[name]) for names in parts.values() for name in names if name in spent}
        each |= close_looks[title]
        share = number * sum(each.values()) / FIVE_MINUTES
        whole += share
        print(f"  {number} {title} in five minutes {share:7.2%}, each {sum(each.values()) * 1000:.0f} ms:")
        for name, sec in sorted(each.items(), key=lambda item: -item[1]):
            print(f"    {name:32}{sec * 1000:9.1f} ms")
    of_steps = usual / statistics.median(steps)
    print(f"  together {whole:7.2%}; and of each step {of_steps:.2%} for losses, logits and gradients")


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
    parser.add_argument("--ticks", type=int, default=6, help="records of each training")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the watched loop; 0: none")
    parser.add_argument("--size", type=int, default=64, help="of the watched loop")
    parser.add_argument("--width", type=int, default=64, help="of the watched loop")
    parser.add_argument("--cpu-time", action="store_true", help="CPU time of one thread, where others use the machine")
    asked = parser.parse_args()
    if asked.cpu_time:
        torch.set_num_threads(1)
    for recipe, size, count in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            clock = time.process_time if asked.cpu_time else time.perf_counter
            in_training(recipe, size, count, asked.ticks, Path(folder), clock)
    if asked.seconds:
        watched(asked.seconds, asked.size, asked.width)


if __name__ == "__main__":
    main()
