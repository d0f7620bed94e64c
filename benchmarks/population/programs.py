"""The programs: Ganglion's recipes, and loops that are not ours, each on two data sets of its part of the split."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ganglion
from ganglion.data.prepare import cache_folder, prepare
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Data
from ganglion.vitals.records import Record, read_records
from population.interventions import INTERVENTIONS, Intervention, Strength, change_of
from population.loops import LOOPS
from population.setting import Images, Players, Setting

__all__ = ["DATA", "PROGRAMS", "Ended", "Program", "applies", "given", "images_of", "run"]

LONGEST = 3.0
"""Times the time of a healthy run that any other may take, as in `Setting.share`."""

DATA: dict[str, tuple[str, int]] = {
    "digits": ("digits", 16),
    "mnist": ("mnist", 32),
    "cifar": ("cifar10-train.zip", 32),
    "flowers-32": ("flowers17-128.zip", 32),
    "flowers-64": ("flowers17-128.zip", 64),
    "elves": ("folders/elves.zip", 32),
    "flags": ("folders/flags-world.zip", 32),
    "creatures": ("folders/creatures.zip", 32),
}
"""By name: where it lies in the folder of data sets, and the size that it is trained at."""


@dataclass(frozen=True)
class Program:
    """`recipe`: a preset's name, or None: a loop. `settings`: to make the preset small."""

    name: str
    traits: frozenset[str]
    recipe: str | None = None
    settings: tuple[tuple[str, object], ...] = ()
    seconds: float = 40.0
    """CPU time of its first run on a data set."""


def _recipe(name: str, traits: str, seconds: float = 40.0, **settings: object) -> Program:
    small = {"generator.width": 16, "discriminator.width": 16} | {k.replace("__", "."): v for k, v in settings.items()}
    return Program(name, frozenset(traits.split()), name, tuple(small.items()), seconds)


def _loop(name: str, traits: str) -> Program:
    return Program(name, frozenset(traits.split()))


PROGRAMS = {program.name: program for program in (
    _recipe("dcgan", "bce norms z"), _recipe("dcgan-fm", "norms z"), _recipe("lsgan", "norms z"),
    _recipe("improved", "norms z", 120), _recipe("dragan", "norms z penalty", 120), _recipe("fast", "z penalty"),
    _recipe("small-data", "z penalty"), _recipe("wgan", "norms z clip", 120, training__batch=32),
    _recipe("wgan-gp", "z penalty", 120, training__batch=16, generator__width=12, discriminator__width=12),
    _recipe("sngan", "z", 120, training__batch=16), _recipe("r3gan", "z penalty", 120, training__batch=16, generator__blocks=1,
                                                      discriminator__blocks=1, generator__group=4, discriminator__group=4),
    _loop("tutorial", "bce norms z targets"), _loop("joined", "bce norms z targets"), _loop("wgan-clipping", "norms z clip"),
    _loop("wgan-gp-loop", "norms z penalty"), _loop("least-squares", "norms z targets"), _loop("spectral-hinge", "norms z"),
    _loop("conditional", "bce norms z targets"), _loop("image-to-image", "bce norms targets"),
    _loop("two-optimizers", "bce norms z targets"), _loop("micro-batches", "bce norms z targets"),
    _loop("mixed-precision", "bce norms z targets"), _loop("fully-connected", "bce norms z targets"),
)}  # fmt: skip


def applies(program: Program, one: Intervention, strength: int, data: str) -> bool:
    """Whether this can be done to this program on this data set."""
    traits = program.traits | ({"colour"} if data not in ("digits", "mnist") else set())
    chosen = one.strengths[strength]
    possible = chosen.change is not None if program.recipe is None else chosen.settings is not None
    return possible and one.needs <= traits


@cache
def images_of(folder: Path, name: str) -> Images:
    store = _store(folder, name)
    pixels = torch.from_numpy(np.array(store.images)).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(np.array(store.labels)) if store.labels is not None else None
    return Images(name, pixels, labels if labels is not None and int(labels.max()) > 0 else None)


