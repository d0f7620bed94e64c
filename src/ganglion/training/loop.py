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

from ganglion.augment.pipeline import noise_at
from ganglion.data.batches import Batches
from ganglion.data.pixels import halved
from ganglion.latent.model import trained_model
from ganglion.objectives.losses import ramp, total
from ganglion.objectives.penalties import clip_weights
from ganglion.platform.interrupt import Interrupt
from ganglion.recipe.schema import Recipe
from ganglion.runs.checkpoints import TrainingProgress, prune, save_checkpoint
from ganglion.runs.folder import Run
from ganglion.streams import Purpose
from ganglion.training.budget import Budget, halvings_at, lr_scale, reason_to_stop
from ganglion.training.collectives import Collectives
from ganglion.training.draws import Draws
from ganglion.training.intervals import Intervals
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
from ganglion.training.players import Players, decay, set_learning_rate, update_ema
from ganglion.training.replay import Replay
from ganglion.training.running_stats import AUC, logit_summary
from ganglion.training.step_record import non_finite_anywhere, raise_if_non_finite, record_of
from ganglion.training.steps import StepInputs, StepNumbers, StepPlan, StepResult, Turn, numbers_on
from ganglion.training.treatment import reason_to_treat
from ganglion.vitals.gradients import GradientStats
from ganglion.vitals.probe import LastStep, measure, parameter_counts
from ganglion.vitals.records import Record, status_line
from ganglion.vitals.scalars import Reading
from ganglion.vitals.step_stats import StepStats, clip_share

__all__ = ["train_loop"]

WAITS = "ends at its next record; Ctrl-C again stops at once, and loses what came after the last checkpoint"


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
    replay: Replay = Replay(None),  # noqa: B008 (it only runs them)
) -> bool:
    """Trains `players` from `progress` to the end of the budget; False where interrupted. `clock` is in seconds.

    `own`: the networks are the caller's, or the loss is; its callback is asked at the gate, and what it raises is raised.
    `replay`: how steps are called; without it each one runs as it is.
    """
    generator, discriminator = players.generator.train(), players.discriminator.train()
    objective, balance, batch = recipe.objective, recipe.balance, recipe.training.batch
    budget = Budget.of(recipe)
    together = Collectives(fabric)  # with the other processes, each of which has its share of a batch
    together.synchronise(generator, discriminator)
    stats = StepStats(generator, discriminator)
    started, last = clock() - progress.seconds, (progress.images, progress.seconds)
    show_progress = outputs.show_progress if outputs else lambda fraction, line: None
    fraction = budget.fraction(progress.step, progress.seconds)
    exact = recipe.training.treat and budget.steps is not None  # the verdicts too, as weights depend on them
    intervals = Intervals(recipe, budget, progress.step, fraction, progress.seconds, early=not exact)
    _, ending = together.clock_and_interrupt(progress.seconds, interrupt.wanted)
    before = halvings_at(recipe, fraction)
    draws = Draws(recipe, fabric.device, together.rank, together.count, own.networks is not None)
    numbers = numbers_on(fabric.device, replay.from_tensors)

    while fraction < 1 and progress.stopped is None and not ending:
        # Fetch: each turn of D has images and latents of its own, and which they are is a function of seed and position
        turns = []
        noise = noise_at(objective.instance_noise, progress.images)
        scale, halvings = lr_scale(recipe.optimizer, fraction, progress.images), halvings_at(recipe, fraction)
        for _ in range(balance.d_steps):
            real, labels = batches.take(progress.images, batch, together.share)  # (N, C, H, W), (N,)
            turns.append(Turn(halved(real, halvings), labels, draws.latents(Purpose.LATENT, progress.images)))
            progress.images += batch
        more = [progress.step * balance.g_steps + turn for turn in range(1, balance.g_steps)]
        given = StepInputs(turns, [draws.latents(Purpose.LATENT_AGAIN, place) for place in more])

        # Step: all that changes a weight
        closely = intervals.closely(progress.step + 1)
        if outputs and halvings != before:
            outputs.speed.other_steps()
        before = halvings
        plan = StepPlan.of(recipe, players.running_stats, progress.step, closely, noise > 0, halvings)
        matching = ramp(progress.images, objective.feature_matching.ramp_kimg)
        kept = decay(recipe.ema, progress.images + progress.images_before, batch * balance.d_steps)
        now = numbers(StepNumbers(noise, matching, kept, 1 / (progress.step + 2)))
        set_learning_rate(players.optimizer_d, recipe.optimizer.discriminator.lr * scale)
        set_learning_rate(players.optimizer_g, recipe.optimizer.generator.lr * scale)
        step = partial(_one_step, fabric, together, own, recipe, players, stats)
        stats.begin(progress.step + 1, closely)
        done = replay(step, plan, given, now, draws, progress.step)
        for reading in done.measured:
            reading.keep()
        progress.step += 1

        # Gate: nothing below runs at every step, and nothing above waits for the device, unless the recipe pauses players
        progress.seconds, wanted = together.clock_and_interrupt(clock() - started, interrupt.wanted)
        fraction = budget.fraction(progress.step, progress.seconds)
        due = intervals.due(progress.step, fraction, progress.seconds)
        ending = wanted and (due.record or not exact)  # a record that is due nowhere else would change the verdicts
        over = fraction >= 1 or ending
        show_progress(fraction, WAITS if wanted and not ending else None)
        if not (over or due.record):
            continue

        # Record, verdict, samples, checkpoint, stop
        stats.merge(together)
        seen = stats.read()  # waits for the device
        if fabric.device.type == "cuda":
            progress.seconds, _ = together.clock_and_interrupt(clock() - started, wanted=False)
            intervals.caught_up(progress.seconds)
        record = record_of(seen, progress, last, fraction, scale, recipe, players)
        record |= non_finite_anywhere(together, record)
        last = progress.images, progress.seconds
        failure = None
        if outputs:
            record |= outputs.speed.tick(progress.images)
            outputs.write_start()
            fake = done.fake.float()
            last_step = LastStep(done.real, fake, fake, (done.z, done.labels))
            snapshot = due.snapshot or (over and not (exact and fraction < 1))
            progress.stopped, failure = _record_and_save(
                outputs, recipe, players, progress, record, last_step, snapshot, over or snapshot, own
            )
            show_progress(fraction, status_line(record, outputs.journal.verdict.status))
            outputs.speed.go_on(progress.images)
        raise_if_non_finite(record)
        progress.stopped = _agreed_stop(together, progress.stopped, failure)
    return fraction >= 1 or progress.stopped is not None


