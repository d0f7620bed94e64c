"""`ganglion check`: before training, would this fail, how fast will it be, how much memory does it take? Under a minute.

It looks at the images, sends one batch through both networks as they start, and trains for some seconds on copies that are
thrown away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from ganglion.data.batches import Batches
from ganglion.data.given import Images, name_of
from ganglion.data.pixels import to_float
from ganglion.data.prepare import cache_folder
from ganglion.data.store import Store
from ganglion.errors import TrainingFailed
from ganglion.networks.build import Cost, cost_of
from ganglion.networks.sampling import draw_latents
from ganglion.objectives.losses import DiscriminatorOutput, discriminator_loss, generator_loss, needs_real, total
from ganglion.objectives.penalties import PenaltyInputs
from ganglion.platform.devices import choose_device, keep_freed_memory, peak_memory_gb, reproducible
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, requested_recipe, update
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.budget import Budget
from ganglion.training.loop import train_loop
from ganglion.training.players import Players, TrainingProgress
from ganglion.training.prepare import resolve_auto
from ganglion.training.train import filled_in, first_players
from ganglion.vitals.gradients import LayerSignal, signals
from ganglion.vitals.sample_stats import mean_distance, nearest_distances, saturation, small

__all__ = ["Check", "Remark", "check"]


SECONDS = 8.0  # of training to see how fast it is
LOOKED_AT = 1000  # images

FEW, VERY_FEW = 300, 50
REPEATED = 0.02
FLAT = 0.25  # of the range of 256 levels: pictures that use less are probably not scaled
FAINT, FULL = 0.02, 0.5  # G's first images: deviation of their pixels below which, share of saturated ones above which
UNEVEN = 1e3  # ratio of the gradients of the first and the last layer, each over its weight
LOPSIDED = 20.0  # ratio of the players' operations


@dataclass(frozen=True)
class Remark:
    """One thing that was looked at."""

    level: Literal["fine", "watch", "failing"]
    topic: str
    text: str


@dataclass(frozen=True)
class Check:
    """What `ganglion check` prints."""

    remarks: list[Remark]
    recipe: str
    images: int
    images_per_sec: float
    minutes: float
    """The budget in minutes."""
    kimg: float
    """The budget in thousands of images shown to D."""
    memory_gb: float | None
    """The largest so far, of the process or on the device; None where the system does not tell."""
    signals_g: list[LayerSignal]
    signals_d: list[LayerSignal]

    @property
    def state(self) -> str:
        levels = {remark.level for remark in self.remarks}
        return "failing" if "failing" in levels else "watch" if "watch" in levels else "fine"

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for JSON, which has no word for a signal that is not finite: it is None."""
        layers = {name: [_plain(layer) for layer in getattr(self, name)] for name in ("signals_g", "signals_d")}
        return {"state": self.state, **asdict(self), **layers}


def check(
    source: Images | None = None,
    *,
    device: str = "auto",
    cache: str | Path | None = None,
    quiet: bool = False,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
    **asked: Unpack[Request],
) -> Check:
    """Looks before training. Keywords are those of `ganglion.train`; `seconds` are trained. Raises as it does."""
    screen = Screen(quiet=quiet)
    requested_recipe(name_of(source), **asked)
    place = choose_device(device)
    wanted, store, reasons = resolve_auto(source, asked, Path(cache) if cache else cache_folder(), place.type, screen)
    recipe = filled_in(wanted, store, place)
    for reason in reasons:
        screen.say(f"auto: {reason}")
    remarks = [*of_images(store), *of_balance(*cost_of(recipe))]
    batches = Batches(store, recipe.training.seed, place, recipe.data.conditional, recipe.data.held_out_images or 0)
    with reproducible(), keep_freed_memory():
        layers_g, layers_d, first = at_the_start(recipe, batches, place)
        remarks += of_first_weights(layers_g, layers_d, first)
        speed, failed = _speed(recipe, batches, place, seconds, clock)
    if failed:
        remarks.append(Remark("failing", "first steps", failed))
    minutes, kimg = _budget(recipe, speed)
    return Check(
        remarks, recipe.name, len(store.images), speed, minutes, kimg, peak_memory_gb(place), layers_g, layers_d
    )


