"""The training loop. Everything that changes a weight stands here, in the order in which it happens.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer

from ganglion.data.batches import Batches
from ganglion.errors import TrainingFailed
from ganglion.networks.latents import draw_latents
from ganglion.objectives.adversarial import ADVERSARIAL
from ganglion.objectives.penalties import due, penalty_of
from ganglion.recipe.schema import Recipe
from ganglion.streams import Purpose, stream
from ganglion.training.budget import Budget, lr_scale, steps_for
from ganglion.training.checkpoint import prune, save_checkpoint
from ganglion.training.ema import decay, update_ema
from ganglion.training.interrupt import Interrupt
from ganglion.training.players import Players, Position, frozen
from ganglion.training.run import Run
from ganglion.training.snapshot import Snapshots
from ganglion.vitals.meter import Meter
from ganglion.vitals.record import Record, VitalsLog, status_line

__all__ = ["Desk", "train_loop"]


@dataclass(frozen=True)
class Desk:
    """Where results go. Only the first process of a run has one."""

    run: Run
    vitals: VitalsLog
    snapshots: Snapshots
    show: Callable[[float, str | None], None]


def train_loop(
    fabric: Fabric,
    recipe: Recipe,
    batches: Batches,
    players: Players,
    position: Position,
    desk: Desk | None,
    interrupt: Interrupt,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Trains `players` from `position` to the end of the budget; False where interrupted. `clock` is in seconds."""
    generator, discriminator = players.generator.train(), players.discriminator.train()
    loss = ADVERSARIAL[recipe.objective.adversarial]
    budget, batch = Budget.of(recipe.training), recipe.training.batch
    tick_steps = steps_for(recipe.training.tick_kimg, batch)
    snapshot_steps = steps_for(recipe.training.snapshot_kimg, batch)
    mine = slice(fabric.global_rank, None, fabric.world_size)  # this process's share of a batch
    meter, started, last = Meter(), clock() - position.seconds, (position.images, position.seconds)
    fraction = budget.fraction(position.step, position.seconds)

    while fraction < 1 and not interrupt.wanted:
        # Fetch: which images and which latents is a function of seed and position alone
        real = batches.take(position.images, batch)[mine]  # (N, C, H, W)
        z = draw_latents(recipe.latent, batch, stream(recipe.training.seed, Purpose.LATENT, position.step))[mine]
        z = z.to(fabric.device, non_blocking=True)  # (N, Z)
        scale = lr_scale(recipe.optimizer, fraction, position.images)

        # D phase: the fakes keep their graph for the G phase, since D's step does not change G
        with fabric.autocast():
            fake = generator(z)  # (N, C, H, W)
            real_logits, fake_logits = discriminator(real).float(), discriminator(fake.detach()).float()  # (N,)
        loss_d = loss.discriminator(real_logits, fake_logits)
        for penalty in due(recipe.objective.penalties, position.step):
            loss_d = loss_d + penalty_of(penalty, discriminator, real, fake)
        _step(fabric, players.optimizer_d, loss_d, recipe.optimizer.discriminator.lr * scale)

        # G phase
        with frozen(discriminator):
            with fabric.autocast():
                judged = discriminator(fake).float()  # (N,)
                rivals = discriminator(real).float().detach() if loss.generator_needs_real else real_logits  # (N,)
            loss_g = loss.generator(rivals, judged)
            _step(fabric, players.optimizer_g, loss_g, recipe.optimizer.generator.lr * scale)

        # EMA
        position.step += 1
        position.images += batch
        update_ema(players.ema, generator, decay(recipe.ema, position.images, batch))

        # Gate: nothing below runs at every step, and nothing above waits for the device
        meter.add(loss_d=loss_d, loss_g=loss_g, logit_real=real_logits.mean(), logit_fake=fake_logits.mean(),
                  d_real=real_logits.sigmoid().mean(), d_fake=fake_logits.sigmoid().mean())  # fmt: skip
        position.seconds, interrupt.wanted = _agree(fabric, clock() - started, interrupt.wanted)
        fraction = budget.fraction(position.step, position.seconds)
        over = fraction >= 1 or interrupt.wanted
        if desk:
            desk.show(fraction, None)
        if not (over or position.step % tick_steps == 0 or position.step % snapshot_steps == 0):
            continue

        # Record
        record = _record(meter.read(), position, last, fraction, scale, recipe)
        last = position.images, position.seconds
        _refuse_non_finite(record, players)
        if desk is None:
            continue

        # Samples, record, checkpoint, in this order: what a killed run has saved is on record
        saving = over or position.step % snapshot_steps == 0
        if saving:
            record["sliced_wasserstein"] = score = desk.snapshots.take(players.ema, position.step)
            position.keep_best(score)
        desk.vitals.write(record)
        desk.show(fraction, status_line(record))
        if saving:
            save_checkpoint(desk.run.checkpoints, players, position)
            prune(desk.run.checkpoints, recipe.training.keep)
    return fraction >= 1


def _step(fabric: Fabric, optimizer: Optimizer, loss: Tensor, lr: float) -> None:
    """One update of one player; its gradients are averaged over the processes."""
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    for group in optimizer.param_groups:
        group["lr"] = lr
        if fabric.world_size > 1:
            _average(fabric, [p.grad for p in group["params"] if p.grad is not None])
    optimizer.step()


def _average(fabric: Fabric, gradients: list[Tensor]) -> None:
    """Means over the processes, in one message."""
    flat = cast(Tensor, fabric.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean"))
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _agree(fabric: Fabric, seconds: float, wanted: bool) -> tuple[float, bool]:
    """The first process's clock and wish, so that all processes stop at the same step."""
    if fabric.world_size == 1:
        return seconds, wanted
    agreed: tuple[float, bool] = fabric.broadcast((seconds, wanted))
    return agreed


def _record(
    means: dict[str, float], position: Position, last: tuple[int, float], fraction: float, scale: float, recipe: Recipe
) -> Record:
    images, seconds = position.images - last[0], position.seconds - last[1]
    return {
        "step": position.step,
        "kimg": position.images / 1000,
        "seconds": round(position.seconds, 3),
        "images_per_sec": round(images / max(seconds, 1e-9), 2),
        "eta_sec": round(position.seconds * (1 / fraction - 1), 1),
        "lr_g": recipe.optimizer.generator.lr * scale,
        "lr_d": recipe.optimizer.discriminator.lr * scale,
        **means,
    }


def _refuse_non_finite(record: Record, players: Players) -> None:
    """Raises TrainingFailed before anything is saved over; names the first bad tensor."""
    losses = torch.tensor([record["loss_d"], record["loss_g"]])
    bad = _first_non_finite(players.state())
    if bad is None and bool(losses.isfinite().all()):
        return
    raise TrainingFailed(
        f"numbers stopped being finite by step {record['step']} "
        f"(loss D {record['loss_d']:g}, loss G {record['loss_g']:g}"
        f"{f', first in {bad}' if bad else ''}); the checkpoints before it are intact. "
        "Try lower learning rates: --set optimizer.generator.lr=... --set optimizer.discriminator.lr=..."
    )


def _first_non_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    named = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    finite = torch.stack([tensor.isfinite().all() for _, tensor in named]).tolist()  # one transfer
    return next((name for (name, _), good in zip(named, finite, strict=True) if not good), None)
