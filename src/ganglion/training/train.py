"""Trains in the run folder, in as many processes as there are devices: begin or resume, loop, last words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Unpack

import torch
from lightning_fabric import Fabric

from ganglion.data.batches import Batches
from ganglion.data.given import Images
from ganglion.data.prepare import cache_folder
from ganglion.data.store import Store
from ganglion.doctor.readers.treatments import treatments_of
from ganglion.errors import TrainingFailed
from ganglion.notebook.screen import screen_here
from ganglion.platform.devices import fabric_precision, keep_freed_memory, release_device_memory
from ganglion.platform.environment import describe_environment
from ganglion.platform.files import full_disk_said_once, storage_errors
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.launcher import check_launch, launched_by
from ganglion.platform.numerics import side_stream, training_numerics
from ganglion.platform.process_identity import identity_of
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, recipe_file, requested_recipe
from ganglion.recipe.schema import Recipe
from ganglion.runs.attempts import first_attempt
from ganglion.runs.checkpoints import TrainingProgress, restore
from ganglion.runs.events import prints_on_stderr
from ganglion.runs.folder import Run, default_run, locked, set_aside
from ganglion.runs.shown import progress_of
from ganglion.training.attempts import Attempts
from ganglion.training.budget import DONE, Budget
from ganglion.training.cluster import Peers, joined
from ganglion.training.collectives import Collectives, state_of_first
from ganglion.training.conditions import training_rows
from ganglion.training.continued import continued
from ganglion.training.first_batch import check_own
from ganglion.training.loggers import Loggers, LogTo, tell_it_is_over
from ganglion.training.loop import train_loop
from ganglion.training.memory import memory_errors, plan_memory
from ganglion.training.messages import conclude, interrupted, introduce, refuse_unnamed, say_it_is_over
from ganglion.training.outlook import foretelling, with_auto_budget
from ganglion.training.outputs import RunOutputs, Snapshots, TrainingProbe, start_writer
from ganglion.training.own import STOPPED_BY_CALLBACK, Own
from ganglion.training.players import Players
from ganglion.training.prepare import PreparedRun, batches_for, build_first_players, prepare_run
from ganglion.training.processes import launch
from ganglion.training.replay import replay_for
from ganglion.training.speed_up import Show, SpeedUp, images_per_sec_alone
from ganglion.training.speed_watch import watch_speed
from ganglion.training.start_from import begun_from, start_of
from ganglion.training.take_over import started_players
from ganglion.training.threads import Threads, checked_threads, choose_threads, measured_threads, restored_threads
from ganglion.training.treatment import check_treated, is_for_treatment

__all__ = ["train"]


def train(
    source: Images | None = None,
    *,
    run: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    threads: str | int = "auto",
    nodes: int = 1,
    fresh: bool = False,
    quiet: bool = False,
    cache: str | Path | None = None,
    at_end: Callable[[Run], None] = lambda run: None,
    own: Own | None = None,
    log: LogTo = LogTo(),  # noqa: B008 (frozen)
    **request: Unpack[Request],
) -> Run:
    """What `ganglion.train` does, without the report: `at_end` is called with the run at its end, also at a failing one.

    In a process that torchrun or srun started, it joins the others; then only the first one calls `at_end`.
    """
    launched = launched_by()
    check_launch(devices, nodes, launched, sys.argv)
    begun = partial(
        _train, source, run, device, threads=checked_threads(threads), fresh=fresh, quiet=quiet, at_end=at_end,
        own=own or Own(), log=log, request=request, cache=Path(cache) if cache else cache_folder(),
    )  # fmt: skip
    if launched is None:
        return begun(devices=devices, nodes=1, start=partial(_launch, devices=devices))
    with joined(launched) as peers:
        if not peers.first:
            return Run(peers.take_part(source, Path(cache) if cache else cache_folder()))
        with peers.told_of_failure():
            return begun(
                devices=launched.local_count, nodes=launched.nodes, start=partial(_launch_beside, peers), once=True
            )


Start = Callable[["Job", torch.device], bool]
"""Runs a job in all processes of a run; whether it came to its end."""


def _train(
    source: Images | None, run: str | Path | None, device: str, devices: int, nodes: int, threads: Threads, fresh: bool,
    quiet: bool, cache: Path, at_end: Callable[[Run], None], own: Own, log: LogTo, start: Start, request: Request,
    once: bool = False,
) -> Run:  # fmt: skip
    """In the process that answers for the run: it prepares it, holds its lock, and starts the job. `once`: it can start one."""
    screen = screen_here(quiet, live=not log.events)
    source, request, origin, taken_over = begun_from(source, own.requested(request), Path(run) if run else None, fresh)
    if source is None and run is not None and requested_recipe(None, **request).data.source is None:
        refuse_unnamed(Run(run))
    prepared = prepare_run(source, request, screen, device, devices, cache, own, nodes)
    check_treated(prepared.recipe, once)
    for reason in (*taken_over, *prepared.reasons):
        screen.say(f"auto: {reason}")
    folder = Path(run) if run else default_run(prepared.recipe)
    if Run(folder).exists and not fresh:
        own.check_same(Run(first_attempt(folder)).recipe, folder)
    check_own(prepared, own, devices * nodes)
    with locked(folder):
        recipe = prepared.recipe if fresh else continued(folder, prepared, cache, screen.say)
        goes_on = not fresh and bool(treatments_of(folder))
        if fresh or not (goes_on or Run(folder).steps_saved()):
            by_speed = (fresh or not Run(folder).exists) and devices * nodes == 1
            recipe = _with_what_fits(replace(prepared, recipe=recipe), own, devices, nodes, threads, screen, by_speed)
        starts = origin and (fresh or start_of(folder, recipe.training.start_from) is None)
        begun = started_players(recipe, prepared.store, origin, own) if origin and starts else None
        if fresh and (aside := set_aside(folder)):
            screen.say(f"Starting over; the run that was in {folder} is now in {aside}")
            begun = begun and begun.moved(folder, aside)
        environment = describe_environment(prepared.device) | {"images": len(prepared.store.images)}
        environment |= {"seed": recipe.training.seed, "devices": devices, "nodes": nodes, "process": identity_of()}
        environment |= {"recipe_file": str(Path(file).resolve())} if (file := recipe_file(request)) else {}
        if not goes_on:  # otherwise the newest attempt begins where it is, with a recipe of its own
            networks = own.networks.content if own.networks else b""
            Run(folder).begin(recipe, environment, networks, training_rows(recipe, prepared.store))
        if begun:
            begun.save(Run(folder))
            screen.say(begun.text())
        job = Job(recipe, prepared.store, folder, quiet, own, threads, log)
        again = partial(_prepared_again, job.store, source, screen, device, devices, cache)
        attempts = Attempts(job, again, devices, environment, screen)
        release_device_memory(prepared.device)  # of trial steps
        try:
            finished = attempts.trained(lambda job: start(job, prepared.device))
        except TrainingFailed:
            at_end(Run(folder))
            raise
        if not finished:
            raise interrupted(Run(folder))
        at_end(Run(folder))
    return Run(folder)


@dataclass(frozen=True)
class Job:
    """What each process of a run needs to know."""

    recipe: Recipe
    store: Store
    folder: Path
    quiet: bool
    own: Own
    threads: Threads = "auto"
    log: LogTo = LogTo()  # noqa: RUF009 (frozen)


def _with_what_fits(
    prepared: PreparedRun, own: Own, devices: int, nodes: int, threads: Threads, screen: Screen, by_speed: bool
) -> Recipe:  # fmt: skip
    """The recipe of a new run with the micro-batch that fits into memory, and, `by_speed`, the budget that `auto` takes."""
    plan = plan_memory(prepared, own, devices, nodes)
    if plan.text:
        screen.say(f"Memory: {plan.text}")
    return with_auto_budget(prepared, plan.recipe, own, threads, screen.say) if by_speed else plan.recipe


def _prepared_again(
    store: Store, source: Images | None, screen: Screen, device: str, devices: int, cache: Path, recipe: Recipe, own: Own
) -> PreparedRun:  # fmt: skip
    """The images of another attempt: those in `store`, as its `recipe` has them made to fit."""
    return prepare_run(source, {"recipe": recipe}, screen, device, devices, cache, own, same_as=store)


def _launch(job: Job, device: torch.device, devices: int) -> bool:
    """Runs the job in as many processes as there are devices; whether it came to its end."""
    return launch(partial(_work, job=job), device, devices, fabric_precision(job.recipe.training.precision))


def _launch_beside(peers: Peers, job: Job, device: torch.device) -> bool:
    """Runs the job in processes that are there already, from the first of them."""
    return peers.lead(_work, job, device, fabric_precision(job.recipe.training.precision))


def _work(fabric: Fabric, *, interrupt: Interrupt, job: Job) -> bool:
    """What each process does: build, restore, loop."""
    recipe, run = job.recipe, Run(job.folder)
    screen = screen_here(job.quiet or fabric.global_rank > 0, live=not job.log.events)
    with (
        torch.random.fork_rng([fabric.device] if fabric.device.type == "cuda" else [], job.own.networks is not None),
        prints_on_stderr(job.log.events),
        restored_threads(),
        training_numerics(fabric.device, recipe.training.deterministic),
        side_stream(fabric.device),
        keep_freed_memory() if recipe.training.micro_batch is None else nullcontext(),  # it holds a third more
        full_disk_said_once(),
        storage_errors(job.folder),
        memory_errors(recipe, run, fabric.world_size),
    ):
        batches = batches_for(recipe, job.store, fabric.device)
        players = build_first_players(recipe, batches, job.own)
        networks, optimizers = players.networks(), players.optimizers()
        first = fabric.global_rank == 0
        restored = restore(run.checkpoints, networks, optimizers, screen.say) if first else None
        progress = state_of_first(fabric, networks, optimizers, restored) or TrainingProgress()
        introduce(recipe, job.store, job.folder, job.own, fabric, players, screen)
        if progress.stopped and not _still_stopped(progress, job):
            progress.stopped = None  # what stopped it was left out
        if progress.stopped or Budget.of(recipe).fraction(progress.step, progress.seconds) >= 1:
            if not is_for_treatment(progress):
                say_it_is_over(run, recipe, progress, screen)
            if first and not is_for_treatment(progress):
                tell_it_is_over(job.log, recipe, run, progress, screen)
            return True
        if progress.step:
            screen.say(f"Resuming at step {progress.step:,} ({progress.images / 1000:,.1f} kimg)")
        _take_threads(job, fabric, batches, players, progress, screen)
        faster = _speed_up(fabric, job, batches, interrupt, screen)
        replay = replay_for(recipe, fabric.device, fabric.world_size, job.own, screen.say)
        loop = partial(train_loop, fabric, recipe, batches, players, progress, own=job.own, replay=replay)
        if not first:
            return loop(outputs=None, interrupt=interrupt)
        loggers = Loggers(job.log, recipe, run, progress, screen)
        with loggers, loggers.journal() as journal, progress_of(screen, run, journal) as show_progress:
            show = foretelling(show_progress, recipe, len(job.store.images), progress, screen.say)
            outputs = RunOutputs(
                run, journal, TrainingProbe(recipe, batches, players, fabric.device, fabric.autocast),
                Snapshots(recipe, batches, journal, fabric.device), faster(show),
                watch_speed(fabric, progress.images, screen.say),
            )  # fmt: skip
            if progress.step == 0:
                outputs.write_start = start_writer(outputs, players)
            finished = _trained(loop, outputs, interrupt, recipe.training.treat)
            finished = finished and not (is_for_treatment(progress) and interrupt.wanted)  # that ends the run
            loggers.ended(finished, journal.verdict)
    if finished and not is_for_treatment(progress):
        conclude(run, progress, journal.verdict, screen)
    return finished


def _take_threads(
    job: Job, fabric: Fabric, batches: Batches, players: Players, progress: TrainingProgress, screen: Screen
) -> None:
    """Sets the number of CPU threads, notes it beside the weights and in environment.json, and says why it is that one."""
    alone = fabric.world_size == 1 and fabric.device.type == "cpu"  # several processes have a share each
    measured = partial(measured_threads, fabric, job.recipe, batches, players, job.own) if alone else None
    share = None if fabric.world_size == 1 else torch.get_num_threads()  # as the launcher has set it
    choice = choose_threads(job.threads, progress.threads, measured, share)
    progress.threads = choice.count
    if fabric.global_rank == 0:
        Run(job.folder).note_environment(torch_threads=choice.count)
    screen.say(f"{choice.text()}{'' if share is None else ' in each process'}")


def _speed_up(
    fabric: Fabric, job: Job, batches: Batches, interrupt: Interrupt, screen: Screen
) -> Callable[[Show], Show]:
    """With several processes: measures one of them alone, and has the loop's progress say how much faster all are."""
    if fabric.world_size == 1:
        return lambda show: show
    alone = images_per_sec_alone(job.recipe, batches, job.own, interrupt) if fabric.global_rank == 0 else None
    Collectives(fabric).wait()
    images = job.recipe.training.batch * job.recipe.balance.d_steps
    wait = torch.cuda.synchronize if fabric.device.type == "cuda" else lambda: None
    return SpeedUp(fabric.world_size, images, alone, screen.say, wait).watching


def _still_stopped(progress: TrainingProgress, job: Job) -> bool:
    """Whether what stopped the run is asked for again."""
    if progress.stopped == STOPPED_BY_CALLBACK:
        return job.own.callback is not None
    if is_for_treatment(progress):
        return job.recipe.training.treat
    training, done = job.recipe.training, (progress.stopped or "").startswith(DONE)
    return training.stop_when_done if done else training.stop_when_failing


def _trained(loop: Callable[..., bool], outputs: RunOutputs, interrupt: Interrupt, treat: bool) -> bool:
    """The loop; where it fails, its message ends with the doctor's verdict. An interrupted run is treated when it resumes."""
    try:
        return loop(outputs=outputs, interrupt=interrupt)
    except TrainingFailed as failure:
        if treat and interrupt.wanted:
            return False
        raise TrainingFailed(f"{failure}\n{outputs.journal.verdict.text()}") from None
