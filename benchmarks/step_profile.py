"""Where a training's time goes: seconds, operations and bytes of each phase of a step and of what surrounds it.

    python benchmarks/step_profile.py                                   dcgan and fast, as in docs/performance.md
    python benchmarks/step_profile.py --recipe r3gan --size 32 --channels 1 --set training.precision=32 --seconds 30

One training of made images is timed phase by phase; time inside a phase that stands for itself is not counted again in the
phase around it, and what is in no phase is Python between. A step apart is run to count: operations are those of matrix
products and convolutions, bytes are what each operation of PyTorch reads and writes. The bound is the fastest rate that this
machine reaches with a large matrix product or convolution, in the run's precision. Seconds are the process's CPU seconds over
its threads, so that other work on the machine counts less; vitals, samples and checkpoints are per step, at the recipe's
intervals.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.utils._python_dispatch import TorchDispatchMode

import ganglion
from ganglion.data.batches import Batches
from ganglion.networks import base
from ganglion.objectives import losses
from ganglion.recipe.resolve import parse_assignments
from ganglion.recipe.schema import Recipe
from ganglion.runs.journal import RunJournal
from ganglion.training import loop, phases, train
from ganglion.training.outputs import Snapshots, TrainingProbe
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.scalars import Reading
from ganglion.vitals.step_stats import StepStats
from operations import operations_of
from speed import fastest_rate

COUNTED_STEPS = 16  # a lazy penalty of every 16th update is counted once
UPKEEP = {"records and verdicts", "samples and scores", "checkpoints"}
"""Their operations are not those of a training step; their time counts."""
AROUND = "Python between, and all else"


class Setting(NamedTuple):
    recipe: str
    size: int
    channels: int
    settings: dict[str, object]


SETTINGS = [
    Setting("dcgan", 64, 3, {}),
    Setting("dcgan", 32, 1, {"generator.width": 32, "discriminator.width": 32}),
    Setting("fast", 32, 1, {}),
]


class Phases:
    """CPU seconds, operations and bytes by phase."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.operations: dict[str, float] = defaultdict(float)
        self.bytes: dict[str, float] = defaultdict(float)
        self._clock, self._open = clock, [AROUND]
        self._since = clock()
        self.steps = 0

    @property
    def now(self) -> str:
        return self._open[-1]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = self._clock()
        self.seconds[self.now] += now - self._since
        self._since = now

    def restart(self) -> None:
        """Forgets what came before, which is a training's start."""
        for amounts in (self.seconds, self.operations, self.bytes):
            amounts.clear()
        self._since = self._clock()

    def close(self) -> None:
        self._turn()


class Counted(TorchDispatchMode):
    """Adds up operations, and bytes read and written, in the phase that is open."""

    def __init__(self, phases_: Phases) -> None:
        super().__init__()
        self._phases = phases_

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        now = self._phases.now
        self._phases.operations[now] += operations_of(func, args, kwargs, found)
        if not func.is_view:
            self._phases.bytes[now] += sum(map(_bytes, _tensors(args))) + sum(map(_bytes, _tensors(found)))
        return found


def _tensors(found: Any) -> Iterator[torch.Tensor]:
    if isinstance(found, torch.Tensor):
        yield found
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _tensors(one)


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


