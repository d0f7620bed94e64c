"""`ganglion sample`: images from a trained generator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli.options import class_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganglion.data.sheet import Shown

__all__ = ["sample"]


def sample(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal images.")] = 0,
    label: Annotated[
        str | None, typer.Option(help="The class to draw, by name or number; for conditional runs.")
    ] = None,
    truncation: Annotated[
        float,
        typer.Option(min=0, max=1, help="Below 1: latents nearer to the mean, so likelier and more alike pictures."),
    ] = 1.0,
    checkpoint: Annotated[str, typer.Option(help="best, latest or a step.")] = "best",
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png (a sheet), FILE.npy (N, H, W, C) or a folder. Left out: in the run folder."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
) -> None:
    """Draw N images from a run's generator."""
    from ganglion.latent.model import load
    from ganglion.training.hardware import choose_device

    model = load(run, checkpoint, choose_device(device))
    class_of(model, label)
    name = f"seed-{seed}" if label is None else f"{label}-seed-{seed}"
    name += f"-truncation-{truncation:g}" if truncation < 1 else ""
    target = out or run / "samples" / f"{name}.png"
    _write(model.sample(n, seed, label, truncation), target, model.shown_channels)
    typer.echo(f"{n} images of checkpoint {model.checkpoint.name}: {target}")


def _write(images: NDArray[np.uint8], target: Path, channels: Shown) -> None:
    import numpy as np

    from ganglion.data.atomic import storage_errors
    from ganglion.data.sheet import save_image, sheet

    if target.suffix.lower() == ".png":
        save_image(sheet(images, channels=channels), target)
    elif target.suffix.lower() == ".npy":
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            np.save(target, images)
    elif target.suffix and not target.is_dir():
        raise typer.BadParameter(f"--out is FILE.png, FILE.npy or a folder; got {target}")
    else:
        for i, image in enumerate(images):
            save_image(image, target / f"{i:06d}.png", channels)