def of_images(store: Store) -> list[Remark]:
    """Too few, repeated, of mixed kinds, not scaled."""
    n = len(store.images)
    facts = store.facts
    level: Literal["fine", "watch", "failing"] = "failing" if n < VERY_FEW else "watch" if n < FEW else "fine"
    advice = {"failing": ": a GAN learns them by heart; take more", "watch": ": augment them (recipe small-data)"}
    found = [Remark(level, "number", f"{n:,} images{advice.get(level, '')}")]
    chosen = np.sort(stream(0, Purpose.EXAMINED).permutation(n)[:LOOKED_AT])
    pixels = np.array(store.images[chosen])
    repeated = _repeated(pixels)
    copies = facts.get("duplicates", 0) / max(1, n)
    if max(repeated, copies) > REPEATED:
        text = (
            f"{max(repeated, copies):.0%} of the images are there twice: G will learn to repeat them; take copies out"
        )
        found.append(Remark("watch", "copies", text))
    low, high = int(pixels.min()), int(pixels.max())
    if high - low < FLAT * 255:
        text = f"all pixels lie in {low}..{high} of 0..255: were they saved without scaling?"
        found.append(Remark("failing", "range", text))
    else:
        found.append(Remark("fine", "range", f"pixels span {low}..{high}"))
    found += _of_kinds(facts, n)
    return found


def _of_kinds(facts: dict[str, Any], n: int) -> list[Remark]:
    found = []
    gray = facts.get("gray", 0)
    if 0.02 * n < gray < 0.98 * n:
        found.append(Remark("watch", "kinds", f"{gray:,} gray and {n - gray:,} colour images are mixed"))
    small_side, large_side = (min(facts.get(key, (0, 0))) for key in ("smallest_size", "largest_size"))
    if small_side and large_side > 8 * small_side:
        text = f"sizes from {small_side} to {large_side} pixels are mixed: enlarged ones look blurred beside the others"
        found.append(Remark("watch", "sizes", text))
    if facts.get("bad"):
        found.append(Remark("watch", "files", f"{len(facts['bad'])} files are skipped; ganglion data lists them"))
    return found


def of_balance(cost_g: Cost, cost_d: Cost) -> list[Remark]:
    """Whether one player is far larger than the other."""
    text = f"G {cost_g}; D {cost_d}"
    ratio = max(cost_g.flops, cost_d.flops) / max(1, min(cost_g.flops, cost_d.flops))
    if ratio <= LOPSIDED:
        return [Remark("fine", "balance", text)]
    larger = "G" if cost_g.flops > cost_d.flops else "D"
    unequal = f"{text}: {larger} works {ratio:,.0f} times as much an image; bring the widths together"
    return [Remark("watch", "balance", unequal)]


def of_first_weights(layers_g: list[LayerSignal], layers_d: list[LayerSignal], first: Tensor) -> list[Remark]:
    """What the first weights make of a signal; `first` are G's first images."""
    spread, full = float(first.std()), float(saturation(first))
    found = []
    if full > FULL:
        text = f"{full:.0%} of the pixels of G's first images are black or white, where tanh passes no gradient"
        found.append(Remark("failing", "first weights", f"{text}: smaller weights (init.scheme normal, init.std 0.02)"))
    elif spread < FAINT:
        text = (
            f"G's first images are nearly of one gray (deviation {spread:.2g}): signals fade on the way; larger weights"
        )
        found.append(Remark("watch", "first weights", f"{text}, or a norm (init.scheme kaiming, generator.norm batch)"))
    for name, layers in (("G", layers_g), ("D", layers_d)):
        slopes = [layer.gradient / max(layer.weight, 1e-12) for layer in layers]
        ratio = max(slopes) / max(min(slopes), 1e-30) if slopes else 1.0
        text = f"gradients over weights of {name}'s layers are within a factor of {ratio:,.0f}"
        uneven = f"{text}: some layers would move far and others not at all"
        found.append(Remark("watch", "gradients", uneven) if ratio > UNEVEN else Remark("fine", "gradients", text))
    return found


