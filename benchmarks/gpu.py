"""Images a second on one CUDA device, with and without CUDA graphs, beside two plain loops and the matrix rate of the device.

    python benchmarks/gpu.py                                  all tables, under 8 minutes on one card
    python benchmarks/gpu.py --write docs/performance.md      and the section between its two marks of that page
    python benchmarks/gpu.py --device cpu --quick             the same code on a CPU in seconds; its numbers are of no use

Each configuration runs `train_loop` itself, on made images that the device holds: fetch, both phases, averages, vitals, and a
record at the end; without samples and checkpoints. Beside it, on the same networks and batch, the step of the public DCGAN
tutorial (float32, contiguous memory, a loss read at each step) and, for SNGAN, a step in the manner of torch-mimicry (written
here from memory of its published description, not from its code: five updates of D for one of G, hinge loss, every loss and
mean probability read). Both get their reals from the device as well. The bound is the measured rate of a bf16 matrix product
over the operations that PyTorch counts.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.functional import relu

import ganglion
from ganglion.data.batches import Batches
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.platform.devices import choose_device, fabric_precision
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import update
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.training.loop import train_loop
from ganglion.training.own import Own
from ganglion.training.prepare import PreparedRun, build_first_players, prepare_run
from ganglion.training.replay import replay_for
from ganglion.training.timed_steps import kinds_recur
from marked import fill
from operations import Operations
from plain_loops import tutorial_step

RECIPES = ("dcgan", "fast", "wgan-gp", "r3gan")
PUBLISHED_SNGAN = 32e6  # real images in SNGAN's CIFAR-10 setting: 100,000 updates of G, five of D each, of 64 images
CAPTURED = 3  # times that a kind of step has come when it is replayed
COUNTED = 8  # images in a batch whose operations are counted


class Setting(NamedTuple):
    recipe: str
    size: int
    batch: int
    more: dict[str, object] = {}  # noqa: RUF012 (never changed)

    @property
    def title(self) -> str:
        extra = "".join(f", {key.partition('.')[2]} {value}" for key, value in self.more.items() if "gen" in key)
        return f"{self.recipe} {self.size}x{self.size}, batch {self.batch}{extra}"


WIDE: dict[str, object] = {"generator.width": 128, "discriminator.width": 128}
SETTINGS = [
    Setting("sngan", 32, 64),
    Setting("dcgan", 64, 512, WIDE),
    *(
        Setting(recipe, size, batch)
        for size, batch in ((32, 512), (64, 512), (128, 128), (256, 64))
        for recipe in RECIPES
    ),
]
TINY: dict[str, object] = {"generator.width": 4, "discriminator.width": 4, "latent.dim": 8}
TINY_SETTINGS = [Setting(recipe, 16, 8, TINY) for recipe in (*RECIPES, "sngan")]


@dataclass
class Bench:
    """The device and how long each measurement takes."""

    device: torch.device
    seconds: float
    warm_up: int
    """Steps of a plain loop before it is timed."""
    images: int
    cache: Path

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def peak_gb(self, reset: bool = False) -> float:
        if self.device.type != "cuda":
            return math.nan
        if reset:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.max_memory_reserved(self.device) / 2**30  # what a captured graph keeps counts, too

    def rate(self, step: Callable[[], object], images: int) -> float:
        """Images a second of a plain step of `images` images."""
        for _ in range(self.warm_up):
            step()
        self.synchronise()
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < self.seconds:
            step()
            steps += 1
        self.synchronise()
        return steps * images / (time.perf_counter() - started)


class Stopwatch(Interrupt):
    """Ends a training after some seconds, which begin after its first steps."""

    def __init__(self, bench: Bench, warm_up: int) -> None:
        super().__init__()
        self.bench, self.warm_up, self.started = bench, warm_up, math.nan
        self.steps = -1  # it is asked once before step 1

    @property
    def wanted(self) -> bool:
        self.steps += 1
        if self.steps == self.warm_up:
            self.bench.synchronise()
            self.started = time.perf_counter()
        if self.steps > self.warm_up and self.steps % 16 == 0:  # or the host runs far ahead
            self.bench.synchronise()
        return time.perf_counter() - self.started > self.bench.seconds  # False while it has not started


class Measured(NamedTuple):
    images_per_sec: float
    peak_gb: float
    replayed: int


def prepared(bench: Bench, setting: Setting) -> PreparedRun:
    pixels = np.random.default_rng(0).integers(0, 256, (bench.images, setting.size, setting.size, 3), np.uint8)
    changes = {"training.tick_kimg": 1e6, "training.snapshot_kimg": 1e6} | setting.more
    if setting.recipe == "r3gan" and "generator.width" in setting.more:
        changes |= {"generator.group": 4, "discriminator.group": 4}
    request: Any = {"recipe": setting.recipe, "steps": 10**9, "batch": setting.batch, "set": changes}
    return prepare_run(pixels, request, Screen(quiet=True), bench.device.type, cache=bench.cache)


def trained(bench: Bench, run: PreparedRun, graph: str) -> Measured:
    """`train_loop` for some seconds."""
    recipe = update(run.recipe, training__cuda_graph=graph)
    precision = fabric_precision(recipe.training.precision)
    bench.peak_gb(reset=True)
    with training_numerics(bench.device, deterministic=False), side_stream(bench.device):
        fabric = Fabric(accelerator=bench.device.type, devices=1, precision=precision)
        batches, watch = Batches(run.store, 0, bench.device), Stopwatch(bench, CAPTURED * kinds_recur(recipe) + 2)
        players, progress = build_first_players(recipe, batches), TrainingProgress()
        replay = replay_for(recipe, bench.device, 1, Own(), print)
        train_loop(fabric, recipe, batches, players, progress, None, watch, replay=replay)
        bench.synchronise()
        took = time.perf_counter() - watch.started
    steps = progress.step - watch.warm_up
    return Measured(steps * recipe.training.batch * recipe.balance.d_steps / took, bench.peak_gb(), replay.replayed)


def operations(bench: Bench, run: PreparedRun) -> float:
    """FLOP of an image: those of as many steps as the laziest penalty needs, over their images."""
    steps = kinds_recur(run.recipe)
    recipe = update(run.recipe, training__batch=COUNTED, training__steps=steps, training__precision="32")
    batches = Batches(run.store, 0, bench.device)
    players, fabric = build_first_players(recipe, batches), Fabric(accelerator=bench.device.type, devices=1)
    with Operations() as counter:
        train_loop(fabric, recipe, batches, players, TrainingProgress(), None, Interrupt())
    return counter.total / (steps * recipe.balance.d_steps * COUNTED)


def plain_networks(bench: Bench, recipe: Recipe) -> tuple[nn.Module, nn.Module]:
    """As tutorials have them: contiguous, float32."""
    networks = build_generator(recipe), build_discriminator(recipe)
    generator, discriminator = (one.to(bench.device, memory_format=torch.contiguous_format) for one in networks)
    return generator, discriminator


def adams(networks: tuple[nn.Module, nn.Module], betas: tuple[float, float]) -> list[torch.optim.Adam]:
    return [torch.optim.Adam(network.parameters(), 2e-4, betas) for network in networks]


def reals(bench: Bench, run: PreparedRun) -> Iterator[Tensor]:
    batches, batch, first = Batches(run.store, 0, bench.device), run.recipe.training.batch, 0
    while True:
        yield batches.take(first, batch).images.contiguous()
        first += batch


def tutorial(bench: Bench, run: PreparedRun) -> float:
    recipe, images = update(run.recipe, latent__dim=100), reals(bench, run)
    networks = plain_networks(bench, recipe)
    optimizers = adams(networks, (0.5, 0.999))
    with training_numerics(bench.device, deterministic=False):  # cuDNN's benchmark, as the tutorial has it
        return bench.rate(lambda: tutorial_step(*networks, *optimizers, next(images)), recipe.training.batch)


def mimicry(bench: Bench, run: PreparedRun, updates: int = 5) -> float:
    """SNGAN in the manner of torch-mimicry, by what is remembered of its description.

    G's update first, then D's, each on a new batch; all losses and probabilities are read.
    """
    recipe, images = run.recipe, reals(bench, run)
    G, D = plain_networks(bench, recipe)
    optimizer_g, optimizer_d = adams((G, D), (0.0, 0.9))
    n, dim = recipe.training.batch, recipe.latent.dim

    def step() -> None:
        G.zero_grad()
        loss_g = -D(G(torch.randn(n, dim, device=bench.device))).mean()
        loss_g.backward()
        optimizer_g.step()
        loss_g.item()
        for _ in range(updates):
            D.zero_grad()
            real, fake = D(next(images)), D(G(torch.randn(n, dim, device=bench.device)).detach())
            loss_d = relu(1 - real).mean() + relu(1 + fake).mean()
            loss_d.backward()
            optimizer_d.step()
            for value in (loss_d, torch.sigmoid(real).mean(), torch.sigmoid(fake).mean()):
                value.item()

    return bench.rate(step, n * updates)


def matrix_rate(bench: Bench, side: int) -> float:
    """FLOP a second of a bf16 matrix product."""
    a, b = torch.randn(2, side, side, device=bench.device).bfloat16()
    return bench.rate(lambda: a @ b, 1) * 2 * side**3


def exact_resume(bench: Bench) -> bool:
    """Whether a run that was stopped half-way ends with the bits of one that was not."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, lengths in (("whole", [24]), ("halves", [12, 24])):
            for steps in lengths:
                run = ganglion.train(
                    "digits", recipe="fast", size=16, steps=steps, batch=16, run=Path(scratch, name), quiet=True,
                    device=bench.device.type, deterministic=True, cache=bench.cache, at_end=lambda run: None,
                    set=TINY | {"optimizer.schedule": "constant"},
                )  # fmt: skip
            found.append({path.name: path.read_bytes() for path in run.checkpoint("latest").glob("*.safetensors")})
    return found[0] == found[1]


