"""Trains in the run folder, in as many processes as there are devices: begin or resume, loop, last words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Unpack

import torch
from lightning_fabric import Fabric

from ganglion.data.batches import Batches
from ganglion.data.given import Images, cannot_be_named
from ganglion.data.scan import printable
from ganglion.data.store import Store
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError, Interrupted, RunError, TrainingFailed
from ganglion.networks.build import cost_of
from ganglion.platform.devices import keep_freed_memory
from ganglion.platform.environment import describe_environment
from ganglion.platform.files import full_disk_said_once, storage_errors
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, requested_recipe, update
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.runs.checkpoints import TrainingProgress, restore
from ganglion.runs.folder import Run, default_run, difference, locked, set_aside
from ganglion.runs.journal import RunJournal
from ganglion.training.budget import Budget
from ganglion.training.collectives import of_each_share
from ganglion.training.first_batch import check_own
from ganglion.training.loop import train_loop
from ganglion.training.outputs import RunOutputs, Snapshots, TrainingProbe
from ganglion.training.own import STOPPED_BY_CALLBACK, Own
from ganglion.training.players import Players
from ganglion.training.prepare import build_first_players, prepare_run
from ganglion.training.processes import cores, launch
from ganglion.training.replay import replay_for
from ganglion.training.start_from import begun_from, start_of
from ganglion.training.take_over import started_players

__all__ = ["train"]

BUDGET_KEYS = {"training.kimg", "training.steps", "training.minutes"}
SHOWN_KEYS = {"data.shown_channels"}
STOP_KEYS = {"training.stop_when_failing", "training.stop_when_done"}
COMPUTING_KEYS = {"training.deterministic", "training.cuda_graph"}


def train(
    source: Images | None = None,
    *,
    run: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    fresh: bool = False,
    quiet: bool = False,
    cache: str | Path | None = None,
    at_end: Callable[[Run], None] = lambda run: None,
    own: Own | None = None,
    **request: Unpack[Request],
) -> Run:
    """What `ganglion.train` does, without the report: `at_end` is called with the run at its end, also at a failing one."""
    own = own or Own()
    screen = Screen(quiet=quiet)
    source, request, origin, taken_over = begun_from(source, own.requested(request), Path(run) if run else None, fresh)
    if source is None and run is not None and requested_recipe(None, **request).data.source is None:
        _refuse_unnamed(Run(run))
    prepared = prepare_run(source, request, screen, device, devices, cache, own)
    for reason in (*taken_over, *prepared.reasons):
        screen.say(f"auto: {reason}")
    folder = Path(run) if run else default_run(prepared.recipe)
    if Run(folder).exists and not fresh:
        own.check_same(Run(folder).recipe, folder)
    check_own(prepared, own, devices)
    with locked(folder):
        recipe = prepared.recipe if fresh else _continued(Run(folder), prepared.wanted, prepared.recipe, screen)
        starts = origin and (fresh or start_of(folder, recipe.training.start_from) is None)
        start = started_players(recipe, prepared.store, origin, own) if origin and starts else None
        if fresh and (aside := set_aside(folder)):
            screen.say(f"Starting over; the run that was in {folder} is now in {aside}")
            start = start and start.moved(folder, aside)
        environment = describe_environment(prepared.device) | {"seed": recipe.training.seed, "devices": devices}
        Run(folder).begin(recipe, environment, own.networks.content if own.networks else b"")
        if start:
            start.save(Run(folder))
            screen.say(start.text())
        job = Job(recipe, prepared.store, folder, quiet, own)
        try:
            finished = _launch(job, prepared.device, devices)
        except TrainingFailed:
            at_end(Run(folder))
            raise
        if not finished:
            raise Interrupted(f"interrupted and saved; the same command resumes the run ({folder})")
        at_end(Run(folder))
    return Run(folder)


def _refuse_unnamed(run: Run) -> None:
    """Nobody said which images the run is to go on with. Raises DataError where there is such a run."""
    if not run.exists:
        return
    before = str(run.recipe.data.source)
    if cannot_be_named(before):
        raise DataError(
            f"{run.path} was trained on {before}, which no command line can name: call ganglion.train with the same images and "
            f"run={str(run.path)!r}, or name a file or folder that holds them"
        )
    raise DataError(f"no source of images was named; {run.path} was trained on {before}: name it again")


@dataclass(frozen=True)
class Job:
    """What each process of a run needs to know."""

    recipe: Recipe
    store: Store
    folder: Path
    quiet: bool
    own: Own


def _continued(run: Run, wanted: Recipe, settled: Recipe, screen: Screen) -> Recipe:
    """The recipe to go on with. Raises RunError where `run` was made with another."""
    if not run.exists:
        return settled
    before = run.recipe
    if wanted.training.precision == "auto":  # this machine may know better; the run stays as it is
        settled = update(settled, training__precision=before.training.precision)
    changed = difference(before, settled)
    may_change = (
        STOP_KEYS | SHOWN_KEYS | COMPUTING_KEYS | (BUDGET_KEYS if before.optimizer.schedule == "constant" else set())
    )
    if not {line.partition(":")[0] for line in changed} <= may_change:
        raise RunError(
            f"{run.path} was made with another recipe:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nEither start over with --fresh (the old run is set aside), or name another folder with --run"
        )
    if changed:
        screen.say("Changed: " + "; ".join(changed))
    return settled


def _launch(job: Job, device: torch.device, devices: int) -> bool:
    """Runs the job in as many processes as there are devices; whether it came to its end."""
    precision = "bf16-mixed" if job.recipe.training.precision == "bf16" else "32-true"
    return launch(partial(_work, job=job), device, devices, precision)


def _work(fabric: Fabric, *, interrupt: Interrupt, job: Job) -> bool:
    """What each process does: build, restore, loop."""
    recipe, run = job.recipe, Run(job.folder)
    screen = Screen(quiet=job.quiet or fabric.global_rank > 0)
    drawing = [fabric.device] if fabric.device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices=drawing, enabled=job.own.networks is not None),
        training_numerics(fabric.device, recipe.training.deterministic),
        side_stream(fabric.device),
        keep_freed_memory(),
        full_disk_said_once(),
        storage_errors(job.folder),
    ):
        batches = Batches(
            job.store, recipe.training.seed, fabric.device, recipe.data.conditional, recipe.data.held_out_images or 0
        )
        players = build_first_players(recipe, batches, job.own)
        restored = restore(run.checkpoints, players.networks(), players.optimizers(), screen.say)
        progress = restored or TrainingProgress()
        _introduce(job, fabric, screen)
        if progress.stopped and not _still_stopped(progress, job):
            progress.stopped = None  # what stopped it was left out
        if progress.stopped or Budget.of(recipe).fraction(progress.step, progress.seconds) >= 1:
            how = f"has stopped, {progress.stopped}" if progress.stopped else "is finished"
            screen.say(f"This run {how}: {progress.images / 1000:,.1f} kimg. {_ways_on(recipe, progress)}")
            screen.say(f"Samples: {run.fixed_samples}")
            return True
        if progress.step:
            screen.say(f"Resuming at step {progress.step:,} ({progress.images / 1000:,.1f} kimg)")
        replay = replay_for(recipe, fabric.device, fabric.world_size, job.own, screen.say)
        loop = partial(train_loop, fabric, recipe, batches, players, progress, own=job.own, replay=replay)
        if fabric.global_rank > 0:
            return loop(outputs=None, interrupt=interrupt)
        with closing(RunJournal(job.folder, progress.step, screen.say)) as journal, screen.training() as show_progress:
            outputs = RunOutputs(
                run, journal, TrainingProbe(recipe, batches, players, fabric.device, fabric.autocast),
                Snapshots(recipe, batches, journal, fabric.device), show_progress,
            )  # fmt: skip
            if progress.step == 0:
                _write_start(outputs, players)
            finished = _trained(loop, outputs, interrupt)
    if finished:
        _conclude(run, progress, journal.verdict, screen)
    return finished


def _still_stopped(progress: TrainingProgress, job: Job) -> bool:
    """Whether what stopped the run is asked for again."""
    if progress.stopped == STOPPED_BY_CALLBACK:
        return job.own.callback is not None
    return job.recipe.training.stop_when_failing or job.recipe.training.stop_when_done


def _write_start(outputs: RunOutputs, players: Players) -> None:
    """What the first weights draw: sheets, and the record of step 0."""
    outputs.snapshots.draw(players.ema, 0)
    record = outputs.probe.first_record()
    outputs.journal.write(record)
    outputs.journal.diagnose(record)


def _trained(loop: Callable[..., bool], outputs: RunOutputs, interrupt: Interrupt) -> bool:
    """The loop; where it fails, its message ends with the doctor's verdict."""
    try:
        return loop(outputs=outputs, interrupt=interrupt)
    except TrainingFailed as failure:
        raise TrainingFailed(f"{failure}\n{outputs.journal.verdict.text()}") from None


