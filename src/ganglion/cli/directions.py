"""`ganglion directions`: along which directions of latent space do images change?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, pair, with_ending

if TYPE_CHECKING:
    from ganglion.latent.directions import Directions
    from ganglion.latent.model import Model

__all__ = ["directions"]


def directions(
    run: RunFolder,
    method: Annotated[str, typer.Option(help="sefa: of the first layer's weights; pca: of its output.")] = "sefa",
    label_probe: Annotated[
        str | None, typer.Option(help="Two classes with a comma, CAT,DOG: the direction that separates them instead.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many directions.")] = 8,
    reach: Annotated[str, typer.Option("--range", help="From which strength to which.")] = "-4,4",
    steps: Annotated[int, typer.Option(min=2, help="Images in a row.")] = 9,
    seed: Annotated[int, typer.Option(min=0, help="Of the latent that is moved.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="FILE.safetensors; a sheet lies beside it. Left out: in the run folder.")
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Find directions in latent space, show each as a row of edits, and keep them for ganglion walk."""
    from ganglion.data.sheet import save_image
    from ganglion.latent.directions import METHODS, save_directions
    from ganglion.latent.model import load
    from ganglion.latent.pictures import labelled_rows
    from ganglion.latent.walk import walk_along
    from ganglion.training.hardware import choose_device

    with_ending(out, (".safetensors",), "--out")
    low, high = pair(reach, "--range")
    names = None if label_probe is None else _two_classes(label_probe)
    if method not in METHODS:
        raise typer.BadParameter(f"{' or '.join(METHODS)}; got {method!r}", param_hint="--method")
    model = load(run, checkpoint, choose_device(device))
    found = METHODS[method](model, count) if names is None else _probed(run, model, names)
    target = out or run / "latent" / f"directions-{found.method}.safetensors"
    rows = walk_along(model.latents(1, seed)[0], found.vectors.float(), low, high, steps)
    labels = model.labels(1)
    words = [f"{i}: {strength:.3g}" for i, strength in enumerate(found.strengths.tolist())]
    images = [model.pixels(row, labels) for row in rows]
    picture = target.with_suffix(".png")
    times = max(1, 48 // images[0].shape[1])
    save_image(labelled_rows(list(zip(words, images, strict=True)), times, channels=model.shown_channels), picture)
    save_directions(found, target)
    strengths = ", ".join(f"{strength:.3g}" for strength in found.strengths.tolist())
    typer.echo(f"{len(found)} directions ({found.method}), strengths {strengths}: {target}, {picture}")


def _two_classes(words: str) -> tuple[str, str]:
    names = [word.strip() for word in words.split(",")]
    if len(names) != 2 or names[0] == names[1]:
        raise typer.BadParameter(f"two classes with a comma; got {words!r}", param_hint="--label-probe")
    return names[0], names[1]


def _probed(run: Path, model: Model, names: tuple[str, str]) -> Directions:
    from ganglion.report.probe import probe_classes  # what scores need is loaded with it

    return probe_classes(run, model, names)
