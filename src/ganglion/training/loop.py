"""The training loop. Everything that changes a weight stands here, in the order in which it happens.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer

from ganglion.augment.pipeline import noise_at, present
from ganglion.data.batches import Batches
from ganglion.errors import TrainingFailed
from ganglion.networks.base import Discriminator
from ganglion.networks.sampling import draw_latents
from ganglion.objectives.losses import DiscriminatorOutput, discriminator_loss, generator_loss, needs_real, total
from ganglion.objectives.penalties import PenaltyInputs, clip_weights
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.parts import Objective
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import prune, save_checkpoint
from ganglion.runs.folder import Run
from ganglion.runs.journal import LiveDiagnosis, VitalsLog
from ganglion.streams import Purpose, stream
from ganglion.training.budget import Budget, lr_scale, steps_for
from ganglion.training.outputs import LastStep, Probe, Snapshots
from ganglion.training.players import Players, TrainingProgress, decay, frozen, update_ema
from ganglion.training.running_stats import RunningStats, logit_summary
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.records import Record, status_line
from ganglion.vitals.step_stats import CLOSE_LOOKS, StepStats

__all__ = ["RunOutputs", "train_loop"]


@dataclass(frozen=True)
class RunOutputs:
    """Where results go. Only the first process of a run has one."""

    run: Run
    vitals: VitalsLog
    doctor: LiveDiagnosis
    checkup: Probe
    snapshots: Snapshots
    show: Callable[[float, str | None], None]


def train_loop(
    fabric: Fabric,
    recipe: Recipe,
    batches: Batches,
    players: Players,
    position: TrainingProgress,
    desk: RunOutputs | None,
    interrupt: Interrupt,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Trains `players` from `position` to the end of the budget; False where interrupted. `clock` is in seconds."""
    generator, discriminator, memory = players.generator.train(), players.discriminator.train(), players.memory
    objective, balance, batch, seed = recipe.objective, recipe.balance, recipe.training.batch, recipe.training.seed
    budget = Budget.of(recipe)
    tick_steps = steps_for(recipe.training.tick_kimg, batch * balance.d_steps)
    snapshot_steps = steps_for(recipe.training.snapshot_kimg, batch * balance.d_steps)
    mine = slice(fabric.global_rank, None, fabric.world_size)  # this process's share of a batch
    stats, look_steps = StepStats(generator, discriminator), max(1, tick_steps // CLOSE_LOOKS)
    started, last = clock() - position.seconds, (position.images, position.seconds)
    show_progress = desk.show if desk else lambda fraction, line: None
    fraction = budget.fraction(position.step, position.seconds)

    def latents(purpose: Purpose, place: int) -> Tensor:
        return draw_latents(recipe.latent, batch, stream(seed, purpose, place))[mine].to(
            fabric.device, non_blocking=True
        )

    while fraction < 1 and position.stopped is None and not interrupt.wanted:
        random = _step_generator(seed, position.step * fabric.world_size + fabric.global_rank, fabric.device)
        noise = noise_at(objective.instance_noise, position.images)
        show = partial(present, settings=recipe.augment, strength=memory.strength, noise=noise, random=random)
        scale = lr_scale(recipe.optimizer, fraction, position.images)
        d_waits, g_waits = memory.waiting(balance)
        stats.begin(position.step + 1, look_steps)

        # D phase: each turn has images and latents of its own, and which they are is a function of seed and position
        for turn in range(balance.d_steps):
            real, labels = batches.take(position.images, batch, mine)  # (N, C, H, W), (N,)
            z = latents(Purpose.LATENT, position.images)  # (N, Z)
            for_g = turn == balance.d_steps - 1  # these fakes keep their graph for the G phase: D's step leaves G alone
            with fabric.autocast():
                with torch.set_grad_enabled(for_g):
                    fake = generator(z, labels)  # (N, C, H, W)
                seen_real, seen_fake = show(real), show(fake.detach())
                real_logits = discriminator(seen_real, labels).float()  # (N,)
                fake_logits = discriminator(seen_fake, labels).float()
            memory.observe(_shared(fabric, logit_summary(real_logits, fake_logits)), recipe, batch)
            inputs = PenaltyInputs(partial(discriminator, labels=labels), seen_real, seen_fake, real_logits, fake_logits,
                          memory.mean("mean_real"), memory.mean("mean_fake"), random)  # fmt: skip
            parts = discriminator_loss(objective, inputs, memory.update_of_d(balance, position.step, turn))
            parts |= memory.pull(objective.historical_averaging_weight, "discriminator", discriminator)
            loss_d = total(parts)
            stats.judged(real_logits, fake_logits)
            stats.losses("d", parts, loss_d)
            if d_waits:
                memory.left_out += 1
            else:
                _step(fabric, players.optimizer_d, loss_d, recipe.optimizer.discriminator.lr * scale, stats.d)
                clip_weights(discriminator, objective.weight_clip)
            position.images += batch

        # G phase: the first turn has the D phase's last fakes, each other one latents of its own
        for turn in range(balance.g_steps):
            with fabric.autocast():
                if turn:
                    z = latents(Purpose.LATENT_AGAIN, position.step * balance.g_steps + turn)
                    fake = generator(z, labels)
                with frozen(discriminator):
                    fakes = _judgement(discriminator, show(fake), labels, objective)
                    with torch.no_grad():
                        reals = (
                            _judgement(discriminator, seen_real, labels, objective) if needs_real(objective) else None
                        )
                    parts = generator_loss(objective, reals, fakes, position.images)
            parts |= memory.pull(objective.historical_averaging_weight, "generator", generator)
            loss_g = total(parts)
            stats.losses("g", parts, loss_g)
            if not g_waits:
                with frozen(discriminator):
                    _step(fabric, players.optimizer_g, loss_g, recipe.optimizer.generator.lr * scale, stats.g)

        # EMA, and the means over all steps
        position.step += 1
        update_ema(players.ema, generator, decay(recipe.ema, position.images, batch * balance.d_steps))
        memory.remember("generator", generator, position.step)
        memory.remember("discriminator", discriminator, position.step)

        # Gate: nothing below runs at every step, and nothing above waits for the device, unless the recipe stalls
        position.seconds, interrupt.wanted = _sync_clock_and_interrupt(fabric, clock() - started, interrupt.wanted)
        fraction = budget.fraction(position.step, position.seconds)
        over = fraction >= 1 or interrupt.wanted
        show_progress(fraction, None)
        if not (over or position.step % tick_steps == 0 or position.step % snapshot_steps == 0):
            continue

        # Record, verdict, samples, checkpoint, stop
        record = _record(stats.read(), position, last, fraction, scale, recipe, memory, players)
        last = position.images, position.seconds
        if desk:
            last_step = LastStep(real, fake, z, labels)
            saving = over or position.step % snapshot_steps == 0
            position.stopped = _record_and_save(desk, recipe, players, position, record, last_step, saving)
            show_progress(fraction, status_line(record, desk.doctor.state))
        _refuse_non_finite(record)
        position.stopped = _broadcast_stop_reason(fabric, position.stopped)
    return fraction >= 1 or position.stopped is not None


def _record_and_save(
    desk: RunOutputs,
    recipe: Recipe,
    players: Players,
    position: TrainingProgress,
    record: Record,
    last: LastStep,
    saving: bool,
) -> str | None:
    """Verdict, samples, record, checkpoint; why the run is to stop here, if it is.

    The record comes before the checkpoint: what a killed run has saved is on record. Broken weights are not saved.
    """
    whole = "non_finite" not in record
    if whole:
        record |= desk.checkup(players, last, record.get("separation"))
        if saving:
            _score(desk, players, position, record)
    desk.doctor.take(record)
    stop = desk.doctor.reason_to_stop(recipe.training, position) if whole else None
    if stop and not saving:
        _score(desk, players, position, record)
    desk.vitals.write(record)
    if whole and (saving or stop):
        save_checkpoint(desk.run.checkpoints, players, replace(position, stopped=stop))
        prune(desk.run.checkpoints, recipe.training.keep_checkpoints)
    return stop


def _score(desk: RunOutputs, players: Players, position: TrainingProgress, record: Record) -> None:
    record["frechet"] = score = desk.snapshots.take(players.ema, position.step)
    position.keep_best(score)


def _step_generator(seed: int, position: int, device: torch.device) -> torch.Generator:
    """Random numbers for what a step draws on the device: augmentation, noise, places between images."""
    first = int(stream(seed, Purpose.STEP, position).integers(2**63))
    return torch.Generator(device).manual_seed(first)


def _shared(fabric: Fabric, values: Tensor) -> Tensor:
    """Means over the processes, so that all of them remember the same."""
    return values if fabric.world_size == 1 else cast(Tensor, fabric.all_reduce(values, reduce_op="mean"))


def _judgement(
    discriminator: Discriminator, images: Tensor, labels: Tensor | None, objective: Objective
) -> DiscriminatorOutput:
    logits, features = discriminator.trace(images, labels, objective.feature_matching.layer)
    return DiscriminatorOutput(logits.float(), features)


def _step(fabric: Fabric, optimizer: Optimizer, loss: Tensor, lr: float, gauge: GradientStats) -> None:
    """One update of one player; its gradients are averaged over the processes."""
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(loss)
    for group in optimizer.param_groups:
        group["lr"] = lr
        if fabric.world_size > 1:
            _average(fabric, [p.grad for p in group["params"] if p.grad is not None])
    gauge.after_backward()
    optimizer.step()
    gauge.after_step()


def _average(fabric: Fabric, gradients: list[Tensor]) -> None:
    """Means over the processes, in one message."""
    flat = cast(Tensor, fabric.all_reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduce_op="mean"))
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _sync_clock_and_interrupt(fabric: Fabric, seconds: float, wanted: bool) -> tuple[float, bool]:
    """The first process's clock and wish, so that all processes stop at the same step."""
    if fabric.world_size == 1:
        return seconds, wanted
    agreed: tuple[float, bool] = fabric.broadcast((seconds, wanted))
    return agreed