def hardware(device: torch.device) -> str:
    versions = f"PyTorch {torch.__version__}, {date.today().isoformat()}"
    if device.type != "cuda":
        return f"{device.type}, {torch.get_num_threads()} threads, {versions}"
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    memory = torch.cuda.get_device_properties(device).total_memory / 2**30
    return (
        f"{torch.cuda.get_device_name(device)} ({memory:.0f} GiB), driver {driver[0] if driver else 'unknown'}, "
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, {versions}"
    )


@contextmanager
def memory_allowed() -> Iterator[None]:
    """A configuration that does not fit is left out of its table."""
    try:
        yield
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()


HEAD = """| configuration | GFLOP an image | images/s, each step launched | images/s, CUDA graphs | share of the bf16 rate | \
a plain loop, images/s | times that | peak GiB | with graphs |
|---|---|---|---|---|---|---|---|---|"""


def row(bench: Bench, setting: Setting, peak_rate: float) -> tuple[str, float]:
    """A line of the table, and its images a second."""
    run = prepared(bench, setting)
    flops = operations(bench, run)
    cells: dict[str, Measured] = {}
    beside = math.nan
    for graph in ("off", "on") if bench.device.type == "cuda" else ("off",):
        with memory_allowed():
            cells[graph] = trained(bench, run, graph)
    with memory_allowed():
        beside = {"dcgan": tutorial, "sngan": mimicry}.get(setting.recipe, lambda *_: math.nan)(bench, run)
    off, on = (cells.get(graph, Measured(math.nan, math.nan, 0)) for graph in ("off", "on"))
    graphs = on.images_per_sec if on.replayed else math.nan  # where no graph could be captured, the line above said why
    best = np.nanmax([off.images_per_sec, graphs]) if cells else math.nan
    shown = [f"{flops / 1e9:.3g}", *(f"{n:,.0f}" for n in (off.images_per_sec, graphs)), f"{best * flops / peak_rate:.0%}",
             f"{beside:,.0f}", f"{best / beside:.2f}", f"{off.peak_gb:.2f}", f"{on.peak_gb:.2f}"]  # fmt: skip
    return f"| {' | '.join([setting.title, *('-' if 'nan' in cell else cell for cell in shown)])} |", best