def _store(folder: Path, name: str) -> Any:
    where, size = DATA[name]
    channels = None if name in ("digits", "mnist") else 3
    source = where if where == "digits" else str(folder / where)
    return prepare(Data(source=source, size=(size, size), channels=channels), cache_folder(), Screen(quiet=True))


@dataclass
class Ended:
    """A run that has ended: its records, samples uint8 (N, C, S, S), None where there are none, and its length in steps."""

    records: list[Record]
    samples: torch.Tensor | None
    steps: int
    error: str | None = None
    players: Players | None = None
    """Of a loop; those of a recipe are in its checkpoint."""


def run(
    program: Program,
    data: Images,
    kind: str,
    strength: int,
    seed: int,
    out: Path,
    seconds: float,
    steps: int | None,
    n: int,
) -> Ended:
    """Trains for `seconds` of CPU time, or for `steps` of G where they are given, and draws `n` samples."""
    if program.recipe is None:
        return _run_loop(program, data, kind, strength, seed, out, seconds, steps, n)
    return _run_recipe(program, data, INTERVENTIONS[kind].strengths[strength], seed, out, seconds, steps, n)


def _run_loop(
    program: Program,
    data: Images,
    kind: str,
    strength: int,
    seed: int,
    out: Path,
    seconds: float,
    steps: int | None,
    n: int,
) -> Ended:
    change = change_of(kind, strength)
    assert change is not None, "only what applies is run"
    setting, error = Setting(data, change, seed, out, seconds, steps), None
    try:
        LOOPS[program.name](setting)
    except (RuntimeError, ValueError) as failure:  # PyTorch refuses probabilities that are not numbers, for example
        error = f"{type(failure).__name__}: {str(failure)[:200]}"
        if setting.monitor is not None:
            setting.monitor.close()  # as it is at the end of a program
    samples = setting.samples(n) if setting.players is not None else None
    return Ended(_records(out), samples, setting.done, error, setting.players)


def _run_recipe(
    program: Program, data: Images, strength: Strength, seed: int, out: Path, seconds: float, steps: int | None, n: int
) -> Ended:
    pixels, settings = given(program, data, strength, seed)
    length: dict[str, Any] = {"minutes": seconds / 60}
    if steps is not None:
        length = {"steps": max(1, round(steps * min(1.0, LONGEST / strength.cost)))}
    error = None
    try:
        ganglion.train(
            pixels, recipe=str(program.recipe), run=out, seed=seed, device="cpu", threads=1, quiet=True, set=settings,
            at_end=lambda run: None, fresh=True, **length,
        )  # fmt: skip
    except ganglion.TrainingFailed:
        pass  # what the doctor says is no part of the truth; numbers that are not finite are in the records
    except (RuntimeError, ValueError) as failure:
        error = f"{type(failure).__name__}: {str(failure)[:200]}"
    records, folder = _records(out), ganglion.Run(out)
    saved = folder.steps_saved()
    if not saved:
        return Ended(records, None, 0, error)
    drawn = ganglion.load(out, checkpoint="latest").sample(n, seed=1)  # uint8 (N, H, W, C)
    return Ended(records, torch.from_numpy(drawn).permute(0, 3, 1, 2), max(saved), error)


def given(program: Program, data: Images, strength: Strength, seed: int) -> tuple[NDArray[np.uint8], dict[str, object]]:
    """The images (N, S, S, C) and the values of its recipe that a run of Ganglion's is given."""
    assert strength.settings is not None, "only what applies is run"
    assert program.recipe is not None
    base = resolve(program.recipe, dict(program.settings))
    settings = dict(program.settings) | dict(strength.settings(base))
    settings |= {"data.fit": "crop", "data.held_out_images": min(100, (strength.images or len(data.pixels)) // 5)}
    pixels = data.pixels.permute(0, 2, 3, 1).contiguous().numpy()
    if strength.images:
        pixels = pixels[np.sort(np.random.default_rng(seed + 1).permutation(len(pixels))[: strength.images])]
    return pixels, settings


def _records(out: Path) -> list[Record]:
    path = out / "vitals.jsonl"
    return list(read_records(path)) if path.exists() else []
