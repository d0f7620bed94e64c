"""The clinic: small runs that are well, and small runs that were made sick on purpose, each with one known fault.

    python benchmarks/clinic.py --list
    python benchmarks/clinic.py mode-collapse --out clinic/            one case: a run folder, and the doctor's verdict
    python benchmarks/clinic.py --all --out clinic/                    all of them, about a minute each on two cores
    python benchmarks/clinic.py --store tests/doctor/records --out clinic/    what the tests of the doctor read

Faults of a recipe are commands of `ganglion train`; faults of code are built into a plain PyTorch loop that is watched by
`ganglion.watch`. All train on scikit-learn's handwritten digits at 16x16. tests/doctor/test_clinic.py holds the doctor to
what is stored: each fault is found under its own name, and in no healthy run is anything found.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

import ganglion
from ganglion.data.prepare import cache_folder, prepare
from ganglion.doctor.examine import examine
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Data
from ganglion.vitals.records import read_records

SMALL = "--size 16 --batch 32 --set generator.width=16 --set discriminator.width=16 --set training.tick_kimg=0.5"
QUICK = f"{SMALL} --kimg 32 --set training.snapshot_kimg=8"
LONG = f"{SMALL} --kimg 80 --set training.snapshot_kimg=10 --set training.tick_kimg=1"


@dataclass(frozen=True)
class Case:
    """A run, and what is wrong with it: the codes of which one has to be found; none for a healthy run."""

    name: str
    codes: tuple[str, ...]
    command: str = ""
    """Options of `ganglion train`, for a fault of the recipe."""
    loop: Callable[[Path], None] | None = None
    """For a fault of code."""
    about: str = ""
    images: int | None = None
    """Trained on so few of the images."""
    seeds: tuple[int, ...] = (0,)


def recipe_case(name: str, codes: tuple[str, ...], command: str, about: str, images: int | None = None) -> Case:
    return Case(name, codes, command, about=about, images=images)


# A plain loop, and the faults that people build into theirs


@dataclass(frozen=True)
class Fault:
    """One thing done wrong; everything else is the DCGAN tutorial's."""

    show_real: Callable[[Tensor], Tensor] = lambda images: images
    label_for_g: float = 1.0
    sigmoid: bool = False
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    lr_jump: tuple[int, float] | None = None
    """Step and factor."""
    one_optimizer: bool = False
    momentum: float = 0.1
    """Of G's batch norm."""
    labels: bool = False
    beta1: float = 0.5
    frame: bool = False
    """Whether G ends in a black frame."""
    zeroed: str = "gd"
    """The networks whose gradients are zeroed."""
    looks: bool = False
    """Whether samples are drawn in eval mode every 100 steps, without a return to train mode."""


class PlainG(nn.Module):
    def __init__(self, width: int = 16, momentum: float = 0.1, labels: bool = False, frame: bool = False) -> None:
        super().__init__()
        self.frame = frame
        self.labels = nn.Embedding(10, 32) if labels else None
        self.body = nn.Sequential(
            nn.ConvTranspose2d(32, 2 * width, 4), nn.BatchNorm2d(2 * width, momentum=momentum), nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.BatchNorm2d(width, momentum=momentum), nn.ReLU(True),
            nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.labels is not None:
            z = self.labels(labels) + 0 * z  # the slip: the latent is there, and never used
        images = self.body(z[:, :, None, None])
        return pad(images[:, :, 1:-1, 1:-1], (1, 1, 1, 1), value=-1.0) if self.frame else images


class PlainD(nn.Module):
    def __init__(self, width: int = 16, sigmoid: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2, True), nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2, True), nn.Conv2d(2 * width, 1, 4),
            *([nn.Sigmoid()] if sigmoid else []), nn.Flatten(0),
        )  # fmt: skip

    def forward(self, images: Tensor, _labels: Tensor | None = None) -> Tensor:
        return self.body(images)