def section(bench: Bench, settings: list[Setting], side: int) -> Iterator[str]:
    """The lines of the GPU section, each as soon as it is known."""
    rate = matrix_rate(bench, side)
    yield f"{hardware(bench.device)}. A bf16 matrix product of {side} x {side}: {rate / 1e12:,.3g} TFLOP/s."
    yield f"A run that was stopped and resumed with `--deterministic` ends with the same bits: {exact_resume(bench)}."
    yield ""
    yield HEAD
    rates = {}
    for setting in settings:
        line, rates[setting.recipe, setting.size] = row(bench, setting, rate)
        yield line
    minutes = PUBLISHED_SNGAN / next(found for (recipe, _), found in rates.items() if recipe == "sngan") / 60
    yield f"\nSNGAN's CIFAR-10 setting of {PUBLISHED_SNGAN / 1e6:.0f} M images takes {minutes:,.0f} min at that speed."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--quick", action="store_true", help="tiny networks, a fraction of a second each")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--write", type=Path, help="a page with the two marks")
    options = parser.parse_args()
    device = choose_device(options.device)
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(device, 0.05 if options.quick else options.seconds, 2 if options.quick else 10,
                      64 if options.quick else 4096, Path(cache))  # fmt: skip
        lines = []
        for line in section(bench, TINY_SETTINGS if options.quick else SETTINGS, 128 if options.quick else 8192):
            print(line, flush=True)
            lines.append(line)
    if options.write:
        fill(options.write, "gpu", "\n".join(lines))


if __name__ == "__main__":
    main()
