"""How long a command takes: `ganglion --help`, `ganglion train` to the end of its first step, `ganglion report`.

    python benchmarks/start.py                 medians of five
    python benchmarks/start.py --times 1

Seconds of the clock from the start of the process, and CPU seconds of that process: on a machine that others use the second
figure says more. The training is one on packed images at 64x64 (`dcgan`, width 64) and at 32x32 (`fast`), with one thread,
with all, and with `--threads auto`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

AT_FIRST_STEP = """
import contextlib, os, sys, time
from ganglion.cli.app import app
from ganglion.platform.screen import Screen

@contextlib.contextmanager
def training(self):
    def first_step(fraction, line):
        print("FIRST", time.monotonic(), time.process_time(), flush=True)
        os._exit(0)
    yield first_step

Screen.training = training
app()
"""
AT_END = """
import atexit, time
atexit.register(lambda: print("FIRST", time.monotonic(), time.process_time(), flush=True))
from ganglion.cli.app import app
app()
"""


def taken(code: str, *words: str, threads: int | None = None) -> tuple[float, float]:
    """Seconds of the clock and CPU seconds until `code` says FIRST."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=True
    )
    _, at, cpu = next(line for line in done.stdout.splitlines() if line.startswith("FIRST")).split()
    return float(at) - began, float(cpu)


def shown(name: str, found: list[tuple[float, float]]) -> None:
    wall, cpu = (statistics.median(values) for values in zip(*found, strict=True))
    print(f"{name:58}{wall:7.2f} s{cpu:9.2f} s of CPU time", flush=True)


def of_training(folder: Path, recipe: str, size: int, times: int) -> None:
    np.save(folder / f"{size}.npy", np.random.default_rng(0).integers(0, 256, (2048, size, size, 3), np.uint8))
    words = [
        "train",
        str(folder / f"{size}.npy"),
        "--recipe",
        recipe,
        "--minutes",
        "1",
        "--fresh",
        "--run",
        str(folder / recipe),
    ]
    taken(AT_END, *words[:4], "--steps", "1", "--run", str(folder / "packing"), "--fresh", "--no-report", threads=1)
    for how in ("1", str(os.cpu_count()), "auto"):
        found = [taken(AT_FIRST_STEP, *words, "--threads", how) for _ in range(times)]
        shown(f"ganglion train to its first step, {recipe} {size}x{size}, --threads {how}", found)


def of_report(folder: Path, recipe: str, size: int, times: int) -> None:
    run = folder / f"{recipe}-run"
    words = [
        "train",
        str(folder / f"{size}.npy"),
        "--recipe",
        recipe,
        "--steps",
        "60",
        "--run",
        str(run),
        "--no-report",
    ]
    taken(
        AT_END, *words, "--set", "training.tick_kimg=0.128", "--set", "training.snapshot_kimg=0.512", "--threads", "1"
    )
    shown(f"ganglion report, {recipe} {size}x{size}", [taken(AT_END, "report", str(run)) for _ in range(times)])
    shown("  with OMP_NUM_THREADS=1", [taken(AT_END, "report", str(run), threads=1) for _ in range(times)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="of which the median is shown")
    parser.add_argument("--without-report", action="store_true")
    asked = parser.parse_args()
    shown("ganglion --help", [taken(AT_END, "--help") for _ in range(asked.times)])
    with tempfile.TemporaryDirectory() as name:
        os.environ["GANGLION_CACHE"] = str(Path(name) / "cache")
        for recipe, size in (("dcgan", 64), ("fast", 32)):
            of_training(Path(name), recipe, size, asked.times)
            if not asked.without_report:
                of_report(Path(name), recipe, size, asked.times)


if __name__ == "__main__":
    main()