def first_weights(layer: nn.Module) -> None:
    """N(0, 0.02), as the tutorial has it."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def plain(fault: Fault, folder: Path, steps: int = 1500, batch: int = 32) -> None:
    """Trains with the fault, watched."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    store = prepare(Data(source="digits", size=(16, 16)), cache_folder(), Screen(quiet=True))
    pixels, digits = torch.from_numpy(np.array(store.images)), torch.from_numpy(store.labels)
    G, D = PlainG(16, fault.momentum, fault.labels, fault.frame), PlainD(sigmoid=fault.sigmoid)
    G.apply(first_weights)
    D.apply(first_weights)
    both = [*G.parameters(), *D.parameters()]
    opt_d = torch.optim.Adam(D.parameters(), fault.lr_d, (fault.beta1, 0.999))
    opt_g = torch.optim.Adam(both if fault.one_optimizer else G.parameters(), fault.lr_g, (fault.beta1, 0.999))
    criterion = nn.BCELoss() if fault.sigmoid else nn.BCEWithLogitsLoss()
    monitor = ganglion.watch(G, D, opt_g, opt_d, every=25, out=folder)
    for step in range(steps):
        if fault.lr_jump and step == fault.lr_jump[0]:
            for optimizer in (opt_g, opt_d):
                optimizer.param_groups[0]["lr"] *= fault.lr_jump[1]
        chosen = torch.from_numpy(random.integers(0, len(pixels), batch))
        real = fault.show_real(pixels[chosen].permute(0, 3, 1, 2).float() / 127.5 - 1)
        given = (digits[chosen],) if fault.labels else ()
        if fault.looks and step % 100 == 99:
            G.eval()
        if "d" in fault.zeroed:
            opt_d.zero_grad()
        fake = G(torch.randn(batch, 32), *given)
        loss_d = criterion(D(real, *given), torch.ones(batch)) + criterion(D(fake.detach(), *given), torch.zeros(batch))
        loss_d.backward()
        opt_d.step()
        if "g" in fault.zeroed:
            opt_g.zero_grad()
        loss_g = criterion(D(fake, *given), torch.full((batch,), fault.label_for_g))
        loss_g.backward()
        monitor.log(loss_d=loss_d.item(), loss_g=loss_g.item())
        opt_g.step()
    print(monitor.verdict().text())
    monitor.close()


def of(fault: Fault, **options: Any) -> Callable[[Path], None]:
    return lambda folder: plain(fault, folder, **options)


HEALTHY = [
    Case(f"healthy-{name}", (), f"--recipe {name} {command}", about=f"the recipe {name} as it is, with small networks")
    for name, command in {
        "dcgan": LONG, "dcgan-fm": LONG, "lsgan": LONG, "improved": LONG.replace("--kimg 80", "--kimg 20"),
        "dragan": LONG, "fast": LONG, "small-data": LONG,
        "wgan": LONG.replace("--kimg 80", "--kimg 400"), "wgan-gp": LONG.replace("--kimg 80", "--kimg 200"),
        "sngan": LONG.replace("--kimg 80", "--kimg 200"),
        "r3gan": f"{LONG} --set generator.blocks=1 --set discriminator.blocks=1",
    }.items()
] + [Case("healthy-plain", (), loop=of(Fault()), about="the DCGAN tutorial's loop, with nothing wrong")]  # fmt: skip

