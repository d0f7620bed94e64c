"""`ganglion project`: the latent that best reproduces a picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, class_of, with_ending

__all__ = ["project"]


def project(
    run: RunFolder,
    image: Annotated[Path, typer.Argument(help="A picture; it is made to fit as the training images were.")],
    starts: Annotated[int, typer.Option(min=1, help="Latents from which to search.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the search.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of the starts.")] = 0,
    label: Annotated[str | None, typer.Option(help="The picture's class; for conditional runs.")] = None,
    film: Annotated[Path | None, typer.Option(help="The search as FILE.mp4, .gif or .webp.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="FILE.png; the latent lies beside it as .npy. Left out: in the run folder.")
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search for the latent whose image is nearest to IMAGE."""
    import numpy as np

    from ganglion.data.atomic import write_atomically
    from ganglion.data.pixels import to_uint8
    from ganglion.data.sheet import displayed, save_image
    from ganglion.latent.film import FILMS, enlarged, write_film
    from ganglion.latent.model import discriminator_of, load
    from ganglion.latent.pictures import picture_from_file, side_by_side
    from ganglion.latent.project import Settings
    from ganglion.latent.project import project as search
    from ganglion.training.hardware import choose_device
    from ganglion.training.screen import Screen

    with_ending(out, (".png",), "--out")
    with_ending(film, FILMS, "--film")
    model = load(run, checkpoint, choose_device(device))
    picture = picture_from_file(image, model.recipe)
    labels = class_of(model, label)
    found = search(
        model, picture, discriminator_of(model), Settings(starts, steps), seed, labels, Screen().steps("Searching")
    )
    target = out or run / "latent" / f"projection-{image.stem}.png"
    words = ("picture", f"found, error {found.error:.3f}")
    save_image(side_by_side([picture, found.image.cpu()], words, channels=model.shown_channels), target)
    latent = target.with_suffix(".npy")
    held = io.BytesIO()
    np.save(held, found.z.cpu().numpy())
    write_atomically(latent, held.getvalue())
    if film is not None:
        frames = (to_uint8(frame[None])[0].cpu().numpy() for frame in found.trace)
        write_film((enlarged(displayed(frame, model.shown_channels)) for frame in frames), film, 15)
    facts = {
        "error": found.error,
        "usual": found.usual,
        "reached": found.reached,
        "picture": str(target),
        "latent": str(latent),
    }
    typer.echo(
        json.dumps(facts, indent=1) if as_json else _page(found.error, found.usual, found.reached, target, latent)
    )


def _page(error: float, usual: float, reached: bool, target: Path, latent: Path) -> str:
    verdict = (
        "it can make this picture" if reached
        else "the picture lies outside what this generator can make: what was found is only the nearest it has"
    )  # fmt: skip
    return f"Error {error:.3f} (random samples: {usual:.3f}); {verdict}\n{target}, {latent}"