def at_the_start(
    recipe: Recipe, batches: Batches, device: torch.device
) -> tuple[list[LayerSignal], list[LayerSignal], Tensor]:
    """Signals of both networks for the first batch, and G's first images (N, C, H, W)."""
    players = first_players(recipe, batches)
    generator, discriminator = players.generator.train(), players.discriminator.train()
    n = recipe.training.batch
    real, labels = batches.take(0, n)
    z = draw_latents(recipe.latent, n, stream(recipe.training.seed, Purpose.LATENT)).to(device)
    kept: list[Tensor] = []

    def loss_d() -> Tensor:
        with torch.no_grad():
            fake = generator(z, labels)
        kept.append(fake)
        on_real, on_fake = discriminator(real, labels).float(), discriminator(fake, labels).float()
        means = on_real.mean().detach(), on_fake.mean().detach()
        judge = partial(discriminator, labels=labels)
        random = torch.Generator(device).manual_seed(0)
        return total(
            discriminator_loss(recipe.objective, PenaltyInputs(judge, real, fake, on_real, on_fake, *means, random), 0)
        )

    def loss_g() -> Tensor:
        layer = recipe.objective.feature_matching.layer
        on_fake = DiscriminatorOutput(*discriminator.trace(generator(z, labels), labels, layer))
        on_real = (
            DiscriminatorOutput(*discriminator.trace(real, labels, layer)) if needs_real(recipe.objective) else None
        )
        return total(generator_loss(recipe.objective, on_real, on_fake, 0))

    layers_d = signals(discriminator, loss_d)
    return signals(generator, loss_g), layers_d, kept[0].float()


def _plain(layer: LayerSignal) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in layer._asdict().items()
    }


def _repeated(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    """Share of images that have another one all but equal to them."""
    if len(pixels) < 3:
        return 0.0
    rows = small(to_float(torch.from_numpy(pixels)))
    return float((nearest_distances(rows) < 0.02 * mean_distance(rows)).float().mean())


def _speed(
    recipe: Recipe, batches: Batches, device: torch.device, seconds: float, clock: Callable[[], float]
) -> tuple[float, str]:
    """Images a second, after a first step that pays for what is made once; and how the training failed, if it did."""
    fabric = Fabric(
        accelerator=device.type, devices=1, precision="bf16-mixed" if recipe.training.precision == "bf16" else "32-true"
    )
    players = first_players(recipe, batches)
    position, began, failed = TrainingProgress(), clock(), ""
    try:
        _train(fabric, update(recipe, training__steps=1, training__minutes=None, training__kimg=None), batches, players)
        began = clock()
        timed = update(recipe, training__minutes=seconds / 60, training__steps=None, training__kimg=None)
        _train(fabric, timed, batches, players, position, clock)
    except TrainingFailed:
        failed = f"numbers are no longer finite after {max(1, position.step):,} steps: smaller rates or first weights"
    if device.type == "cuda":
        torch.cuda.synchronize()
    return max(position.images, recipe.training.batch) / max(clock() - began, 1e-9), failed


def _train(
    fabric: Fabric, recipe: Recipe, batches: Batches, players: Players, position: TrainingProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:  # fmt: skip
    train_loop(fabric, recipe, batches, players, position or TrainingProgress(), None, Interrupt(), clock)


def _budget(recipe: Recipe, speed: float) -> tuple[float, float]:
    """(minutes, kimg) of the whole run at this speed."""
    budget = Budget.of(recipe)
    if budget.seconds is not None:
        return budget.seconds / 60, speed * budget.seconds / 1000
    images = (budget.steps or 0) * recipe.training.batch * recipe.balance.d_steps
    return images / speed / 60, images / 1000
