"""How memory and start grow with the number of images, a step with their size, and sampling with n.

    python benchmarks/scale.py                                      all tables; a million images need 3 GB of disk
    python benchmarks/scale.py --images 1000 100000 --tables images

images: made ones of 32x32 in one NumPy file, trained on by `fast` for 20 steps; first with scanning and packing, then again
    from the packed store. `--files` has a PNG for each.
sizes: CPU seconds of a step of `fast` and `dcgan` as they are, 3 channels, from 32 to 256 pixels.
samples: `ganglion sample` of that run into a folder of files, and into one NumPy file.

Each figure comes from a process of its own with one thread and no worker processes. Seconds are CPU seconds of it, from
the end of its imports; memory is the largest anonymous memory in /proc/PID/status (RssAnon), looked at every 10 ms: what
the process has allocated. Pages of the store that the kernel keeps in memory are not in it, as they can be dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

STEPS = 20


class Cost(NamedTuple):
    """What a process needed: memory in MB, and what it printed as JSON."""

    megabytes: float
    said: dict[str, Any]


def made_images(n: int, size: int, chunk: int = 10_000) -> Iterator[np.ndarray]:
    """n different images (n, size, size) of uint8: shifted ramps, with the number written into their first pixels."""
    ramp = np.add.outer(np.arange(size), np.arange(size)).astype(np.uint8)
    for first in range(0, n, chunk):
        numbers = np.arange(first, min(n, first + chunk))
        images = ramp[None] + (numbers * 37 % 251).astype(np.uint8)[:, None, None]
        images[:, 0, :4] = (numbers[:, None] >> np.array([0, 8, 16, 24])) & 255
        yield images


def array_file(n: int, size: int, path: Path) -> Path:
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size)}
        np.lib.format.write_array_header_1_0(file, header)
        for images in made_images(n, size):
            file.write(images.tobytes())
    return path


def image_files(n: int, size: int, folder: Path) -> Path:
    number = 0
    for images in made_images(n, size):
        for image in images:
            place = folder / f"{number // 1000:04d}"
            if number % 1000 == 0:
                place.mkdir(parents=True)
            Image.fromarray(image).save(place / f"{number:07d}.png", compress_level=1)
            number += 1
    return folder


def cost_of(*words: str, cache: Path) -> Cost:
    """Runs this file with `words` in a process of its own and watches its memory."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GANGLION_CACHE": str(cache)}
    command = [sys.executable, __file__, "--one", *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, anonymous_megabytes(process.pid))
            time.sleep(0.01)
        assert process.stdout
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return Cost(peak, json.loads(said.splitlines()[-1]))


