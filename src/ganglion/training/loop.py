"""The training loop. Everything that changes a weight stands here, in the order in which it happens.

N images in a batch, C channels, H height, W width, Z latent dimension.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer

from ganglion.augment.pipeline import noise_at, present
from ganglion.data.batches import Batches
from ganglion.latent.model import trained_model
from ganglion.networks.sampling import draw_latents
from ganglion.objectives.losses import total
from ganglion.objectives.penalties import clip_weights
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.random_numbers import ShareGenerator
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, prune, save_checkpoint
from ganglion.streams import Purpose, stream
from ganglion.training.budget import Budget, lr_scale, reason_to_stop, steps_for
from ganglion.training.collectives import Collectives
from ganglion.training.one_stage import OneStage
from ganglion.training.outputs import RunOutputs
from ganglion.training.own import STOPPED_BY_CALLBACK, Own
from ganglion.training.phases import (
    DiscriminatorPass,
    StepContext,
    discriminator_pass,
    discriminator_terms,
    generator_terms,
)
from ganglion.training.players import Players, decay, update_ema
from ganglion.training.running_stats import logit_summary
from ganglion.training.step_record import non_finite_anywhere, raise_if_non_finite, record_of
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.probe import LastStep, measure, parameter_counts
from ganglion.vitals.records import Record, status_line
from ganglion.vitals.step_stats import CLOSE_LOOKS, StepStats, clip_share

__all__ = ["train_loop"]


def train_loop(
    fabric: Fabric,
    recipe: Recipe,
    batches: Batches,
    players: Players,
    progress: TrainingProgress,
    outputs: RunOutputs | None,
    interrupt: Interrupt,
    clock: Callable[[], float] = time.monotonic,
    own: Own = Own(),  # noqa: B008 (frozen)
) -> bool:
    """Trains `players` from `progress` to the end of the budget; False where interrupted. `clock` is in seconds.

    `own`: the networks are the caller's, or the loss is; its callback is asked at the gate, and what it raises is raised.
    """
    generator, discriminator = players.generator.train(), players.discriminator.train()
    running, objective, balance = players.running_stats, recipe.objective, recipe.balance
    batch, seed = recipe.training.batch, recipe.training.seed
    budget = Budget.of(recipe)
    tick_steps = steps_for(recipe.training.tick_kimg, batch * balance.d_steps)
    snapshot_steps = steps_for(recipe.training.snapshot_kimg, batch * balance.d_steps)
    together = Collectives(fabric)  # with the other processes, each of which has its share of a batch
    together.synchronise(generator, discriminator)
    stats, look_steps = StepStats(generator, discriminator), max(1, tick_steps // CLOSE_LOOKS)
    started, last = clock() - progress.seconds, (progress.images, progress.seconds)
    show_progress = outputs.show_progress if outputs else lambda fraction, line: None
    fraction = budget.fraction(progress.step, progress.seconds)
    _, wanted = together.clock_and_interrupt(progress.seconds, interrupt.wanted)

    def latents(purpose: Purpose, position: int) -> Tensor:
        z = draw_latents(recipe.latent, batch, stream(seed, purpose, position))[together.share]
        return z.to(fabric.device, non_blocking=True)

    while fraction < 1 and progress.stopped is None and not wanted:
        random = _step_generator(seed, progress.step, fabric.device, together, own)
        noise = noise_at(objective.instance_noise, progress.images)
        augment = partial(present, settings=recipe.augment, strength=running.strength, noise=noise, random=random)
        step = StepContext(recipe, players, augment, random, fabric.autocast, own.adversarial, together.gathered)
        scale = lr_scale(recipe.optimizer, fraction, progress.images)
        d_paused, g_paused = running.paused(balance)
        stats.begin(progress.step + 1, look_steps)

        # D phase: each turn has images and latents of its own, and which they are is a function of seed and position
        for turn in range(balance.d_steps):
            real, labels = batches.take(progress.images, batch, together.share)  # (N, C, H, W), (N,)
            z = latents(Purpose.LATENT, progress.images)  # (N, Z)
            last_turn = turn == balance.d_steps - 1  # its fakes serve the G phase as well
            update = running.d_update_number(balance, progress.step, turn)
            seen = discriminator_pass(step, real, labels, z, update, for_generator=last_turn)
            logits = together.whole_logits(seen.real_logits, seen.fake_logits)
            running.update(logit_summary(*logits), recipe, batch)
            parts = discriminator_terms(step, seen, labels, update)
            loss_d = total(parts)
            stats.logits_seen(*logits)
            stats.losses("d", parts, loss_d)
            one_stage = OneStage.of(step, seen, update, progress.images, d_paused) if last_turn else None
            if d_paused:
                running.skipped_updates += 1
            else:
                _backward(fabric, players.optimizer_d, loss_d, seen, one_stage)
                _step(together, players.optimizer_d, recipe.optimizer.discriminator.lr * scale, stats.d)
                clip_weights(discriminator, objective.weight_clip)
            progress.images += batch

        # G phase: the first turn has the D phase's last fakes, each other one latents of its own
        fake = seen.fake
        for turn in range(balance.g_steps):
            if turn:
                z = latents(Purpose.LATENT_AGAIN, progress.step * balance.g_steps + turn)
                with fabric.autocast():
                    fake, one_stage = step.generate(z, labels), None
            parts = generator_terms(step, fake, seen.seen_real, labels, progress.images, one_stage)
            loss_g = total(parts)
            stats.losses("g", parts, loss_g)
            if not g_paused:
                _backward(fabric, players.optimizer_g, loss_g)
                _step(together, players.optimizer_g, recipe.optimizer.generator.lr * scale, stats.g)

        # EMA, and the mean weights over all steps
        progress.step += 1
        together.average_buffers()
        averaged = progress.images + progress.images_before
        update_ema(players.ema, generator, decay(recipe.ema, averaged, batch * balance.d_steps))
        running.update_mean_weights("generator", generator, progress.step)
        running.update_mean_weights("discriminator", discriminator, progress.step)

        # Gate: nothing below runs at every step, and nothing above waits for the device, unless the recipe pauses players
        progress.seconds, wanted = together.clock_and_interrupt(clock() - started, interrupt.wanted)
        fraction = budget.fraction(progress.step, progress.seconds)
        over = fraction >= 1 or wanted
        show_progress(fraction, None)
        if not (over or progress.step % tick_steps == 0 or progress.step % snapshot_steps == 0):
            continue

        # Record, verdict, samples, checkpoint, stop
        stats.merge(together)
        record = record_of(stats.read(), progress, last, fraction, scale, recipe, players)
        record |= non_finite_anywhere(together, record)
        last = progress.images, progress.seconds
        failure = None
        if outputs:
            record |= outputs.speed.tick(progress.images)
            outputs.write_start()
            last_step = LastStep(seen.real, fake.detach().float(), fake.detach().float(), (z, labels))
            saving = over or progress.step % snapshot_steps == 0
            progress.stopped, failure = _record_and_save(
                outputs, recipe, players, progress, record, last_step, saving, own
            )
            show_progress(fraction, status_line(record, outputs.journal.verdict.state))
            outputs.speed.go_on(progress.images)
        raise_if_non_finite(record)
        progress.stopped = _agreed_stop(together, progress.stopped, failure)
    return fraction >= 1 or progress.stopped is not None


def _record_and_save(
    outputs: RunOutputs, recipe: Recipe, players: Players, progress: TrainingProgress, record: Record, last: LastStep,
    saving: bool, own: Own,
) -> tuple[str | None, Exception | None]:  # fmt: skip
    """Verdict, samples, record, callback, checkpoint; why the run is to stop here, if it is, and what the callback raised.

    The record comes before the checkpoint, so a killed run has a record of all it saved. Broken weights are not saved.
    """
    finite = "non_finite" not in record
    if finite:
        record |= measure(outputs.probe, last, record.get("separation")) | parameter_counts(outputs.probe)
        if recipe.objective.weight_clip is not None:
            record["clip_share"] = clip_share(players.discriminator, recipe.objective.weight_clip)
        if saving:
            _score(outputs, players, progress, record)
    verdict = outputs.journal.diagnose(record)
    stop = reason_to_stop(recipe.training, progress, verdict) if finite else None
    asked, failure = _ask_callback(own, record, recipe, players) if finite else (None, None)
    stop = stop or asked
    if (stop or failure) and not saving:
        _score(outputs, players, progress, record)
    outputs.journal.write(record)
    if finite and (saving or stop or failure):
        state = replace(progress, stopped=stop)
        save_checkpoint(outputs.run.checkpoints, players.networks(), players.optimizers(), state)
        prune(outputs.run.checkpoints, recipe.training.keep_checkpoints)
    return stop, failure


def _ask_callback(own: Own, record: Record, recipe: Recipe, players: Players) -> tuple[str | None, Exception | None]:
    """Why the callback has the run stop, if it does, and what it raised. It is given a copy of the record."""
    if own.callback is None:
        return None, None
    device = players.running_stats.means.device
    try:
        answer = own.callback(copy.deepcopy(record), trained_model(players.ema, recipe, device))
        if answer not in (None, "stop"):
            raise ValueError(f'a callback returns "stop", or None to go on; got {answer!r}')
    except Exception as failure:  # raised again when all is saved
        return None, failure
    return (STOPPED_BY_CALLBACK if answer else None), None


def _score(outputs: RunOutputs, players: Players, progress: TrainingProgress, record: Record) -> None:
    record["frechet"] = score = outputs.snapshots.take(players.ema, progress.step)
    progress.keep_best(score)


def _step_generator(seed: int, step: int, device: torch.device, together: Collectives, own: Own) -> torch.Generator:
    """Random numbers for what a step draws on the device: augmentation, noise, points between images.

    An image's numbers do not depend on the number of processes. Dropout and noise in networks of one's own draw from
    PyTorch's generators, which are seeded at each step as well, in each process by another number.
    """
    first, *others = stream(seed, Purpose.STEP, step).integers(2**63, size=2 + together.rank).tolist()
    if own.networks is not None:
        torch.manual_seed(others[-1])
    return ShareGenerator(device, together.rank, together.count).manual_seed(first)


def _backward(
    fabric: Fabric, optimizer: Optimizer, loss: Tensor, seen: DiscriminatorPass | None = None,
    one_stage: OneStage | None = None,
) -> None:  # fmt: skip
    """The gradients of one player's loss at its weights, and at the images of `one_stage`."""
    optimizer.zero_grad(set_to_none=True)
    if seen is None or not seen.differentiated:
        fabric.backward(loss)
        return
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    fabric.backward(loss, inputs=[*weights, *(one_stage.images if one_stage else ())])


def _step(together: Collectives, optimizer: Optimizer, lr: float, stats: GradientStats) -> None:
    """One update of one player; its gradients are averaged over the processes."""
    for group in optimizer.param_groups:
        group["lr"] = lr
        together.average([p.grad for p in group["params"] if p.grad is not None])
    stats.after_backward()
    optimizer.step()
    stats.after_step()


def _agreed_stop(together: Collectives, reason: str | None, failure: Exception | None) -> str | None:
    """The first process's reason to stop, so that all end at the same step. Raises what its callback raised."""
    agreed = together.first_of("the callback failed" if failure else reason)
    if failure:
        raise failure
    return agreed
