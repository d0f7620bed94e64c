"""`ganglion complete`: a picture with a hole, filled by the generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, RunFolder, class_of, with_ending

__all__ = ["complete"]


def complete(
    run: RunFolder,
    image: Annotated[Path, typer.Argument(help="A picture; it is made to fit as the training images were.")],
    mask: Annotated[
        Path | None, typer.Option(help="A picture of IMAGE's size, white where pixels are missing.")
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Instead of a mask: left-half, right-half, top-half, bottom-half, centre, border, random:0.5."
        ),
    ] = None,
    proposals: Annotated[int, typer.Option(min=1, help="How many ways to fill it.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each search.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of the searches, and of random:SHARE.")] = 0,
    label: Annotated[str | None, typer.Option(help="The picture's class; for conditional runs.")] = None,
    out: Annotated[Path | None, typer.Option(help="FILE.png. Left out: in the run folder.")] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fill the missing part of IMAGE: the generator's picture that fits what is known, blended in."""
    import torch

    from ganglion.data.sheet import save_image
    from ganglion.latent.complete import averaged, mask_of
    from ganglion.latent.complete import complete as fill
    from ganglion.latent.model import discriminator_of, load
    from ganglion.latent.pictures import mask_from_file, picture_from_file, side_by_side
    from ganglion.latent.project import Settings
    from ganglion.training.hardware import choose_device
    from ganglion.training.screen import Screen

    if (mask is None) == (missing is None):
        raise typer.BadParameter("what is missing? Give either --mask FILE or --missing WORDS", param_hint="--mask")
    with_ending(out, (".png",), "--out")
    model = load(run, checkpoint, choose_device(device))
    picture = picture_from_file(image, model.recipe)
    height, width = picture.shape[1:]
    hole = (
        mask_of(str(missing), height, width, seed) if mask is None
        else mask_from_file(mask, height, width, image, model.recipe.data.fit)
    )  # fmt: skip
    labels = class_of(model, label)
    try:
        found = fill(
            model, picture, hole, discriminator_of(model), proposals, Settings(4, steps), seed, labels,
            Screen().steps("Searching"),
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--missing" if mask is None else "--mask") from None
    target = out or run / "latent" / f"completion-{image.stem}.png"
    shown = picture.clone()
    shown[:, torch.from_numpy(hole)] = 0
    words = [f"{one.known_error:.3f}" for one in found]
    images = {"known": shown} | {
        f"{i}: {word}": one.image for i, (word, one) in enumerate(zip(words, found, strict=True))
    }
    if len(found) > 1:
        images["average"] = averaged(picture, found, hole)
    drawn = side_by_side([one.cpu() for one in images.values()], list(images), channels=model.shown_channels)
    save_image(drawn, target)
    facts = {"known_errors": [one.known_error for one in found], "missing": float(hole.mean()), "picture": str(target)}
    errors = ", ".join(words)
    text = f"{len(found)} proposals for {hole.mean():.0%} of the picture, errors on known pixels {errors}: {target}"
    typer.echo(json.dumps(facts, indent=1) if as_json else text)
