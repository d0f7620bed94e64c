"""`ganglion train` and `ganglion check`: training from images to a generator, and checks before it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli import completion

if TYPE_CHECKING:
    from ganglion.recipe.resolve import Request
    from ganglion.training.check import Check
    from ganglion.vitals.gradients import LayerSignal

__all__ = ["check", "train"]


RecipeName = Annotated[
    str,
    typer.Option(help="A recipe's name (see: ganglion recipes) or a YAML file.", autocompletion=completion.recipes),
]
Threads = Annotated[
    str,
    typer.Option(metavar="auto|N", help="CPU threads of each process. auto: the faster of 1 and all, by trial steps."),
]


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A folder, zip, store or IDX file of images, or a name: digits, mnist, cifar10, celeba, "
            "flowers102, hf:OWNER/NAME.",
            show_default=False,
            autocompletion=completion.sources,
        ),
    ] = None,
    recipe: RecipeName = "auto",
    size: Annotated[
        str | None, typer.Option(help="64, or 96x64 for height x width. Default: chosen from the images.")
    ] = None,
    kimg: Annotated[
        float | None, typer.Option(help="Length of the run, in thousands of real images shown to D.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the run, in steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the run, in minutes.")] = None,
    batch: Annotated[int | None, typer.Option(help="Real images per step.")] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Run folder. Default: runs/SOURCE-RECIPE-SIZE.", autocompletion=completion.runs),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str | None, typer.Option(help="auto, 32 or bf16.")] = None,
    threads: Threads = "auto",
    devices: Annotated[int, typer.Option(help="Number of devices that share a batch, on each machine.")] = 1,
    nodes: Annotated[int, typer.Option(help="Number of machines; with torchrun or srun (docs/scaling.md).")] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="A local copy of a named data set.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any value of the recipe.")
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="On a CUDA device: only kernels that repeat their bits; slower."),
    ] = False,
    stop_when_failing: Annotated[
        bool, typer.Option("--stop-when-failing", help="Stop as soon as the doctor's verdict is failing.")
    ] = False,
    stop_when_done: Annotated[
        bool,
        typer.Option("--stop-when-done", help="Stop when the distance has not improved for a third of the run."),
    ] = False,
    treat: Annotated[
        bool,
        typer.Option(
            "--treat", help="At a failing verdict: go back, apply the first remedy that fits; at most three times."
        ),
    ] = False,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN[:best|latest|STEP]",
            help="Start from another run's weights; auto: with its recipe.",
            autocompletion=completion.runs,
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; an existing run is renamed.")] = False,
    networks: Annotated[
        Path | None,
        typer.Option(help="A Python file with functions generator(recipe) and discriminator(recipe). It is executed."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            metavar="TRACKER,...",
            help="Also log to wandb, mlflow, trackio (docs/track.md).",
            autocompletion=completion.trackers,
            show_default=False,
        ),
    ] = None,
    log_checkpoint: Annotated[
        bool, typer.Option("--log-checkpoint", help="With --log: keep the best checkpoint there, at the end.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line for each record and event (docs/runs.md).")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Do not write report.html at the end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and stop.")] = False,
) -> None:
    """Train a GAN on the images of SOURCE. The same command resumes the run."""
    request: Request = {
        "recipe": recipe, "size": size, "kimg": kimg, "steps": steps, "minutes": minutes, "batch": batch, "seed": seed,
        "precision": precision, "data_dir": data_dir, "set": set_ or [],
        "deterministic": deterministic or None,
        "stop_when_failing": stop_when_failing or None, "stop_when_done": stop_when_done or None,
        "treat": treat or None, "start_from": from_,
    }  # fmt: skip
    from ganglion.errors import Interrupted
    from ganglion.platform.launcher import launched_by
    from ganglion.recipe.resolve import requested_recipe
    from ganglion.trackers.names import asked_trackers

    asked_trackers(log)

    if from_ is None and networks is None and launched_by() is None:  # of several processes one is to say it
        requested_recipe(source, **request)  # reports errors before torch is loaded
    if dry_run:
        _print_recipe(source, request, device, devices, networks, run, fresh)
        return

    from ganglion.api import leave_report
    from ganglion.runs.events import prints_on_stderr
    from ganglion.training.loggers import LogTo
    from ganglion.training.own import Own
    from ganglion.training.train import train as start

    at_end = (lambda run: None) if no_report else partial(leave_report, quiet=quiet)
    with prints_on_stderr(as_json):
        own = Own.given(networks=networks)
        try:
            start(
                source, run=run, device=device, devices=devices, nodes=nodes, threads=threads, fresh=fresh, quiet=quiet,
                at_end=at_end, own=own, log=LogTo.asked(log, log_checkpoint, as_json), **request,
            )  # fmt: skip
        except KeyboardInterrupt:  # before the first step, or a second time
            raise Interrupted(
                "stopped at once; the same command goes on from the last checkpoint, if there is one"
            ) from None


def _print_recipe(
    source: str | None,
    request: Request,
    device: str,
    devices: int,
    networks: Path | None,
    run: Path | None,
    fresh: bool,
) -> None:
    """Prints the recipe as YAML; `auto` scans the images first, and its reasons are printed before the recipe."""
    from ganglion.recipe.resolve import recipe_text, requested_recipe

    scans_images = source is not None and request["recipe"] == "auto" and request["start_from"] is None
    if networks is None and not scans_images and request["start_from"] is None:
        typer.echo(recipe_text(requested_recipe(source, **request)), nl=False)
        return
    from ganglion.data.given import name_of
    from ganglion.platform.screen import Screen
    from ganglion.training.own import Own
    from ganglion.training.prepare import prepare_run
    from ganglion.training.start_from import begun_from

    own = Own.given(networks=networks)
    if scans_images:
        prepared = prepare_run(source, request, Screen(), device, devices, own=own)
        resolved, reasons = prepared.recipe, prepared.reasons
    else:
        begun = begun_from(source, own.requested(request), run, fresh)
        resolved, reasons = requested_recipe(name_of(begun.source), **begun.request), list(begun.reasons)
    for reason in reasons:
        typer.echo(f"# auto: {reason}")
    typer.echo(recipe_text(resolved), nl=False)


def check(
    source: Annotated[
        str, typer.Argument(help="The images, as for ganglion train.", autocompletion=completion.sources)
    ],
    recipe: RecipeName = "auto",
    size: Annotated[str | None, typer.Option(help="64, or 96x64 for height x width.")] = None,
    kimg: Annotated[float | None, typer.Option(help="Length of the planned run, in thousands of images.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the planned run, in minutes.")] = None,
    batch: Annotated[int | None, typer.Option(help="Real images per step.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str | None, typer.Option(help="auto, 32 or bf16.")] = None,
    threads: Threads = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="A local copy of a named data set.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any value of the recipe.")
    ] = None,
    networks: Annotated[
        Path | None,
        typer.Option(help="A Python file with functions generator(recipe) and discriminator(recipe). It is executed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check images, initial weights, balance and speed before training."""
    from ganglion.training.check import check as run_check
    from ganglion.training.own import Own

    result = run_check(
        source, recipe=recipe, size=size, kimg=kimg, minutes=minutes, batch=batch, device=device, precision=precision,
        threads=threads, data_dir=data_dir, set=set_ or [], own=Own.given(networks=networks),
    )  # fmt: skip
    typer.echo(json.dumps(result.to_json(), indent=1) if as_json else _text(result))