SICK = [
    Case("discriminator-wins", ("discriminator-wins", "learning-rate-too-low"),
         f"--recipe dcgan {QUICK} --set discriminator.norm=none "
         "--set optimizer.discriminator.lr=0.002 --set optimizer.generator.lr=0.000001",
         about="D learns two thousand times as fast as G"),
    Case("generator-wins", ("generator-wins",), f"--recipe dcgan {QUICK} --set optimizer.discriminator.lr=0.0000005 "
         "--set optimizer.generator.lr=0.002", about="D hardly learns"),
    Case("vanishing-generator-gradient", ("vanishing-generator-gradient",), f"--recipe dcgan {QUICK} "
         "--set objective.adversarial=minimax --set discriminator.norm=none --set optimizer.discriminator.lr=0.002",
         about="the saturating loss against a strong D"),
    Case("exploding-gradient", ("exploding-gradient",), f"--recipe wgan {QUICK} --set objective.weight_clip=null "
         "--set discriminator.norm=none --set generator.norm=none --set init.scheme=kaiming "
         "--set optimizer.discriminator.lr=0.002",
         about="a critic that nothing keeps Lipschitz"),
    Case("non-finite", ("non-finite",), f"--recipe dcgan {QUICK} --set optimizer.discriminator.lr=1e20",
         about="a learning rate beyond all reason"),
    Case("mode-collapse", ("mode-collapse",), f"--recipe dcgan {QUICK} --set balance.g_steps=5 --set generator.norm=none "
         "--set discriminator.norm=none --set init.scheme=kaiming --set optimizer.generator.lr=0.001",
         about="five fast updates of G for one of D, without norms"),
    Case("partial-collapse", ("partial-collapse",), f"--recipe dcgan {QUICK} --set latent.dim=1",
         about="a latent of a single number"),
    Case("late-collapse", ("late-collapse",), loop=of(Fault(lr_jump=(1000, 3000.0)), steps=1600),
         about="a schedule that multiplies both rates by 3,000 in the midst"),
    Case("noise-collapse", ("learning-rate-too-high", "noise-collapse"), f"--recipe dcgan {QUICK} --set generator.norm=none "
         "--set init.scheme=kaiming --set optimizer.generator.lr=0.05",
         about="G's rate is 250 times the usual, without batch norm"),
    Case("blank-collapse", ("blank-collapse",), f"--recipe dcgan {LONG} --set optimizer.generator.kind=adamw "
         "--set optimizer.generator.weight_decay=30", about="weight decay that outweighs learning"),
    Case("oscillation", ("oscillation",), f"--recipe dcgan {QUICK} --set generator.norm=none --set init.scheme=kaiming "
         "--set optimizer.generator.lr=0.02 --set optimizer.discriminator.lr=0.02", about="large rates for both"),
    Case("growing-oscillation", ("growing-oscillation",), f"--recipe dcgan {QUICK} --kimg 30 --set generator.norm=none "
         "--set init.scheme=kaiming --set optimizer.generator.lr=0.04 --set optimizer.discriminator.lr=0.04 "
         "--set optimizer.warmup_kimg=40", about="large rates that go on rising"),
    Case("range-255", ("range-mismatch",), loop=of(Fault(show_real=lambda x: (x + 1) * 127.5), steps=300),
         about="reals in [0, 255]"),
    Case("range-01", ("range-mismatch",), loop=of(Fault(show_real=lambda x: (x + 1) / 2), steps=300), about="reals in [0, 1]"),
    Case("range-twice", ("range-mismatch",), loop=of(Fault(show_real=lambda x: ((x + 1) / 2 / 127.5) - 1), steps=300),
         about="reals normalised twice"),
    Case("bad-initialization", ("bad-initialization",), f"--recipe dcgan {QUICK} --kimg 16 --set init.std=0.2 "
         "--set generator.norm=none --set discriminator.norm=none", about="N(0, 0.2) without norms"),
    Case("bad-initialization-small", ("bad-initialization",), f"--recipe dcgan {QUICK} --kimg 16 --set init.std=0.005 "
         "--set generator.norm=none --set discriminator.norm=none", about="N(0, 0.005) without norms"),
    Case("batchnorm-mismatch", ("batchnorm-mismatch",), loop=of(Fault(momentum=0.0)),
         about="batch norm whose running statistics never move"),
    Case("capacity-imbalance", ("capacity-imbalance",), f"--recipe dcgan {QUICK} --set generator.width=2 "
         "--set discriminator.width=64 --set discriminator.norm=none", about="D has a hundred times the weights of G"),
    Case("discriminator-overfitting", ("discriminator-overfitting",), f"--recipe dcgan {LONG} --kimg 50 "
         "--set discriminator.width=64 --set data.held_out_images=64", about="160 images, no augmentation", images=160),
    Case("memorization", ("memorization", "discriminator-overfitting"), f"--recipe dcgan {LONG} --set generator.width=48 "
         "--set data.held_out_images=40", about="eight images to learn from", images=48),
    Case("clip-saturation", ("clip-saturation",), f"--recipe wgan {QUICK} --set objective.weight_clip=0.001 "
         "--set optimizer.discriminator.lr=0.002", about="a narrow clip and a fast critic"),
    Case("learning-rate-too-high", ("learning-rate-too-high",), f"--recipe dcgan {QUICK} --set optimizer.generator.lr=0.2 "
         "--set optimizer.discriminator.lr=0.2", about="a thousand times the usual rates"),
    Case("learning-rate-too-low", ("learning-rate-too-low",), f"--recipe dcgan {QUICK} --set optimizer.generator.lr=1e-7 "
         "--set optimizer.discriminator.lr=1e-7", about="a two-thousandth of the usual rates"),
    Case("stalled", ("stalled", "discriminator-wins"),
         f"--recipe dcgan {LONG} --set objective.historical_averaging_weight=1000",
         about="historical averaging so strong that nobody can leave the past"),
    Case("non-convergence", ("non-convergence", "learning-rate-too-low", "stalled"), f"--recipe dcgan {QUICK} "
         "--set optimizer.generator.lr=2e-5 --set optimizer.discriminator.lr=2e-5", about="a tenth of the usual rates"),
    Case("optimizer-crosstalk", ("optimizer-crosstalk",), loop=of(Fault(one_optimizer=True)),
         about="G's optimiser was given the weights of both networks"),
    Case("gradients-not-zeroed", ("gradients-not-zeroed",), loop=of(Fault(zeroed="g")),
         about="D's gradients are never zeroed, so that G's loss trains D as well"),
    Case("eval-mode", ("eval-mode",), loop=of(Fault(looks=True, lr_g=1e-3, lr_d=1e-3)),
         about="G stays in eval mode after its first samples, and rates are five times the usual"),
    Case("labels-swapped", ("labels-swapped",), loop=of(Fault(label_for_g=0.0)), about="G is trained on the label of fakes"),
    Case("latent-ignored", ("latent-ignored",), loop=of(Fault(labels=True)),
         about="a conditional G in which the latent is multiplied by 0"),
    Case("padding-shortcut", ("padding-shortcut",), loop=of(Fault(
        show_real=lambda x: pad(x[:, :, 1:-1, 1:-1], (1, 1, 1, 1), value=0.0), frame=True, lr_d=2e-5), steps=1000),
         about="reals are padded with gray, and G draws a black frame; D learns slowly, and the border first"),
    Case("loss-clamped", ("loss-clamped",), loop=of(Fault(sigmoid=True, lr_d=2.0, lr_g=1e-6)),
         about="BCELoss on a sigmoid that is sure of everything"),
]  # fmt: skip