def _one_step(
    fabric: Fabric, together: Collectives, own: Own, recipe: Recipe, players: Players, stats: StepStats,
    plan: StepPlan, given: StepInputs, now: StepNumbers, random: torch.Generator,
) -> StepResult:  # fmt: skip
    """One step. It may be captured as a CUDA graph: what it hands on is written in place, and what changes is in tensors."""
    generator, discriminator, running = players.generator, players.discriminator, players.running_stats
    step = StepContext(
        recipe, players, random, fabric.autocast, own.adversarial, together.gathered,
        noise=now.noise if plan.noisy else 0.0, matching=now.matching, halvings=plan.halvings,
        strength=running.strength.clone() if recipe.augment.kind == "ada" else None,
    )  # fmt: skip
    measured: list[Reading] = []

    # D phase: the last turn's fakes serve the G phase as well
    for turn, (real, labels, z) in enumerate(given.turns):
        last_turn, update = turn == len(given.turns) - 1, plan.updates[turn]
        seen = discriminator_pass(step, real, labels, z, update, for_generator=last_turn)
        logits = together.whole_logits(seen.real_logits, seen.fake_logits)
        summary = logit_summary(*logits)
        running.update(summary, recipe, recipe.training.batch)
        parts = discriminator_terms(step, seen, labels, update)
        loss_d = total(parts)
        measured += [stats.logits_seen(*logits, summary[AUC]), stats.losses("d", parts, loss_d)]
        one_stage = OneStage.of(step, seen, update, plan.d_paused) if last_turn else None
        if plan.d_paused:
            running.skipped_updates += 1
        else:
            _backward(fabric, players.optimizer_d, loss_d, seen, one_stage)
            measured += _step(together, players.optimizer_d, stats.d)
            clip_weights(discriminator, recipe.objective.weight_clip)

    # G phase: the first turn has the D phase's last fakes, each other one latents of its own
    fake = seen.fake
    for turn in range(recipe.balance.g_steps):
        if turn:
            z = given.more_z[turn - 1]
            with fabric.autocast():
                fake, one_stage = step.generate(z, labels), None
        parts = generator_terms(step, fake, seen.seen_real, labels, one_stage)
        loss_g = total(parts)
        measured.append(stats.losses("g", parts, loss_g))
        if not plan.g_paused:
            _backward(fabric, players.optimizer_g, loss_g)
            measured += _step(together, players.optimizer_g, stats.g)

    # EMA, and the mean weights over all steps
    together.average_buffers()
    update_ema(players.ema, generator, now.ema_kept)
    running.update_mean_weights("generator", generator, now.mean_share)
    running.update_mean_weights("discriminator", discriminator, now.mean_share)
    return StepResult(real, fake.detach(), z, labels, measured)


