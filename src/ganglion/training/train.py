"""`ganglion.train`: from what a person asks for to a run. The command line calls this and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from lightning_fabric import Fabric

from ganglion.data.batches import Batches, held_out, held_out_count
from ganglion.data.given import Images, cannot_be_named, name_of
from ganglion.data.prepare import cache_folder
from ganglion.data.scan import printable
from ganglion.data.store import Store
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError, Interrupted, RunError, TrainingFailed
from ganglion.networks.build import cost_of
from ganglion.networks.layers import REFERENCE
from ganglion.platform.devices import choose_device, choose_precision, keep_freed_memory, reproducible
from ganglion.platform.environment import describe_environment
from ganglion.platform.files import full_disk_said_once, storage_errors
from ganglion.platform.interrupt import Interrupt
from ganglion.platform.screen import Screen
from ganglion.recipe.resolve import Request, requested_recipe, update
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.runs.checkpoints import restore
from ganglion.runs.folder import Run, difference, locked, set_aside
from ganglion.runs.journal import LiveDiagnosis, VitalsLog
from ganglion.streams import Purpose, stream
from ganglion.training.budget import Budget
from ganglion.training.loop import RunOutputs, train_loop
from ganglion.training.outputs import Probe, Snapshots
from ganglion.training.players import Players, TrainingProgress, build_players
from ganglion.training.prepare import resolve_auto

__all__ = ["classes_of", "filled_in", "first_players", "train"]


FEWEST_OF_A_CLASS = 2  # fewer than this on average, and labels name images rather than classes

BUDGET_KEYS = {"training.kimg", "training.steps", "training.minutes"}
SHOWN_KEYS = {"data.shown_channels"}
STOP_KEYS = {"training.stop_when_failing", "training.stop_when_done"}


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
    **asked: Unpack[Request],
) -> Run:
    """Trains a GAN on the images of `source`, or goes on with the run that the same call began. Returns the run.

    `source` is a path or a data set's name; an array or tensor of images; a list of Pillow images; a data set of torch or of
    Hugging Face; or (images, labels). docs/data.md tells more.
    Keywords are the command's options: `recipe` (a preset's name, a YAML file or a Recipe), `size` (64 or "96x64"),
    one of `kimg`, `steps`, `minutes`, and `batch`, `seed`, `precision`, `data_dir`, `set` (a mapping by dotted key, or
    "KEY=VALUE" texts). `run` is the run folder, `device` auto, cpu, cuda or mps, `devices` how many of them; `fresh`
    sets an existing run aside; `cache` is where packed images are kept; `quiet` shows nothing. `at_end` is
    called with the run when it has come to its end, also to a failing one.

    Raises RecipeError, DataError, DeviceError, RunError, StorageError, TrainingFailed, and Interrupted after Ctrl-C or
    SIGTERM.
    """
    screen = Screen(quiet=quiet)
    wanted = requested_recipe(
        name_of(source), **asked
    )  # what is wrong in it is said before images or device are touched
    if devices < 1 or wanted.training.batch % devices:
        raise RunError(
            f"a batch of {wanted.training.batch} cannot be shared by {devices} devices: choose a multiple of it"
        )
    place = choose_device(device, devices)
    if run is not None and wanted.data.source is None:
        _refuse_unnamed(Run(run))
    wanted, store, reasons = resolve_auto(source, asked, Path(cache) if cache else cache_folder(), place.type, screen)
    for reason in reasons:
        screen.say(f"auto: {reason}")
    settled = filled_in(wanted, store, place)
    folder = Path(run) if run else default_run(settled)
    with locked(folder):
        if fresh and (aside := set_aside(folder)):
            screen.say(f"Starting over; the run that was in {folder} is now in {aside}")
        settled = _continued(Run(folder), wanted, settled, screen)
        Run(folder).begin(settled, describe_environment(place) | {"seed": settled.training.seed, "devices": devices})
        job = Job(settled, store, folder, quiet)
        try:
            finished = _launch(job, place, devices)
        except TrainingFailed:
            at_end(Run(folder))
            raise
        if not finished:
            raise Interrupted(f"interrupted and saved; the same command goes on where it stopped ({folder})")
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


def default_run(recipe: Recipe) -> Path:
    """`runs/SOURCE-RECIPE-SIZE`, so that the same command finds its run again."""
    name = str(recipe.data.source)
    name = name.partition(" ")[0] if cannot_be_named(name) else name
    source = Path(name.replace(":", "-")).name.split(".")[0] or "images"
    size = size_text(recipe.data.size) if recipe.data.size else "auto"
    return Path("runs") / f"{source}-{recipe.name}-{size}"


@dataclass(frozen=True)
class Job:
    """What each process of a run needs to know."""

    recipe: Recipe
    store: Store
    folder: Path
    quiet: bool


def _continued(run: Run, wanted: Recipe, settled: Recipe, screen: Screen) -> Recipe:
    """The recipe to go on with. Raises RunError where `run` was made with another."""
    if not run.exists:
        return settled
    before = run.recipe
    if wanted.training.precision == "auto":  # this machine may know better; the run stays as it is
        settled = update(settled, training__precision=before.training.precision)
    changed = difference(before, settled)
    may_change = STOP_KEYS | SHOWN_KEYS | (BUDGET_KEYS if before.optimizer.schedule == "constant" else set())
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
    precision: Any = "bf16-mixed" if job.recipe.training.precision == "bf16" else "32-true"
    strategy = "ddp_spawn" if devices > 1 else "auto"
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision; so do we
    fabric = Fabric(accelerator=device.type, devices=devices, strategy=strategy, precision=precision)
    return bool(fabric.launch(partial(_process, job=job)))


def _process(fabric: Fabric, job: Job) -> bool:
    """One process's part, and an orderly leave: gloo's threads abort a process that ends while they still run."""
    try:
        return _work(fabric, job)
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def filled_in(wanted: Recipe, store: Store, device: torch.device) -> Recipe:
    """The recipe with all that its images and the device decide. Raises DataError where the images do not suffice."""
    classes, kept = classes_of(wanted, store), _held_out(wanted, store)
    seen, _ = held_out(len(store.images), wanted.training.seed, kept)
    counts = None if classes is None else np.bincount(store.labels[seen], minlength=len(classes)).tolist()
    return update(
        wanted, data__size=store.fit.size, data__channels=store.fit.channels, data__content=store.content,
        data__classes=classes, data__class_counts=counts, data__held_out_images=kept,
        training__precision=choose_precision(wanted.training.precision, device),
    )  # fmt: skip


def classes_of(recipe: Recipe, store: Store) -> list[str] | None:
    """The classes that a conditional recipe is told apart. Raises DataError where the images cannot give them."""
    if not recipe.data.conditional:
        return None
    without = int((store.labels < 0).sum())
    if without:
        raise DataError(
            f"data.conditional needs the class of every image, and {without:,} of {len(store.labels):,} have none: "
            "put each class into a folder of its own, two folders or more, or leave data.conditional out"
        )
    found = np.bincount(store.labels, minlength=len(store.classes))
    if len(store.classes) < 2 or len(store.classes) * FEWEST_OF_A_CLASS > len(store.labels) or not found.all():
        raise DataError(
            f"data.conditional needs at least 2 classes, of {FEWEST_OF_A_CLASS} images each on average; there are "
            f"{len(store.classes):,} classes and {len(store.labels):,} images: leave data.conditional out"
        )
    return store.classes


def _held_out(recipe: Recipe, store: Store) -> int:
    """How many images are kept from training. Raises DataError where none would be left."""
    count, images = recipe.data.held_out_images, len(store.images)
    if count is None:
        return held_out_count(images)
    if count >= images:
        raise DataError(
            f"data.held_out_images is {count:,}, and there are {images:,} images: none would be left to train on"
        )
    return count


def _work(fabric: Fabric, job: Job) -> bool:
    """What each process does: build, restore, loop."""
    recipe, run = job.recipe, Run(job.folder)
    screen = Screen(quiet=job.quiet or fabric.global_rank > 0)
    with (
        reproducible(),
        keep_freed_memory(),
        full_disk_said_once(),
        storage_errors(job.folder),
        Interrupt() as interrupt,
    ):
        batches = Batches(
            job.store, recipe.training.seed, fabric.device, recipe.data.conditional, recipe.data.held_out_images or 0
        )
        players = first_players(recipe, batches)
        position = restore(run.checkpoints, players, screen.say) or TrainingProgress()
        _introduce(job, fabric, screen)
        if position.stopped and not (recipe.training.stop_when_failing or recipe.training.stop_when_done):
            position.stopped = None  # it stopped on a wish that is no longer there
        if position.stopped or Budget.of(recipe).fraction(position.step, position.seconds) >= 1:
            how = f"has stopped, {position.stopped}" if position.stopped else "is finished"
            screen.say(f"This run {how}: {position.images / 1000:,.1f} kimg. {_ways_on(recipe, position)}")
            screen.say(f"Pictures: {run.fixed_samples}")
            return True
        if position.step:
            screen.say(f"Going on from step {position.step:,} ({position.images / 1000:,.1f} kimg)")
        if fabric.global_rank > 0:
            return train_loop(fabric, recipe, batches, players, position, None, interrupt)
        with (
            closing(VitalsLog(job.folder, position.step)) as vitals,
            closing(LiveDiagnosis(job.folder, position.step, screen.say)) as doctor,
        ):
            snapshots = Snapshots(run, recipe, batches, vitals, fabric.device)
            checkup = Probe(recipe, batches, fabric.device, fabric.autocast)
            if position.step == 0:
                snapshots.draw(players.ema, 0)
                vitals.write(record := checkup.at_the_start(players))
                doctor.take(record)
            with screen.training() as show:
                desk = RunOutputs(run, vitals, doctor, checkup, snapshots, show)
                finished = _trained(fabric, recipe, batches, players, position, desk, interrupt)
    if finished:
        _conclude(run, position, doctor.verdict, screen)
    return finished


def _trained(
    fabric: Fabric, recipe: Recipe, batches: Batches, players: Players, position: TrainingProgress, desk: RunOutputs,
    interrupt: Interrupt,
) -> bool:  # fmt: skip
    """The loop; where it fails, its message ends with the doctor's verdict."""
    try:
        return train_loop(fabric, recipe, batches, players, position, desk, interrupt)
    except TrainingFailed as failure:
        raise TrainingFailed(f"{failure}\n{desk.doctor.verdict.text()}") from None