CASES = {case.name: case for case in [*HEALTHY, *SICK]}

KEPT = 6  # digits of a stored number
LEFT_OUT = {
    "logits",
    "first_gradient_g",
    "first_gradient_d",
    "layers_g",
    "layers_d",
    "images_per_sec",
    "eta_sec",
    "seconds",
}


def run(case: Case, out: Path) -> Path:
    """Runs a case anew and returns its folder."""
    folder = out / case.name
    shutil.rmtree(folder, ignore_errors=True)
    if case.loop:
        case.loop(folder)
        return folder
    source = "digits" if case.images is None else str(some_digits(case.images, out))
    words = [
        sys.executable,
        "-m",
        "ganglion.cli.app",
        "train",
        source,
        "--run",
        str(folder),
        *shlex.split(case.command),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{case.name}: {done.stderr}")
    print(examine(read_records(folder / "vitals.jsonl")).text())
    return folder


def some_digits(count: int, out: Path) -> Path:
    """So many digits as an array of their own."""
    store = prepare(Data(source="digits", size=(16, 16)), cache_folder(), Screen(quiet=True))
    path = out / f"digits-{count}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(store.images[:count]))
    return path


def store(case: Case, out: Path, records: Path) -> None:
    """The records of a run as a small file: what the doctor reads, to six digits."""
    lines = read_records(out / case.name / "vitals.jsonl")
    kept = [{key: _short(value) for key, value in line.items() if key not in LEFT_OUT} for line in lines]
    tree = {
        "case": case.name, "codes": case.codes, "about": case.about, "own_run": case.loop is None,
        "command": f"python benchmarks/clinic.py {case.name} --out clinic/", "records": kept,
    }  # fmt: skip
    records.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(records / f"{case.name}.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(tree).encode())


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{KEPT}g}")
    return [_short(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("clinic"))
    parser.add_argument("--store", type=Path, help="write the records of finished runs here; runs nothing")
    asked = parser.parse_args()
    unknown = [name for name in asked.cases if name not in CASES]
    if unknown:
        parser.error(f"there is no case {unknown[0]}; --list names them")
    chosen = [CASES[name] for name in asked.cases] if asked.cases else list(CASES.values())
    for case in chosen:
        if asked.list:
            print(f"{case.name:30} {case.about}\n{'':30} {case.command}")
        elif asked.store:
            if (asked.out / case.name).exists():
                store(case, asked.out, asked.store)
        elif asked.all or asked.cases:
            print(f"\n== {case.name}: {case.about}", flush=True)
            run(case, asked.out)


if __name__ == "__main__":
    main()
