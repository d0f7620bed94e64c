"""`ganglion.train`: a training, and the report at its end, also of a training that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from ganglion.data.given import Images
from ganglion.notebook.screen import screen_here
from ganglion.objectives.adversarial import AdversarialLoss
from ganglion.recipe.schema import Recipe
from ganglion.report.report import write_report
from ganglion.runs.folder import Run
from ganglion.training.loggers import LogTo
from ganglion.training.own import Callback, Own
from ganglion.training.train import train as train_without_report

__all__ = ["leave_report", "train"]


def train(
    source: Images | None = None,
    *,
    recipe: str | Path | Recipe = "auto",
    size: int | str | tuple[int, int] | None = None,
    kimg: float | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    data_dir: str | Path | None = None,
    set: Iterable[str] | Mapping[str, object] = (),  # noqa: A002 (the option's name)
    deterministic: bool | None = None,
    stop_when_failing: bool | None = None,
    stop_when_done: bool | None = None,
    treat: bool | None = None,
    start_from: str | Path | Run | None = None,
    run: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    threads: str | int = "auto",
    nodes: int = 1,
    fresh: bool = False,
    quiet: bool = False,
    cache: str | Path | None = None,
    at_end: Callable[[Run], None] | None = None,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    networks: str | Path | None = None,
    adversarial: AdversarialLoss | None = None,
    callback: Callback | None = None,
    log: str | Iterable[str] | None = None,
    log_checkpoint: bool = False,
) -> Run:
    """Trains a GAN on the images of `source`, or resumes the run that the same call began. Returns the run.

    Keywords are the command's options.

    source: a folder, zip, store or IDX file of images, a data set's name, or images in memory (arrays, tensors, lists of
        Pillow images, data sets of torch or of Hugging Face); docs/data.md lists all kinds.
    recipe: a preset's name, a YAML file or a Recipe; "auto" chooses from the images and the hardware.
    size: 64, "96x64" or (96, 64), height x width in pixels; None: chosen from the images.
    kimg, steps, minutes: the length of the run, at most one of them; None: the recipe's.
    batch: real images in a step, over all devices. seed: of everything that is random.
    precision: "32", "bf16" or "auto". data_dir: a local copy of a named data set.
    set: any value of the recipe, as a mapping by dotted key or as "KEY=VALUE" texts.
    deterministic: on a CUDA device, only kernels that repeat their bits, without TF32: a resumed run is then exact.
    stop_when_failing, stop_when_done: end the run early by the doctor's verdict, or when samples no longer improve.
    treat: at a failing verdict go back to the last healthy checkpoint, or to the start, and go on with the first remedy that
        fits, for what is left of the budget; at most three times. The best checkpoint of all attempts is the run's.
    start_from: another run, whose weights this one begins with as far as they fit: "RUN", "RUN:best" (the same),
        "RUN:latest", "RUN:STEP" or a Run. recipe "auto" is then that run's recipe, source None its images.
    run: the run folder; None: runs/SOURCE-RECIPE-SIZE. device: auto, cpu, cuda or mps. devices: how many of them,
        on each of `nodes` machines; more than one machine takes torchrun or srun (docs/scaling.md).
    threads: CPU threads of each process; "auto": the number that the weights so far were trained with, otherwise the faster
        of one and all, by trial steps.
    fresh: set an existing run aside and start over. quiet: show nothing. cache: folder for packed images.
    at_end: called with the run at its end, also at a failing one; None: writes report.html.
    generator, discriminator: any two torch.nn.Module of your own, given together; copies of them are trained, from the
        weights that they have, and they themselves stay as they are. G maps latents float32 (N, latent.dim) to images
        (N, C, H, W) in [-1, 1], D images to logits (N,), (N, 1) or a map (N, 1, h, w), without a sigmoid. Of a conditional
        recipe each takes labels, int64 (N,) or float32 (N, K), as a second argument. G's images decide size and channels where
        these are open. Weights with requires_grad=False stay as they are. To go on with the run, or to load it, pass them
        again.
    networks: in their place a Python file with functions generator(recipe) and discriminator(recipe) that make them. It is
        executed, and kept in the run folder.
    adversarial: a loss of your own. To go on with the run, pass it again.
    callback: called with (record, model) each time a record is written: the record as in vitals.jsonl, and the averaged
        generator as a Model in eval mode. It returns "stop", or None to go on. What it raises ends the training, which is
        saved first, and is raised here. With several devices the first process calls it.
    log: trackers that are given the run too: "wandb", "mlflow", "trackio", several separated by commas or as a list; what
        each one shows, and where: docs/track.md. A tracker that fails or hangs does not stop the training.
    log_checkpoint: the trackers keep the best checkpoint as an artifact, at the end.
    docs/own.md has examples. Networks and losses are tried on one batch before anything is written: RecipeError says what
    does not fit.

    Raises RecipeError, DataError, DeviceError, RunError, StorageError, TrainingFailed, and Interrupted after Ctrl-C or
    SIGTERM.
    """
    own = Own.given(generator, discriminator, Path(networks) if networks else None, adversarial, callback)
    report = at_end or (lambda run: leave_report(run, Path(cache) if cache else None, quiet, generator))
    origin = start_from.path if isinstance(start_from, Run) else start_from
    return train_without_report(
        source, run=run, device=device, devices=devices, nodes=nodes, threads=threads, fresh=fresh, quiet=quiet,
        cache=cache, at_end=report, own=own, log=LogTo.asked(log, log_checkpoint), recipe=recipe, size=size, kimg=kimg,
        steps=steps, minutes=minutes, batch=batch, seed=seed, precision=precision, data_dir=data_dir, set=set,
        deterministic=deterministic, stop_when_failing=stop_when_failing, stop_when_done=stop_when_done,
        treat=treat, start_from=origin,
    )  # fmt: skip


def leave_report(run: Run, cache: Path | None = None, quiet: bool = False, generator: nn.Module | None = None) -> None:
    """Writes `report.html` into the run. Never raises: the run is saved, and a missing report must not hide that.

    `generator`: the module that the run was trained on, if it was one.
    """
    screen = screen_here(quiet)
    try:
        screen.say(f"Report: {write_report(run, cache=cache, quiet=True, generator=generator)}")
    except Exception as error:
        screen.say(f"The report could not be made ({type(error).__name__}: {error}); try: ganglion report {run.path}")
