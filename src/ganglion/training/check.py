"""`ganglion check`: before training, would this fail, how fast will it be, how much memory does it take? Under a minute.

It looks at the images, sends one batch through both networks as they start, and trains for some seconds on copies that are
thrown away.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from lightning_fabric import Fabric
from torch import Tensor

from ganglion.data.batches import Batches
from ganglion.data.given import Images
from ganglion.errors import TrainingFailed
from ganglion.networks.build import cost_of
from ganglion.networks.sampling import draw_latents
from ganglion.objectives.losses import total
from ganglion.platform.devices import fabric_precision, keep_freed_memory
from ganglion.platform.memory import peak_memory_gb
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.streams import Purpose, stream
from ganglion.training.first_batch import check_own, first_step
from ganglion.training.memory import plan_memory
from ganglion.training.outlook import budget_at, outlook, with_budget_by_speed
from ganglion.training.own import Own
from ganglion.training.phases import discriminator_pass, discriminator_terms, generator_terms
from ganglion.training.prepare import batches_of, build_first_players, prepare_run
from ganglion.training.remarks import Remark, of_balance, of_first_weights, of_images, of_values
from ganglion.training.running_stats import logit_summary
from ganglion.training.threads import ThreadsChoice, checked_threads, choose_threads, measured_threads, restored_threads
from ganglion.training.timed_steps import images_per_sec
from ganglion.vitals.gradients import LayerSignal, signals

__all__ = ["Check", "check"]

SECONDS = 8.0  # of training to see how fast it is


@dataclass(frozen=True)
class Check:
    """What `ganglion check` prints."""

    remarks: list[Remark]
    recipe: str
    images: int
    threads: int
    """CPU threads."""
    threads_reason: str
    """Why as many; empty where there was no choice."""
    images_per_sec: float
    minutes: float
    """The budget in minutes."""
    kimg: float
    """The budget in thousands of images shown to D."""
    memory_gb: float | None
    """The largest so far, of the process or on the device; None where the system does not tell."""
    memory: str
    """What a step needs of the memory available, and into what micro-batches it is divided; empty where it is not known."""
    micro_batch: int | None
    """Of the recipe, or the one that fits; None: a batch goes through the networks at once."""
    outlook: str
    """What the budget can be expected to give."""
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
    threads: str | int = "auto",
    cache: str | Path | None = None,
    quiet: bool = False,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
    own: Own | None = None,
    **request: Unpack[Request],
) -> Check:
    """Looks before training. Keywords are those of `ganglion.train`; `seconds` are trained. Raises as it does.

    `own`: networks and loss of one's own.
    """
    screen, own, asked_threads = Screen(quiet=quiet), own or Own(), checked_threads(threads)
    prepared = prepare_run(source, request, screen, device, 1, cache, own)
    store = prepared.store
    for reason in prepared.reasons:
        screen.say(f"auto: {reason}")
    check_own(prepared, own)
    plan = plan_memory(prepared, own)
    recipe = plan.recipe
    remarks = [
        *of_images(store, recipe.augment.kind != "none"),
        *of_values(recipe),
        *of_balance(*cost_of(recipe, own.networks)),
    ]
    batches = batches_of(prepared)
    fabric = Fabric(accelerator=prepared.device.type, devices=1, precision=fabric_precision(recipe.training.precision))
    kept = keep_freed_memory() if recipe.training.micro_batch is None else nullcontext()
    numerics = training_numerics(prepared.device, recipe.training.deterministic)
    with restored_threads(), numerics, side_stream(prepared.device), kept:
        measured = partial(_measured_threads, fabric, recipe, batches, own) if fabric.device.type == "cpu" else None
        choice = choose_threads(asked_threads, None, measured)
        layers_g, layers_d, first = first_signals(fabric, recipe, batches, own)
        remarks += of_first_weights(layers_g, layers_d, first)
        progress, began = TrainingProgress(), clock()
        try:
            speed = images_per_sec(fabric, recipe, batches, own, seconds, clock=clock, progress=progress)
        except TrainingFailed:
            speed = max(progress.images, recipe.training.batch) / max(clock() - began, 1e-9)
            text = f"numbers are no longer finite after {max(1, progress.step):,} steps: smaller rates or first weights"
            remarks.append(Remark("failing", "first steps", text))
    if prepared.auto_budget:
        recipe = with_budget_by_speed(recipe, len(store.images), speed)
    minutes, kimg = budget_at(recipe, speed)
    memory = peak_memory_gb(prepared.device)
    return Check(
        remarks, recipe.name, len(store.images), choice.count, choice.reason, speed, minutes, kimg, memory, plan.text,
        recipe.training.micro_batch, outlook(recipe, len(store.images), speed), layers_g, layers_d,
    )  # fmt: skip


def _measured_threads(fabric: Fabric, recipe: Recipe, batches: Batches, own: Own, count: int) -> ThreadsChoice:
    return measured_threads(fabric, recipe, batches, build_first_players(recipe, batches, own), own, count)


def first_signals(
    fabric: Fabric, recipe: Recipe, batches: Batches, own: Own
) -> tuple[list[LayerSignal], list[LayerSignal], Tensor]:
    """Signals of G's and of D's layers in the phases of the first step, and G's first images (N, C, H, W)."""
    players = build_first_players(recipe, batches, own)
    players.generator.train()
    players.discriminator.train()
    n, seed = recipe.training.batch, recipe.training.seed
    real, labels = batches.take(0, n)
    z = draw_latents(recipe.latent, n, stream(seed, Purpose.LATENT)).to(fabric.device)
    step = first_step(recipe, players, own, fabric.autocast)
    kept: list[Tensor] = []

    def loss_d() -> Tensor:
        seen = discriminator_pass(step, real, labels, z, 0, for_generator=False)
        players.running_stats.update(logit_summary(seen.real_logits, seen.fake_logits), recipe, n)
        kept.append(seen.fake)
        return total(discriminator_terms(step, seen, labels, 0))

    def loss_g() -> Tensor:
        with fabric.autocast():
            fake = step.generate(z, labels)
        return total(generator_terms(step, fake, step.augment(real), labels))

    layers_d = signals(players.discriminator, loss_d)
    return signals(players.generator, loss_g), layers_d, kept[0].float()


def _plain(layer: LayerSignal) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in layer._asdict().items()
    }