class Tracer:
    """Names the phase of each call that a training makes."""

    def __init__(self, found: Phases) -> None:
        self.found = found
        self.player = "D"
        self.judged = 0

    def patches(self) -> Iterator[Any]:
        """What is put in place of the training's functions while it is profiled."""
        whole = {
            "fetch": [(Batches, "take")],
            "augment": [(phases, "present")],
            "penalty": [(losses, "penalty_of")],
            "EMA": [(loop, "update_ema")],
            "vitals of each step": [
                (StepStats, "begin"), (StepStats, "losses"), (StepStats, "logits_seen"), (GradientStats, "gradient"),
                (GradientStats, "update"), (Reading, "keep"),
            ],
            "records and verdicts": [
                (StepStats, "read"), (loop, "measure"), (RunJournal, "diagnose"), (RunJournal, "write"),
                (TrainingProbe, "first_record"),
            ],
            "samples and scores": [(Snapshots, "take"), (Snapshots, "draw")],
            "checkpoints": [(loop, "save_checkpoint"), (loop, "prune")],
        }  # fmt: skip
        for name, places in whole.items():
            for owner, function in places:
                yield patch.object(owner, function, self._in_phase(getattr(owner, function), lambda name=name: name))
        yield patch.object(base.Generator, "forward", self._in_phase(base.Generator.forward, self._generated))
        yield patch.object(base.Discriminator, "trace", self._in_phase(base.Discriminator.trace, self._judging))
        yield patch.object(train, "train_loop", self._started(loop.train_loop))
        yield patch.object(loop, "discriminator_pass", self._turn_of("D", loop.discriminator_pass))
        yield patch.object(loop, "generator_terms", self._turn_of("G", loop.generator_terms))
        yield patch.object(Fabric, "backward", self._in_phase(Fabric.backward, lambda: f"{self.player} backward"))
        for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
            yield patch.object(kind, "step", self._in_phase(kind.step, lambda: f"{self.player} update"))

    def _generated(self) -> str:
        return self.found.now if self.found.now in ("records and verdicts", "samples and scores") else "G forward"

    def _judging(self) -> str:
        if self.found.now in ("records and verdicts", "penalty"):
            return self.found.now
        self.judged += 1
        on = "fakes again" if self.player == "G" else "reals" if self.judged == 1 else "fakes"
        return f"D forward on {on}"

    def _started(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def started(*args: Any, **named: Any) -> Any:
            self.found.restart()
            return call(*args, **named)

        return started

    def _turn_of(self, player: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def turn(*args: Any, **named: Any) -> Any:
            self.player, self.judged = player, 0
            return call(*args, **named)

        return turn

    def _in_phase(self, call: Callable[..., Any], name: Callable[[], str]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            with self.found.phase(name()):
                return call(*args, **named)

        return timed


def profiled(setting: Setting, budget: dict[str, float], count: bool, scratch: Path) -> tuple[Phases, Recipe]:
    """Phases of one training from its first step on, and its recipe."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2000, setting.size, setting.size, setting.channels), np.uint8)
    found = Phases()
    with ExitStack() as stack:
        for one in Tracer(found).patches():
            stack.enter_context(one)
        if count:
            stack.enter_context(Counted(found))
        words: Any = budget
        run = ganglion.train(
            images, recipe=setting.recipe, size=setting.size, set=setting.settings, run=scratch / "run", fresh=True,
            quiet=True, cache=scratch / "cache", at_end=lambda _: found.close(), **words,
        )  # fmt: skip
    found.steps = run.records()[-1]["step"]
    return found, run.recipe


def table(setting: Setting, seconds: float) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        counted, recipe = profiled(setting, {"steps": COUNTED_STEPS}, True, Path(scratch))
        timed, recipe = profiled(setting, {"minutes": seconds / 60}, False, Path(scratch))
    rate = fastest_rate(recipe.training.precision)
    return "\n".join([heading(setting, recipe, timed, counted, rate), "", *rows(timed, counted, rate)])


def heading(setting: Setting, recipe: Recipe, timed: Phases, counted: Phases, rate: float) -> str:
    images = recipe.training.batch * recipe.balance.d_steps
    step = sum(timed.seconds.values()) / timed.steps / torch.get_num_threads()
    bound = sum(n for name, n in counted.operations.items() if name not in UPKEEP) / counted.steps / rate
    return (
        f"{setting.recipe}, {setting.size}x{setting.size}, {setting.channels} channels, batch {recipe.training.batch}, "
        f"precision {recipe.training.precision}, {torch.get_num_threads()} threads: "
        f"{timed.steps} steps of {step * 1000:.1f} ms, "
        f"{images / step:,.0f} images/s; bound {rate / 1e9:,.0f} GFLOP/s, so {bound / step:.0%} of it"
    )


def rows(timed: Phases, counted: Phases, rate: float) -> Iterator[str]:
    yield "| phase | ms a step | share | GFLOP | MB | of the bound |"
    yield "|---|---|---|---|---|---|"
    whole = sum(timed.seconds.values())
    for name, spent in sorted(timed.seconds.items(), key=lambda item: -item[1]):
        step = spent / timed.steps / torch.get_num_threads()
        operations, moved = (amounts.get(name, 0.0) / counted.steps for amounts in (counted.operations, counted.bytes))
        of_bound = f"{operations / rate / step:.0%}" if operations else ""
        yield f"| {name} | {step * 1000:.2f} | {spent / whole:.1%} | {operations / 1e9:.3f} | {moved / 1e6:.1f} | {of_bound} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE")
    parser.add_argument("--seconds", type=float, default=30, help="of training")
    asked = parser.parse_args()
    chosen = Setting(asked.recipe or "", asked.size, asked.channels, parse_assignments(asked.set))
    for setting in [chosen] if asked.recipe else SETTINGS:
        print(table(setting, asked.seconds), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