def _record_and_save(
    outputs: RunOutputs, recipe: Recipe, players: Players, progress: TrainingProgress, record: Record, last: LastStep,
    snapshot: bool, saving: bool, own: Own,
) -> tuple[str | None, Exception | None]:  # fmt: skip
    """Verdict, samples, record, callback, checkpoint; why the run is to stop here, if it is, and what the callback raised.

    The record comes before the checkpoint, so a killed run has a record of all it saved. Broken weights are not saved.
    """
    finite = "non_finite" not in record
    if finite:
        record |= measure(outputs.probe, last, record.get("separation")) | parameter_counts(outputs.probe)
        if recipe.objective.weight_clip is not None:
            record["clip_share"] = clip_share(players.discriminator, recipe.objective.weight_clip)
        if snapshot:
            _score(outputs, players, progress, record)
    verdict = outputs.journal.diagnose(record)
    ill = reason_to_treat(recipe, progress, verdict) if finite else None
    stop = ill or (reason_to_stop(recipe.training, progress, verdict) if finite else None)
    asked, failure = _ask_callback(own, record, outputs.run, recipe, players) if finite else (None, None)
    stop = stop or asked
    if (stop or failure) and not snapshot:
        _score(outputs, players, progress, record)
    outputs.journal.write(record)
    if finite and (saving or stop or failure):
        if snapshot and verdict.state == "healthy":
            progress.keep_healthy()
        state = replace(progress, stopped=stop)
        save_checkpoint(outputs.run.checkpoints, players.networks(), players.optimizers(), state)
        also = (0, *progress.healthy_steps) if recipe.training.treat else ()
        prune(outputs.run.checkpoints, recipe.training.keep_checkpoints, also)
    return stop, failure


def _ask_callback(
    own: Own, record: Record, run: Run, recipe: Recipe, players: Players
) -> tuple[str | None, Exception | None]:
    """Why the callback has the run stop, if it does, and what it raised. It is given a copy of the record."""
    if own.callback is None:
        return None, None
    device = players.running_stats.means.device
    try:
        rows = run.training_rows() if recipe.data.conditions else None
        model = trained_model(players.ema, recipe, device, rows=rows)
        answer = own.callback(copy.deepcopy(record), model)
        if answer not in (None, "stop"):
            raise ValueError(f'a callback returns "stop", or None to go on; got {answer!r}')
    except Exception as failure:  # raised again when all is saved
        return None, failure
    return (STOPPED_BY_CALLBACK if answer else None), None


def _score(outputs: RunOutputs, players: Players, progress: TrainingProgress, record: Record) -> None:
    record |= outputs.snapshots.take(players.ema, progress)
    progress.keep_best(*outputs.snapshots.rank(record))


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


def _step(together: Collectives, optimizer: Optimizer, stats: GradientStats) -> list[Reading]:
    """One update of one player, and what was measured of it; its gradients are averaged over the processes."""
    for group in optimizer.param_groups:
        together.average([p.grad for p in group["params"] if p.grad is not None])
    gradient = stats.gradient()
    optimizer.step()
    return gradient + stats.update()


def _agreed_stop(together: Collectives, reason: str | None, failure: Exception | None) -> str | None:
    """The first process's reason to stop, so that all end at the same step. Raises what its callback raised."""
    agreed = together.first_of("the callback failed" if failure else reason)
    if failure:
        raise failure
    return agreed