def _conclude(run: Run, position: TrainingProgress, verdict: Verdict, screen: Screen) -> None:
    """The last words. Raises TrainingFailed where the verdict is failing: everything is saved by then."""
    how = f"Stopped, {position.stopped}" if position.stopped else "Finished"
    screen.say(f"{how}: {position.images / 1000:,.1f} kimg in {position.seconds:,.0f} s. Pictures: {run.fixed_samples}")
    if verdict.state == "failing":
        raise TrainingFailed(f"{verdict.text()}\nEverything is saved in {run.path}; ganglion diagnose tells it again.")
    screen.say(verdict.text())


def first_players(recipe: Recipe, batches: Batches) -> Players:
    """The players before the first step; with virtual batch normalisation D measures images against real ones."""
    players = build_players(recipe, batches.device)
    if players.discriminator.needs_reference:
        chosen = stream(batches.seed, Purpose.REFERENCE, 1).integers(0, batches.images, REFERENCE)
        players.discriminator.reference = batches.pick(batches.seen[chosen]).images
    return players


def _ways_on(recipe: Recipe, position: TrainingProgress) -> str:
    if position.stopped:
        return "Without the option that stopped it, it goes on."
    if recipe.optimizer.schedule == "constant":
        return "A larger budget (--kimg, --steps or --minutes) goes on with it."
    return "Its learning rate has come to its end; --fresh or another --run begins anew."


def _introduce(job: Job, fabric: Fabric, screen: Screen) -> None:
    recipe, store = job.recipe, job.store
    cost_g, cost_d = cost_of(recipe)
    images = f"{len(store.images):,} images of {size_text(store.fit.size)}, {store.fit.channels} channels"
    skipped = f"; {len(store.facts['bad'])} files skipped, see: ganglion data" if store.facts["bad"] else ""
    screen.say(f"Images: {printable(store.facts['description'])}, {images}{skipped}")
    screen.say(f"Recipe {recipe.name}: G {cost_g}; D {cost_d}")
    precision = {"32": "float32", "bf16": "bfloat16 autocast"}.get(recipe.training.precision, "")
    many = f" x{fabric.world_size}" if fabric.world_size > 1 else f", {torch.get_num_threads()} threads"
    screen.say(f"Device {fabric.device}{many}, {precision}; run folder {job.folder}")
