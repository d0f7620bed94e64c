"""Every loss and penalty on Gaussians in the plane: how many modes are found, and how many samples are good.

    python benchmarks/toy.py                     both sets, all pairings, a few seconds each
    python benchmarks/toy.py --set ring8 --steps 1000

It is the project's own training loop on networks of three hidden layers; only the pictures are missing. A pairing that
fails here fails in seconds, and which modes it lost is known exactly.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric

from ganglion.networks.initialise import initialise
from ganglion.networks.sampling import draw_latents
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.resolve import resolve
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.streams import Purpose, stream
from ganglion.training.loop import train_loop
from ganglion.training.players import assemble
from gaussian_mixtures import PLANES, Found, Plane, PlaneBatches, PlaneGenerator, plane_discriminator

WIDTH, LATENT, BATCH, JUDGED = 128, 2, 256, 10_000


@dataclass(frozen=True)
class Pairing:
    name: str
    changes: dict[str, object]


CRITIC: dict[str, object] = {"objective.adversarial": "wasserstein", "balance.d_steps": 5}


def _penalty(kind: str, weight: float) -> dict[str, object]:
    return {"objective.penalties": [{"kind": kind, "weight": weight}]}


PAIRINGS = [
    Pairing("non-saturating", {}),
    Pairing("non-saturating + r1", _penalty("r1", 0.01)),
    Pairing("non-saturating + r2", _penalty("r2", 0.01)),
    Pairing("non-saturating + dragan", _penalty("dragan", 1.0)),
    Pairing("non-saturating + lecam", _penalty("lecam", 0.1)),
    Pairing("minimax + r1", {"objective.adversarial": "minimax", **_penalty("r1", 0.01)}),
    Pairing("least-squares", {"objective.adversarial": "least-squares"}),
    Pairing("hinge", {"objective.adversarial": "hinge"}),
    Pairing("hinge + r1", {"objective.adversarial": "hinge", **_penalty("r1", 0.01)}),
    Pairing("wasserstein + clip", {**CRITIC, "objective.weight_clip": 0.05}),
    Pairing("wasserstein + wgan-gp", {**CRITIC, **_penalty("wgan-gp", 1.0)}),
    Pairing("wasserstein + wgan-lp", {**CRITIC, **_penalty("wgan-lp", 1.0)}),
    Pairing("relativistic", {"objective.adversarial": "relativistic"}),
    Pairing(
        "relativistic + r1 + r2",
        {
            "objective.adversarial": "relativistic",
            "objective.penalties": [{"kind": "r1", "weight": 0.01}, {"kind": "r2", "weight": 0.01}],
        },
    ),
    Pairing("relativistic-average + r1", {"objective.adversarial": "relativistic-average", **_penalty("r1", 0.01)}),
]  # fmt: skip


def recipe_for(pairing: Pairing, steps: int, seed: int) -> Recipe:
    adam = {"lr": 3e-3, "beta1": 0.0, "beta2": 0.9}
    return resolve("dcgan", {
        "generator.norm": "none", "discriminator.norm": "none", "latent.dim": LATENT, "init.scheme": "kaiming",
        "optimizer.generator": adam, "optimizer.discriminator": adam, "optimizer.schedule": "cosine",
        "ema.halflife_kimg": 20, "training.batch": BATCH, "training.steps": steps, "training.seed": seed,
        "training.precision": "32", "training.tick_kimg": 100, **pairing.changes,
    })  # fmt: skip


def train(plane: Plane, recipe: Recipe) -> Found:
    """Trains on the plane and judges samples of the averaged G."""
    seed = recipe.training.seed
    generator, discriminator = PlaneGenerator(LATENT, WIDTH), plane_discriminator(WIDTH)
    initialise(generator, recipe.init, stream(seed, Purpose.INIT_GENERATOR))
    initialise(discriminator, recipe.init, stream(seed, Purpose.INIT_DISCRIMINATOR))
    players = assemble(recipe, generator, discriminator)
    fabric = Fabric(accelerator="cpu", devices=1)
    train_loop(fabric, recipe, PlaneBatches(plane, seed), players, TrainingProgress(), None, Interrupt())
    with torch.no_grad():
        samples = players.ema(draw_latents(recipe.latent, JUDGED, stream(seed, Purpose.SAMPLE)))
    return plane.judge(samples.numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=list(PLANES), action="append", help="left out: both")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for name in asked.set or PLANES:
        plane = PLANES[name]
        print(f"\n| {name} ({len(plane.modes)} modes) | modes | good samples | seconds |\n|---|---|---|---|")
        for pairing in PAIRINGS:
            started = time.monotonic()
            found = train(plane, recipe_for(pairing, asked.steps, asked.seed))
            seconds = time.monotonic() - started
            print(f"| {pairing.name} | {found.modes} | {found.good:.0%} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