def _conclude(run: Run, progress: TrainingProgress, verdict: Verdict, screen: Screen) -> None:
    """The last words. Raises TrainingFailed where the verdict is failing: everything is saved by then."""
    how = f"Stopped, {progress.stopped}" if progress.stopped else "Finished"
    screen.say(f"{how}: {progress.images / 1000:,.1f} kimg in {progress.seconds:,.0f} s. Samples: {run.fixed_samples}")
    if verdict.state == "failing":
        raise TrainingFailed(
            f"{verdict.text()}\nEverything is saved in {run.path}; ganglion diagnose prints this verdict again."
        )
    screen.say(verdict.text())


def _ways_on(recipe: Recipe, progress: TrainingProgress) -> str:
    if progress.stopped:
        return "Without the option or callback that stopped it, the same command resumes it."
    if recipe.optimizer.schedule == "constant":
        return "A larger budget (--kimg, --steps or --minutes) resumes it."
    return (
        "Its learning rate schedule has ended: --fresh starts over; --from with another --run starts from its weights."
    )


def _introduce(job: Job, fabric: Fabric, screen: Screen) -> None:
    recipe, store = job.recipe, job.store
    cost_g, cost_d = cost_of(recipe, job.own.networks)
    images = f"{len(store.images):,} images of {size_text(store.fit.size)}, {store.fit.channels} channels"
    skipped = f"; {len(store.facts['bad'])} files skipped, see: ganglion data" if store.facts["bad"] else ""
    screen.say(f"Images: {printable(store.facts['description'])}, {images}{skipped}")
    screen.say(f"Recipe {recipe.name}: G {cost_g}; D {cost_d}")
    precision = {"32": "float32", "bf16": "bfloat16 autocast"}.get(recipe.training.precision, "")
    many = f" x{fabric.world_size}" if fabric.world_size > 1 else f", {torch.get_num_threads()} threads"
    screen.say(f"Device {fabric.device}{many}, {precision}; run folder {job.folder}")
    if fabric.world_size > 1:
        _introduce_processes(recipe, fabric, screen)


def _introduce_processes(recipe: Recipe, fabric: Fabric, screen: Screen) -> None:
    count = fabric.world_size
    if fabric.device.type == "cpu" and count > cores():
        screen.say(f"{count} processes on {cores()} CPU cores take turns: --devices {cores()} is as fast")
    if separate := of_each_share(recipe):
        share = recipe.training.batch // count
        screen.say(f"Each process computes of its own {share} images of a batch: {', '.join(separate)} (docs/runs.md)")