def _record(
    measured: dict[str, Any], position: TrainingProgress, last: tuple[int, float], fraction: float, scale: float,
    recipe: Recipe, memory: RunningStats, players: Players,
) -> Record:  # fmt: skip
    images, seconds = position.images - last[0], position.seconds - last[1]
    if "non_finite" not in measured and (bad := _first_non_finite(players.state())):
        measured["non_finite"] = {"step": position.step, "tensor": bad}
    return {
        "step": position.step,
        "kimg": position.images / 1000,
        "seconds": round(position.seconds, 3),
        "images_per_sec": round(images / max(seconds, 1e-9), 2),
        "eta_sec": round(position.seconds * (1 / fraction - 1), 1),
        "lr_g": recipe.optimizer.generator.lr * scale,
        "lr_d": recipe.optimizer.discriminator.lr * scale,
        **measured,
        **_of_this_recipe(measured, recipe, memory),
    }


def _of_this_recipe(measured: dict[str, Any], recipe: Recipe, memory: RunningStats) -> Record:
    """What only some recipes have: a critic's estimate of the earth mover's distance, the strength of augmentation."""
    special: Record = {}
    if recipe.objective.adversarial == "wasserstein" and "logit_real" in measured and "logit_fake" in measured:
        special["earth_mover"] = measured["logit_real"] - measured["logit_fake"]  # times D's Lipschitz constant
    if recipe.augment.kind == "ada":
        special["augment_strength"] = round(float(memory.strength), 6)
    return special


def _refuse_non_finite(record: Record) -> None:
    """Raises TrainingFailed, with nothing saved over."""
    if bad := record.get("non_finite"):
        raise TrainingFailed(
            f"numbers stopped being finite at step {bad['step']:,}: first the {bad['tensor']}; the checkpoints before it "
            "are intact. Try lower learning rates: --set optimizer.generator.lr=... --set optimizer.discriminator.lr=..."
        )


def _broadcast_stop_reason(fabric: Fabric, reason: str | None) -> str | None:
    """The first process's reason to stop, so that all processes stop at the same step."""
    told: str | None = reason if fabric.world_size == 1 else fabric.broadcast(reason)
    return told


def _first_non_finite(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    named = [(name, tensor) for name, tensor in tensors if tensor.is_floating_point()]
    finite = torch.stack([tensor.isfinite().all() for _, tensor in named]).tolist()  # one transfer
    return next((name for (name, _), good in zip(named, finite, strict=True) if not good), None)
