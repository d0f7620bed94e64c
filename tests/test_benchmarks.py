"""Every benchmark runs, as small as it goes. What it measures is no matter here."""

from __future__ import annotations

import gzip
import io
import json
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RECORDS = Path(__file__).parent / "doctor" / "records"
FILES = sorted(path for path in BENCHMARKS.glob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8"))

SMOKE = {
    "averaging.py": "--size 16 --width 4 --rounds 1",
    "bands.py": "{healthy} --about made --out {out}",
    "cheap_scores.py": "{run} --samples 40 --full pixels --out {out}/ranks.jsonl",
    "classes.py": "--data-dir {mnist} --out {out} --minutes 0.002 --each 4",
    "clinic.py": "range-01 --out {out}",
    "completion.py": "{run} digits --n 2 --proposals 1 --steps 2 --starts 1 --out {out}/filled.json",
    "corruptions.py": "{flowers} --features pixels --n 20 --size 16 --out {out}/table.md",
    "field_guide.py": "--codes oscillation --out {out}",
    "folders.py": "{zips} --out {out} --minutes 0.01 --sheets {out} --beside {out}/beside",
    "gpu.py": "--device cpu --quick",
    "grids.py": "--out {out}/page.png a={picture} b={picture}",
    "judge.py": "--data-dir {mnist}",
    "metrics_speed.py": "{flowers} --images 30 --features pixels --widths 8",
    "peers.py": "--mnist {mnist} --flowers {few} --out {out} --trainers dcgan-example --seconds 0.2 --samples 20",
    "photographs.py": "{flowers} --size 16 --features random --out {out} --recipes fast --minutes 0.002 --n 460",
    "recipes.py": "--data-dir {mnist} --out {out} --recipes fast --seeds 0 --minutes 0.002 --samples 40",
    "relative_distance.py": "{flowers} --size 16 --most 40",
    "scale.py": "--tables sizes --sizes 32 --recipes fast",
    "search.py": "{zips} --out {out} --on few --then few --minutes 0.01 --only=R1=3",
    "settings.py": "mnist --data-dir {mnist} --out {out} --variant training.batch=8 --seconds 0.02 --seeds 0 --samples 460 "
    "--features random --set generator.width=4 --set discriminator.width=4",
    "speed.py": "--seconds 0.2 --rounds 1 --files 64 --only fast",
    "start.py": "--times 1 --without-report",
    "step_profile.py": "--recipe dcgan --size 16 --set generator.width=4 --set discriminator.width=4 --seconds 0.1",
    "stacked_mnist.py": "--data-dir {mnist} --out {out} --minutes 0.002 --images 64 --samples 20 --recipes fast",
    "time_to_quality.py": "--mnist {mnist} --out {out} --recipes fast --seeds 0 --rungs 0.5 --samples 20",
    "toy.py": "--set ring8 --steps 2",
    "vitals_cost.py": "--ticks 2 --seconds 0.1 --size 16 --width 4",
}
"""The arguments of a run of a second or two; {words} are made below."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path, tiny_run: ganglion.Run) -> dict[str, Path]:
    """What benchmarks are pointed at: a small MNIST, a zip of small pictures, runs, a picture."""
    folder = tmp_path_factory.mktemp("benchmarks")
    picture = folder / "picture.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    return {
        "mnist": small_mnist(folder / "mnist"), "flowers": small_flowers(folder / "flowers.zip", 55),
        "few": small_flowers(folder / "few.zip", 2), "zips": small_flowers(folder / "zips" / "few.zip", 2).parent,
        "healthy": healthy_run(folder / "healthy", tiny_run), "run": tiny_run.path, "picture": picture,
    }  # fmt: skip


def small_mnist(folder: Path) -> Path:
    """IDX files of 92 images of each digit, which are noise."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for part, n in (("train", 920), ("t10k", 40)):
        images, labels = random.integers(0, 256, (n, 28, 28), np.uint8), (np.arange(n) % 10).astype(np.uint8)
        for name, array in ((f"{part}-images-idx3-ubyte.gz", images), (f"{part}-labels-idx1-ubyte.gz", labels)):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
            (folder / name).write_bytes(gzip.compress(header + array.tobytes(), 1))
    return folder


def small_flowers(archive: Path, each: int) -> Path:
    """A zip of 17 classes, so many JPEG files each."""
    random = np.random.default_rng(0)
    archive.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(17 * each):
            buffer = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(buffer, "JPEG")
            opened.writestr(f"{number % 17:02d}/{number:04d}.jpg", buffer.getvalue())
    return archive


def healthy_run(folder: Path, run: ganglion.Run) -> Path:
    """The run with the records of a healthy one."""
    shutil.copytree(run.path, folder)
    records = json.loads(gzip.decompress((RECORDS / "healthy-dcgan.json.gz").read_bytes()))["records"]
    (folder / "vitals.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_every_benchmark_has_the_arguments_of_a_small_run() -> None:
    assert {path.name for path in FILES} == set(SMOKE)


@pytest.mark.skipif(sys.platform == "win32", reason="CPU time of processes and their memory are read as on Unix")
@pytest.mark.parametrize("name", SMOKE)
def test_a_benchmark_runs(
    name: str,
    made: dict[str, Path],
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(**made, out=tmp_path) for word in SMOKE[name].split()]
    monkeypatch.setattr(sys, "argv", [name, *words])
    monkeypatch.setenv("GANGLION_CACHE", str(cache))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    said = capfd.readouterr().out
    assert said.strip() or any(tmp_path.iterdir())