def _text(result: Check) -> str:
    marks = {"fine": "ok", "watch": "watch", "failing": "FAILING"}
    return "\n".join([
        f"Recipe {result.recipe}, {result.images:,} images: {result.state}",
        *(f"  {marks[r.level]:8}{r.topic:17}{r.text}" for r in result.remarks),
        "Output and gradient size of each layer at initialisation:",
        *_layers("G", result.signals_g),
        *_layers("D", result.signals_d),
        *([f"Memory: {result.memory}"] if result.memory else []),
        f"CPU threads: {result.threads}{f' ({result.threads_reason})' if result.threads_reason else ''}",
        f"Speed: {result.images_per_sec:,.0f} images/s, so {result.kimg:,.0f} kimg in {_time(result.minutes)}; "
        f"memory {'unknown' if result.memory_gb is None else f'{result.memory_gb:.1f} GiB so far'}",
        f"Outlook: {result.outlook}",
    ])  # fmt: skip


def _layers(network: str, layers: list[LayerSignal]) -> list[str]:
    return [f"  {network} {layer.name:32}{layer.output:10.3g}{layer.gradient:12.3g}" for layer in layers]


def _time(minutes: float) -> str:
    if minutes < 90:
        return f"{minutes:.1f} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 60 * 48 else f"{minutes / 1440:.1f} days"
