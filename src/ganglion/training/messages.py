"""What a run says at its start and at its end."""

from __future__ import annotations

from pathlib import Path

from lightning_fabric import Fabric

from ganglion.data.file_names import printable
from ganglion.data.given import cannot_be_named
from ganglion.data.store import Store
from ganglion.data.suitability import notes_on
from ganglion.doctor.verdict import Verdict
from ganglion.errors import DataError, Interrupted, TrainingFailed
from ganglion.networks.build import cost_of
from ganglion.platform.cores import cores
from ganglion.platform.launcher import launched_by
from ganglion.platform.screen import Screen
from ganglion.recipe.schema import Recipe
from ganglion.recipe.size import size_text
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.runs.folder import Run
from ganglion.training.budget import can_be_extended, sizes_of
from ganglion.training.memory import of_each_micro_batch
from ganglion.training.own import Own
from ganglion.training.players import Players

__all__ = ["conclude", "interrupted", "introduce", "refuse_unnamed", "say_it_is_over"]


def refuse_unnamed(run: Run) -> None:
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


def introduce(
    recipe: Recipe, store: Store, folder: Path, own: Own, fabric: Fabric, players: Players, screen: Screen
) -> None:
    """Images, networks, device, and what differs from one process with whole batches."""
    cost_g, cost_d = cost_of(recipe, own.networks)
    images = f"{len(store.images):,} images of {size_text(store.fit.size)}, {store.fit.channels} channels"
    skipped = f"; {len(store.facts['bad'])} files skipped, see: ganglion data" if store.facts["bad"] else ""
    screen.say(f"Images: {printable(store.facts['description'])}, {images}{skipped}")
    labels = store.facts.get("labels_file", {})
    for remark in [f"not used, {labels['not_used']}"] if labels.get("not_used") else labels.get("remarks", ()):
        screen.say(f"{labels['name']}: {remark}")
    if recipe.data.conditions:
        screen.say(f"Conditional on {len(recipe.data.conditions)} columns of {labels.get('name', 'the labels file')}")
    for note in notes_on(store.facts, store.fit):
        screen.say(f"Note: {note}")
    screen.say(f"Recipe {recipe.name}: G {cost_g}; D {cost_d}")
    if len(sizes := sizes_of(recipe)) > 1:
        share = recipe.training.progressive / (len(sizes) - 1)
        small = ", ".join(size_text(size) for size in sizes[:-1])
        screen.say(f"Image sizes: {small}, {share:.0%} of the budget each, then {size_text(sizes[-1])}")
    precision = {"32": "float32", "bf16": "bfloat16 autocast"}.get(recipe.training.precision, "")
    many = f" x{fabric.world_size}" if fabric.world_size > 1 else ""
    screen.say(f"Device {fabric.device}{many}, {precision}; run folder {folder}")
    here = launched_by() is None  # otherwise the launcher may have given each process cores of its own
    if fabric.world_size > 1 and fabric.device.type == "cpu" and here and fabric.world_size > cores():
        screen.say(f"{fabric.world_size} processes on {cores()} CPU cores take turns: --devices {cores()} is as fast")
    networks = players.generator, players.discriminator
    if separate := of_each_micro_batch(recipe, fabric.world_size, networks):
        most = recipe.training.micro_batch
        screen.say(f"Computed of each micro-batch of {most} alone: {', '.join(separate)} (docs/performance.md)")


def interrupted(run: Run) -> Interrupted:
    """What is raised where a run was asked to end."""
    when = "and saved" if run.steps_saved() else "before the first step"
    return Interrupted(f"interrupted {when}; the same command resumes the run ({run.path})")


def say_it_is_over(run: Run, recipe: Recipe, progress: TrainingProgress, screen: Screen) -> None:
    """Of a run whose budget is spent, or that was stopped: how to go on."""
    how = f"has stopped, {progress.stopped}" if progress.stopped else "is finished"
    screen.say(f"This run {how}: {progress.images / 1000:,.1f} kimg. {_ways_on(recipe, progress)}")
    screen.say(f"Samples: {run.fixed_samples}")


def _ways_on(recipe: Recipe, progress: TrainingProgress) -> str:
    if progress.stopped:
        return "Without the option or callback that stopped it, the same command resumes it."
    if can_be_extended(recipe):
        return "A larger budget (--kimg, --steps or --minutes) resumes it."
    ended = "learning rate schedule" if recipe.optimizer.schedule != "constant" else "schedule of image sizes"
    return f"Its {ended} has ended: --fresh starts over; --from with another --run starts from its weights."


def conclude(run: Run, progress: TrainingProgress, verdict: Verdict, screen: Screen) -> None:
    """The last words. Raises TrainingFailed where the verdict is failing: everything is saved by then."""
    how = f"Stopped, {progress.stopped}" if progress.stopped else "Finished"
    screen.say(f"{how}: {progress.images / 1000:,.1f} kimg in {progress.seconds:,.0f} s. Samples: {run.fixed_samples}")
    if verdict.state == "failing":
        raise TrainingFailed(
            f"{verdict.text()}\nEverything is saved in {run.path}; ganglion diagnose prints this verdict again."
        )
    screen.say(verdict.text())
