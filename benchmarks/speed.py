"""Images a second: `ganglion train` against plainly written loops, and against what the machine could do at best.

    python benchmarks/speed.py                          every setting, five rounds: about forty minutes on two cores
    python benchmarks/speed.py --seconds 20 --rounds 1 --only dcgan

(a) is the loop as the public DCGAN tutorials have it, or the same algorithm written as plainly (plain_loops.py): a Pillow
    decode and resize for each image in a DataLoader of two workers, float32, contiguous memory, `.item()` at every step.
(b) is `ganglion train` in a process of its own, from the files: scan, pack, train, samples, checkpoints, records.
Both train the same networks with the same batch on the same files, in turn, so that a machine whose speed drifts is
fair to both. The bound is the rate of a large matrix product or convolution, in bf16 where the machine has it and else in
float32, over the operations of the plain loop's step.
"""

from __future__ import annotations

import argparse
import io
import itertools
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
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d
from torch.utils.data import DataLoader, Dataset

from ganglion.platform.devices import choose_precision
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from operations import Operations
from plain_loops import plain_step

FILES = 4096


@dataclass(frozen=True)
class Setting:
    """The files (height, width, mode) are the size of CelebA's and MNIST's; all are made to fit `size`."""

    name: str
    size: int
    width: int | None
    mode: str
    file_size: tuple[int, int]
    suffix: str

    based_on: str = "dcgan"

    @property
    def changes(self) -> dict[str, object]:
        """Of the recipe that it is based on."""
        return {} if self.width is None else {"generator.width": self.width, "discriminator.width": self.width}

    @property
    def recipe(self) -> Recipe:
        channels = 1 if self.mode == "L" else 3
        return resolve(self.based_on, {"data.size": self.size, "data.channels": channels} | self.changes)


GRAY: tuple[Any, ...] = ("L", (28, 28), ".png")
SETTINGS = [
    Setting("dcgan, 64x64 RGB, width 64", 64, 64, "RGB", (218, 178), ".jpg"),
    Setting("dcgan, 32x32 gray, width 32", 32, 32, *GRAY),
    Setting("fast, 32x32 gray", 32, None, *GRAY, based_on="fast"),
    Setting("wgan-gp, 32x32 gray, width 32", 32, 32, *GRAY, based_on="wgan-gp"),
    Setting("r3gan, 32x32 gray, width 16", 32, 16, *GRAY, based_on="r3gan"),
]


def make_files(setting: Setting, folder: Path, files: int) -> None:
    """Smooth random pictures, so that a JPEG costs what a photograph of its size costs to decode."""
    random = np.random.default_rng(0)
    height, width = setting.file_size
    for i in range(files):
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


def plain_loop(folder: Path, setting: Setting, seconds: float) -> float:
    """Images a second of the plain loop."""
    step, batch = plain_step(setting.recipe), setting.recipe.training.batch
    loader = DataLoader(TutorialImages(folder, setting), batch, shuffle=True, num_workers=2, drop_last=True)
    reals = endless(loader)
    step(reals)  # the first step pays for the workers' start
    images, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        images += step(reals)
    return images / (time.perf_counter() - started)


def endless(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


def ganglion_train(folder: Path, setting: Setting, seconds: float) -> tuple[float, float]:
    """Images a second of `ganglion train` with nothing left out but the process's start, and within the loop alone."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [
            "train",
            str(folder),
            "--recipe",
            setting.based_on,
            "--size",
            str(setting.size),
            "--minutes",
            str(seconds / 60),
            "--run",
            f"{scratch}/run",
        ]
        for key, value in setting.changes.items():
            words += ["--set", f"{key}={value}"]
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


def operations_of(setting: Setting) -> float:
    """FLOP per real image of a step of the plain loop."""
    recipe = setting.recipe
    real = torch.zeros(recipe.training.batch, recipe.data.channels or 0, setting.size, setting.size)
    step = plain_step(recipe)
    with Operations() as counted:
        images = step(itertools.repeat(real))
    return counted.total / images


def measure(setting: Setting, seconds: float, rounds: int, files: int) -> None:
    flops, batch = operations_of(setting), setting.recipe.training.batch
    print(f"\n{setting.name}, batch {batch}, {seconds:.0f} s each: {flops / 1e9:.2f} GFLOP an image", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        make_files(setting, Path(scratch), files)
        a, b_all, b_loop, rates = [], [], [], []
        for number in range(rounds):
            rates.append(fastest_rate(choose_precision("auto", torch.device("cpu"))))
            a.append(plain_loop(Path(scratch), setting, seconds))
            everything, loop = ganglion_train(Path(scratch), setting, seconds)
            b_all.append(everything)
            b_loop.append(loop)
            print(
                f"  round {number + 1}: plain {a[-1]:,.0f}, ganglion {loop:,.0f} and {everything:,.0f} images/s",
                flush=True,
            )
    bound = statistics.median(rates) / flops

    def line(name: str, speeds: list[float]) -> None:
        speed, ratios = statistics.median(speeds), [ours / theirs for ours, theirs in zip(speeds, a, strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        times = f"  {statistics.median(ratios):.2f} times (a), rounds {each}" if speeds is not a else ""
        print(f"  {name:28} {speed:8,.0f} images/s  {speed / bound:4.0%} of the bound{times}")

    print(f"  product or convolution {statistics.median(rates) / 1e9:,.0f} GFLOP/s, so at most {bound:,.0f} images/s")
    line("(a) plain loop", a)
    line("(b) ganglion train, the loop", b_loop)
    line("(b) with scan and packing", b_all)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40, help="of training, for each of (a) and (b) in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="settings whose name begins so")
    parser.add_argument("--files", type=int, default=FILES)
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores")
    for setting in SETTINGS:
        if not setting.name.startswith(options.only or ""):
            continue
        measure(setting, options.seconds, options.rounds, options.files)


if __name__ == "__main__":
    main()