def anonymous_megabytes(pid: int) -> float:
    """NaN where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


# What a process of its own does


def one(words: list[str]) -> dict[str, Any]:
    os.sched_getaffinity = lambda pid: {0}  # type: ignore[assignment]  # worker processes are not measured
    if words[0] == "train":
        return one_training(Path(words[1]), words[2], int(words[3]), int(words[4]), Path(words[5]))
    return one_sampling(Path(words[1]), int(words[2]), words[3])


def one_training(source: Path, recipe: str, size: int, steps: int, run: Path) -> dict[str, Any]:
    """CPU seconds until the first step has ended, and of a step after the first three."""
    import ganglion
    from ganglion.training import train

    ends: list[float] = []
    train_loop = train.train_loop

    def watched(fabric: Any, recipe: Any, batches: Any, players: Any, *rest: Any, **own: Any) -> bool:
        players.optimizer_g.register_step_post_hook(lambda *_: ends.append(time.process_time()))
        return train_loop(fabric, recipe, batches, players, *rest, **own)

    train.train_loop = watched
    began = time.process_time()
    with suppress(ganglion.TrainingFailed):  # made images are no test of quality
        ganglion.train(
            source, recipe=recipe, size=size, steps=steps, run=run, quiet=True, at_end=lambda run: None,
            set={"training.tick_kimg": 1000, "training.snapshot_kimg": 1000},
        )  # fmt: skip
    return {"start": ends[0] - began, "step": median(np.diff(ends[min(2, len(ends) - 2) :]).tolist())}


def one_sampling(run: Path, n: int, out: str) -> dict[str, Any]:
    from ganglion.cli.app import app

    began = time.process_time()
    app(["sample", str(run), "--n", str(n), "--checkpoint", "latest", "--out", out], standalone_mode=False)
    return {"seconds": time.process_time() - began}


# Tables


def images_table(counts: list[int], kind: str, size: int, scratch: Path) -> Iterator[str]:
    yield f"| {kind} of {size}x{size}, images | first start, s | first peak, MB | start from the store, s | peak, MB |"
    yield "|---" * 5 + "|"
    for n in counts:
        place = scratch / f"{kind}-{n}{'.npy' if kind == 'flat' else ''}"
        source = array_file(n, size, place) if kind == "flat" else image_files(n, size, place)
        first, again = (
            cost_of("train", str(source), "fast", str(size), str(STEPS), str(scratch / f"run-{kind}-{n}-{i}"),
                    cache=scratch / "cache")
            for i in range(2)
        )  # fmt: skip
        cells = [first.said["start"], first.megabytes, again.said["start"], again.megabytes]
        yield f"| {n:,} | " + " | ".join(f"{cell:,.1f}" if cell < 100 else f"{cell:,.0f}" for cell in cells) + " |"


def sizes_table(sizes: list[int], recipes: list[str], scratch: Path) -> Iterator[str]:
    yield "| recipe, pixels | seconds of a step | images/s | peak, MB |\n|---|---|---|---|"
    for recipe in recipes:
        for size in sizes:
            source = scratch / f"colour-{size}.npy"
            if not source.exists():
                pixels = np.random.default_rng(0).integers(0, 256, (256, size, size, 3), np.uint8)
                np.save(source, pixels)
            run = scratch / f"run-{recipe}-{size}"
            found = cost_of("train", str(source), recipe, str(size), "6", str(run), cache=scratch / "cache")
            batch = json.loads(_recipe_json(run))["training"]["batch"]
            step = found.said["step"]
            yield f"| `{recipe}` {size} | {step:.2f} | {batch / step:,.0f} | {found.megabytes:,.0f} |"


def _recipe_json(run: Path) -> str:
    import ganglion

    return ganglion.Run(run).recipe.model_dump_json()


def samples_table(counts: list[int], run: Path, scratch: Path) -> Iterator[str]:
    yield "| samples | folder: images/s | peak, MB | NumPy file: images/s | peak, MB |\n|---|---|---|---|---|"
    for n in counts:
        folder = cost_of("sample", str(run), str(n), str(scratch / f"samples-{n}"), cache=scratch / "cache")
        array = cost_of("sample", str(run), str(n), str(scratch / f"samples-{n}.npy"), cache=scratch / "cache")
        cells = [
            cell for cost in (folder, array)
            for cell in (f"{n / cost.said['seconds']:,.0f}", f"{cost.megabytes:,.0f}")
        ]  # fmt: skip
        yield f"| {n:,} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=("images", "files", "sizes", "samples"))
    parser.add_argument("--images", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--files", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 128, 256])
    parser.add_argument("--recipes", nargs="+", default=["fast", "dcgan"])
    parser.add_argument("--samples", nargs="+", type=int, default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--one", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one)))
        return
    wanted = asked.tables or ["images", "files", "sizes", "samples"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        makers = {
            "images": lambda: images_table(asked.images, "flat", 32, scratch),
            "files": lambda: images_table(asked.files, "files", 32, scratch),
            "sizes": lambda: sizes_table(asked.sizes, asked.recipes, scratch),
            "samples": lambda: samples_table(asked.samples, sampled_run(scratch), scratch),
        }
        for name in wanted:
            for line in makers[name]():
                print(line, flush=True)
            print()


def sampled_run(scratch: Path) -> Path:
    """A run of `fast` at 64x64 of two steps."""
    source, run = scratch / "to-sample.npy", scratch / "run-to-sample"
    np.save(source, np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), np.uint8))
    cost_of("train", str(source), "fast", "64", "4", str(run), cache=scratch / "cache")
    return run


if __name__ == "__main__":
    main()
