"""Images a second: `ganglion train` against the loop that tutorials write, and against what the machine could do at best.

    python benchmarks/speed.py            both settings, about five minutes on two cores
    python benchmarks/speed.py --seconds 20 --rounds 1

(a) is the loop as the public DCGAN tutorials have it: a Pillow decode and resize for each image in a DataLoader of two
    workers, float32, contiguous memory, D's weights not frozen in the G phase, `.item()` at every step.
(b) is `ganglion train` in a process of its own, from the files: scan, pack, train, samples, checkpoints, records.
Both train the same networks with the same batch on the same files, in turn, so that a machine whose speed drifts is
fair to both. The bound is the rate of a large matrix product or convolution, in bf16 where the machine has it and else in
float32, over the operations of an image: 3 forward passes of G and 8 of D, as the tutorial's loop has them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils.data import DataLoader, Dataset

from ganglion.networks.build import build_discriminator, build_generator, cost_of
from ganglion.platform.devices import choose_precision
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe

FILES = 4096


@dataclass(frozen=True)
class Setting:
    """The files (height, width, mode) are the size of CelebA's and MNIST's; all are made to fit `size`."""

    name: str
    size: int
    width: int
    mode: str
    file_size: tuple[int, int]
    suffix: str

    @property
    def recipe(self) -> Recipe:
        channels = 1 if self.mode == "L" else 3
        return resolve("dcgan", {
            "data.size": self.size, "data.channels": channels, "training.batch": 64,
            "generator.width": self.width, "discriminator.width": self.width,
        })  # fmt: skip


SETTINGS = [
    Setting("64x64 RGB, width 64", 64, 64, "RGB", (218, 178), ".jpg"),
    Setting("32x32 gray, width 32", 32, 32, "L", (28, 28), ".png"),
]


def make_files(setting: Setting, folder: Path) -> None:
    """Smooth random pictures, so that a JPEG costs what a photograph of its size costs to decode."""
    random = np.random.default_rng(0)
    height, width = setting.file_size
    for i in range(FILES):
        coarse = random.integers(0, 256, (height // 6, width // 6, 3), np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(setting.mode)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG" if setting.suffix == ".jpg" else "PNG", quality=90)
        (folder / f"{i:05d}{setting.suffix}").write_bytes(buffer.getvalue())


class TutorialImages(Dataset[Tensor]):
    def __init__(self, folder: Path, setting: Setting) -> None:
        self.files, self.setting = sorted(folder.iterdir()), setting

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        size = self.setting.size
        image = Image.open(self.files[index]).convert(self.setting.mode)
        scale = size / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - size) // 2, (image.height - size) // 2
        pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
        return (torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1) - 0.5) / 0.5


def tutorial(folder: Path, setting: Setting, seconds: float) -> float:
    """Images a second of the tutorial's loop."""
    recipe = setting.recipe
    G = build_generator(recipe).to(memory_format=torch.contiguous_format)
    D = build_discriminator(recipe).to(memory_format=torch.contiguous_format)
    optimizer_g = torch.optim.Adam(G.parameters(), 2e-4, (0.5, 0.999))
    optimizer_d = torch.optim.Adam(D.parameters(), 2e-4, (0.5, 0.999))
    images, started = 0, None
    for real in endless(DataLoader(TutorialImages(folder, setting), 64, shuffle=True, num_workers=2, drop_last=True)):
        tutorial_step(G, D, optimizer_g, optimizer_d, real)
        if started is None:
            started = time.perf_counter()  # the first step pays for the workers' start
            continue
        images += len(real)
        if time.perf_counter() - started > seconds:
            return images / (time.perf_counter() - started)
    raise AssertionError("endless")


def tutorial_step(
    G: nn.Module, D: nn.Module, optimizer_g: torch.optim.Optimizer, optimizer_d: torch.optim.Optimizer, real: Tensor
) -> tuple[float, float]:
    criterion, n = nn.BCEWithLogitsLoss(), len(real)
    D.zero_grad()
    loss_real = criterion(D(real), torch.ones(n))
    loss_real.backward()
    fake = G(torch.randn(n, 100))
    loss_fake = criterion(D(fake.detach()), torch.zeros(n))
    loss_fake.backward()
    optimizer_d.step()
    G.zero_grad()
    loss_g = criterion(D(fake), torch.ones(n))
    loss_g.backward()
    optimizer_g.step()
    return (loss_real + loss_fake).item(), loss_g.item()


