"""`ganglion diagnose`, `evaluate`, `report`, `compare` and `timeline`: results of a training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli import completion
from ganglion.cli.options import Devices, RunFolder, with_ending

if TYPE_CHECKING:
    from ganglion.metrics.evaluation import Evaluation

__all__ = ["compare", "diagnose", "evaluate", "report", "timeline"]


FAILED = 3
"""Exit code where the verdict is what --fail-on names."""


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            help="A run, a log of another program, a folder of logs or TensorBoard events, or - for standard input.",
            show_default=False,
            autocompletion=completion.runs,
        ),
    ],
    names: Annotated[
        str,
        typer.Option("--map", help="What the log calls things, such as d_loss=critic,g_loss=gen,step=it."),
    ] = "",
    batch: Annotated[int | None, typer.Option(min=1, help="Images in a batch, if the log does not tell.")] = None,
    images_per_epoch: Annotated[int | None, typer.Option(min=1, help="Images in an epoch.")] = None,
    run: Annotated[
        int | None, typer.Option(min=1, help="Which of several runs in the log. Default: the newest.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on reading while the log is written; print findings.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option(help=f"failing or watch: exit code {FAILED} if the verdict is that, or worse.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print how a log was read, and a verdict on its training: findings with evidence, cause and remedies."""
    from ganglion.doctor.diagnose import STANDARD_INPUT
    from ganglion.doctor.diagnose import diagnose as examine

    if fail_on not in (None, "failing", "watch"):
        raise typer.BadParameter(f"expected failing or watch; got {fail_on!r}", param_hint="--fail-on")
    if follow:
        if str(path) == STANDARD_INPUT or as_json:
            raise typer.BadParameter("it follows a file or a folder, and prints text", param_hint="--follow")
        _follow(path, names, batch, images_per_epoch, run, fail_on)
        return
    verdict = examine(path, map=names, batch=batch, images_per_epoch=images_per_epoch, run=run)
    typer.echo(json.dumps(verdict.to_json(), indent=1) if as_json else verdict.text())
    if _reached(verdict.state, fail_on):
        raise typer.Exit(FAILED)


def _reached(state: str, fail_on: str | None) -> bool:
    return state == fail_on or (fail_on == "watch" and state == "failing")


def _follow(
    path: Path, names: str, batch: int | None, per_epoch: int | None, run: int | None, fail_on: str | None
) -> None:
    """Prints findings until it is interrupted, or until the verdict is what `fail_on` names."""
    from ganglion.doctor.follow import follow
    from ganglion.doctor.readers.mapping import parse_map
    from ganglion.doctor.readers.records import Options

    verdict = None
    typer.echo(f"Following {path}; Ctrl-C ends it with a verdict.", err=True)
    try:
        for look in follow(path, Options(parse_map(names), batch, per_epoch, run), time.sleep, time.monotonic):
            if look is None:
                continue
            verdict = look.verdict
            if look.first:
                typer.echo(verdict.text())
            for event in [] if look.first else look.events:
                typer.echo(event.text(verdict.unit))
            if _reached(verdict.state, fail_on):
                raise typer.Exit(FAILED)
    except KeyboardInterrupt:
        typer.echo(verdict.text() if verdict is not None else f"{path}: nothing was read that could be judged")


HASH_SHOWN = 12