def endless(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


def ganglion_train(folder: Path, setting: Setting, seconds: float) -> tuple[float, float]:
    """Images a second of `ganglion train` with nothing left out but the process's start, and within the loop alone."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [
            "train",
            str(folder),
            "--size",
            str(setting.size),
            "--minutes",
            str(seconds / 60),
            "--run",
            f"{scratch}/run",
        ]
        for player in ("generator", "discriminator"):
            words += ["--set", f"{player}.width={setting.width}"]
        code = "import sys, torch, lightning_fabric, time; t = time.perf_counter(); from ganglion.cli.app import app; " \
               "app(sys.argv[1:], standalone_mode=False); print(time.perf_counter() - t)"  # fmt: skip
        environment = os.environ | {"GANGLION_CACHE": f"{scratch}/cache"}
        done = subprocess.run([sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        last = json.loads(Path(scratch, "run", "vitals.jsonl").read_text().splitlines()[-1])
    images = last["kimg"] * 1000
    return images / float(done.stdout), images / last["seconds"]


def fastest_rate(precision: str) -> float:
    """FLOP a second of a large matrix product or convolution, whichever is faster, over all threads.

    In bf16 or float32, as a run of this precision computes; bf16 is tried only where the hardware has it.
    """
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    return max(_rate(_product(kind)), _rate(_convolution(kind)))


def _product(kind: torch.dtype, side: int = 1024) -> tuple[Callable[[], Tensor], float]:
    a, b = torch.randn(2, side, side).to(kind)
    return lambda: a @ b, 2.0 * side**3


def _convolution(
    kind: torch.dtype, maps: int = 128, side: int = 32, images: int = 16
) -> tuple[Callable[[], Tensor], float]:
    x = torch.randn(images, maps, side, side).to(kind).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(maps, maps, 3, 3).to(kind).contiguous(memory_format=torch.channels_last)
    return lambda: conv2d(x, weight, padding=1), 2.0 * images * maps**2 * 9 * side**2


def _rate(work: tuple[Callable[[], Tensor], float], seconds: float = 0.5) -> float:
    """CPU seconds are counted, so that other work on the machine counts less."""
    call, flops = work
    took, began = [], time.perf_counter()
    with torch.no_grad():
        call()
        while len(took) < 5 or time.perf_counter() - began < seconds:
            started = time.process_time()
            call()
            took.append((time.process_time() - started) / torch.get_num_threads())
    return flops / statistics.median(took)


def measure(setting: Setting, seconds: float, rounds: int) -> None:
    cost_g, cost_d = cost_of(setting.recipe)
    flops = 3 * cost_g.flops + 8 * cost_d.flops
    with tempfile.TemporaryDirectory() as scratch:
        make_files(setting, Path(scratch))
        a, b_all, b_loop, rates = [], [], [], []
        for _ in range(rounds):
            rates.append(fastest_rate(choose_precision("auto", torch.device("cpu"))))
            a.append(tutorial(Path(scratch), setting, seconds))
            everything, loop = ganglion_train(Path(scratch), setting, seconds)
            b_all.append(everything)
            b_loop.append(loop)
    bound = statistics.median(rates) / flops
    ratios = [ours / theirs for ours, theirs in zip(b_loop, a, strict=True)]
    ratios_all = [ours / theirs for ours, theirs in zip(b_all, a, strict=True)]

    def line(name: str, speeds: list[float], ratios: list[float]) -> None:
        speed, each = statistics.median(speeds), ", ".join(f"{ratio:.2f}" for ratio in ratios)
        times = f"  {statistics.median(ratios):.2f} times (a), rounds {each}" if ratios else ""
        print(f"  {name:28} {speed:8,.0f} images/s  {speed / bound:4.0%} of the bound{times}")

    print(f"\n{setting.name}, batch 64, {seconds:.0f} s each: {flops / 1e9:.2f} GFLOP an image")
    print(f"  product or convolution {statistics.median(rates) / 1e9:,.0f} GFLOP/s, so at most {bound:,.0f} images/s")
    line("(a) tutorial loop", a, [])
    line("(b) ganglion train, the loop", b_loop, ratios)
    line("(b) with scan and packing", b_all, ratios_all)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40, help="of training, for each of (a) and (b) in each round")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    for setting in SETTINGS:
        measure(setting, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