def evaluate(
    samples: Annotated[
        str,
        typer.Argument(
            help="A run, hf:OWNER/NAME on the Hugging Face Hub, or images: a folder, a zip, an NPY file.",
            autocompletion=completion.runs,
        ),
    ],
    against: Annotated[
        str | None, typer.Option(help="The real images. Default for a run: its training images.")
    ] = None,
    held_out: Annotated[
        str | None,
        typer.Option(help="Real images not used in training. Default for a run: those that it held out."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", min=2, help="Number of samples. Default: 10,000 of a run; all images.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names, separated by commas, such as fid,kid. Default: all.")
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="auto, inception, squeezenet, learned, random, pixels, torchscript:FILE, timm:NAME, hf:OWNER/NAME."
        ),
    ] = "auto",
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds; several give a standard deviation.")] = 1,
    checkpoint: Annotated[str, typer.Option(help="best, latest or a step.")] = "best",
    all_checkpoints: Annotated[
        bool, typer.Option("--all-checkpoints", help="Score each checkpoint of a run and plot the curve.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="A local copy of the named data set.")] = None,
    neighbours: Annotated[
        Path | None, typer.Option(help="Write the samples nearest to training images, with those images, as FILE.png.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    devices: Devices = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score SAMPLES against real images; each score with its floor and the settings it depends on."""
    from ganglion.evaluation.curve import evaluate_checkpoints
    from ganglion.evaluation.evaluate import evaluate as score

    with_ending(neighbours, (".png",), "--neighbours")
    names = None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    if all_checkpoints:
        if held_out is not None or neighbours is not None or seeds > 1 or checkpoint != "best":
            raise typer.BadParameter(
                "it scores every checkpoint with one seed: leave out --held-out, --neighbours, --seeds and --checkpoint",
                param_hint="--all-checkpoints",
            )
        curve = evaluate_checkpoints(
            samples, against, n=n, features=features, metrics=names, data_dir=data_dir, device=device, devices=devices
        )
        typer.echo(json.dumps(curve.to_json(), indent=1) if as_json else f"{curve.table()}\nCurve: {curve.picture}")
        return
    found = score(
        samples, against, held_out=held_out, n=n, features=features, metrics=names, seeds=seeds, checkpoint=checkpoint,
        data_dir=data_dir, device=device, devices=devices, neighbours=neighbours,
    )  # fmt: skip
    typer.echo(json.dumps(found.to_json(), indent=1) if as_json else _text(found))


def _text(found: Evaluation) -> str:
    from ganglion.metrics.evaluation import remarks_of

    real, fake = found.real, found.fake
    halves = " and ".join(f"{count:,}" for count in found.floor_images)
    rows = [_row("score", "value", "+-", "floor", "better", "description")]
    for score in found.scores:
        error = score.spread if score.spread is not None else score.error
        rows.append(_row(
            score.name, f"{score.value:.4g}", "" if error is None else f"{error:.2g}",
            "" if score.floor is None else f"{score.floor:.4g}", score.better, score.about,
        ))  # fmt: skip
    return "\n".join([
        f"Samples: {fake.images:,} of {fake.name}; {fake.height}x{fake.width}, {fake.channels} channels; "
        f"hash {fake.content[:HASH_SHOWN]}",
        f"Real: {real.images:,} of {real.name}; {real.resize}; hash {real.content[:HASH_SHOWN]}",
        f"Features: {found.features}, {found.width} per image, {found.features_about}; "
        f"hash {found.features_hash[:HASH_SHOWN]}",
        f"Floor: the same score between {halves} real images. Seeds: {found.seeds}.",
        "", *rows, "",
        *remarks_of(found.left_out, found.notes),
        f"Measured in {found.seconds:.0f} s.",
    ])  # fmt: skip


def _row(name: str, value: str, error: str, floor: str, better: str, about: str) -> str:
    return f"{name:<16}{value:>11}{error:>10}{floor:>11}  {better:<13}{about}"


def report(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option(help="FILE.html. Default: report.html in the run folder.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Write every chart and image into this folder instead.", show_default=False)
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--format", help="Format of the charts of --figures: svg or png. Default: svg.")
    ] = None,
) -> None:
    """Write a report on a run: verdict, samples over training, vitals, latent space, recipe; one offline HTML file."""
    from ganglion.report.figures import FORMATS, write_figures
    from ganglion.report.report import write_report

    if kind not in (None, *FORMATS):
        raise typer.BadParameter(f"{' or '.join(FORMATS)}; got {kind!r}", param_hint="--format")
    if kind is not None and figures is None:
        raise typer.BadParameter("it belongs to --figures FOLDER, which is not given", param_hint="--format")
    if figures is not None:
        if out is not None:
            raise typer.BadParameter("with --figures no page is written: leave one of the two out", param_hint="--out")
        written = write_figures(run, figures, kind or FORMATS[0])
        typer.echo(f"{len(written)} figures: {figures}")
        return
    target = write_report(run, out)
    typer.echo(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Two run folders or more.", show_default=False, autocompletion=completion.runs),
    ],
    out: Annotated[Path, typer.Option(help="FILE.html.")] = Path("compare.html"),
) -> None:
    """Compare runs: differences between their recipes and their results."""
    from ganglion.report.compare import compare as found
    from ganglion.report.compare import write_comparison

    comparison = found(runs)
    typer.echo(comparison.text())
    typer.echo(f"\n{write_comparison(comparison, out)}")


def timeline(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option(help="FILE.mp4, FILE.gif or FILE.webp. Default: timeline.mp4 in the run folder.")
    ] = None,
    sheets: Annotated[str, typer.Option(help="fixed: the same latents at each snapshot; fresh: new ones.")] = "fixed",
    fps: Annotated[float, typer.Option(min=0.5, max=60, help="Snapshots per second.")] = 8,
) -> None:
    """Write a video of the training: one frame per snapshot."""
    from ganglion.report.timeline import SHEETS, write_timeline

    if sheets not in SHEETS:
        raise typer.BadParameter(f"{' or '.join(SHEETS)}; got {sheets!r}", param_hint="--sheets")
    target = out or run / "timeline.mp4"
    typer.echo(f"{write_timeline(run, target, sheets, fps)} frames: {target}")
