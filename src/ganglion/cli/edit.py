"""`ganglion directions`, `project` and `complete`: edits of latents and of the user's own images."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganglion.cli.options import Checkpoint, Device, ModelFolder, class_of, pair, with_ending, written_to

if TYPE_CHECKING:
    from ganglion.latent.directions import Directions
    from ganglion.latent.model import Model

__all__ = ["complete", "directions", "project"]


COUNT = 8  # of directions


def directions(
    run: ModelFolder,
    method: Annotated[
        str | None, typer.Option(help="sefa: from the first layer's weights; pca: from its output. Default: sefa.")
    ] = None,
    label_probe: Annotated[
        str | None,
        typer.Option(help="Two classes, separated by a comma, CAT,DOG: the direction that separates them instead."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Number of directions. Default: 8.")] = None,
    reach: Annotated[str, typer.Option("--range", help="First and last step along a direction.")] = "-4,4",
    steps: Annotated[int, typer.Option(min=2, help="Images per row.")] = 9,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the latent that is edited.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="FILE.safetensors; a sheet is written next to it. Default: in the run folder.")
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
) -> None:
    """Find directions in latent space, draw each as a row of edits, and save them for ganglion walk."""
    from ganglion.latent.directions import METHODS, save_directions
    from ganglion.latent.model import load
    from ganglion.latent.walk import walk_along
    from ganglion.pictures.sheets import labelled_rows, save_image
    from ganglion.platform.devices import choose_device

    with_ending(out, (".safetensors",), "--out")
    low, high = pair(reach, "--range")
    names = None if label_probe is None else _two_classes(label_probe)
    if method not in (None, *METHODS):
        raise typer.BadParameter(f"{' or '.join(METHODS)}; got {method!r}", param_hint="--method")
    if names is not None and (method or count):
        raise typer.BadParameter("it finds one direction: leave out --method and --count", param_hint="--label-probe")
    model = load(run, checkpoint, choose_device(device))
    found = METHODS[method or "sefa"](model, count or COUNT) if names is None else _probed(run, model, names)
    target = out or written_to(run) / "latent" / f"directions-{found.method}.safetensors"
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
        raise typer.BadParameter(
            f"expected two classes, separated by a comma; got {words!r}", param_hint="--label-probe"
        )
    return names[0], names[1]


def _probed(run: Path, model: Model, names: tuple[str, str]) -> Directions:
    from ganglion.evaluation.class_direction import probe_classes  # imports metrics, so only when needed

    return probe_classes(run, model, names)


def project(
    run: ModelFolder,
    image: Annotated[Path, typer.Argument(help="An image; it is preprocessed like the training images.")],
    starts: Annotated[int, typer.Option(min=1, help="Latents that are optimised.")] = 8,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the initial latents.")] = 0,
    label: Annotated[str | None, typer.Option(help="The image's class or attributes; for conditional runs.")] = None,
    film: Annotated[Path | None, typer.Option(help="The search as a video, FILE.mp4, .gif or .webp.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png; the latent is written next to it as .npy. Default: in the run folder."),
    ] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find the latent whose image is nearest to IMAGE."""
    import numpy as np
    import torch

    from ganglion.data.alpha import straight
    from ganglion.data.pixels import to_uint8
    from ganglion.latent.inputs import picture_from_file
    from ganglion.latent.model import discriminator_of, load
    from ganglion.latent.project import Settings
    from ganglion.latent.project import project as search
    from ganglion.pictures.films import FILMS, enlarged, write_film
    from ganglion.pictures.sheets import display_channels, save_image, side_by_side
    from ganglion.platform.devices import choose_device
    from ganglion.platform.files import write_atomically
    from ganglion.platform.screen import Screen

    with_ending(out, (".png",), "--out")
    with_ending(film, FILMS, "--film")
    model = load(run, checkpoint, choose_device(device))
    picture = picture_from_file(image, model.recipe)
    labels = class_of(model, label, of_image=True)
    found = search(
        model, picture, discriminator_of(model), Settings(starts, steps), seed, labels, Screen().steps("Searching")
    )
    target = out or written_to(run) / "latent" / f"projection-{image.stem}.png"
    words = ("image", f"projection, error {found.error:.3f}")
    pixels = straight(to_uint8(torch.stack([picture, found.image.cpu()])).numpy())
    save_image(side_by_side(pixels, words, channels=model.shown_channels), target)
    latent = target.with_suffix(".npy")
    held = io.BytesIO()
    np.save(held, found.z.cpu().numpy())
    write_atomically(latent, held.getvalue())
    if film is not None:
        frames = (straight(to_uint8(frame[None])[0].cpu().numpy()) for frame in found.trace)
        write_film((enlarged(display_channels(frame, model.shown_channels)) for frame in frames), film, 15)
    facts = {
        "error": found.error,
        "usual": found.usual,
        "reached": found.reached,
        "picture": str(target),
        "latent": str(latent),
    }
    typer.echo(
        json.dumps(facts, indent=1) if as_json else _text(found.error, found.usual, found.reached, target, latent)
    )


def _text(error: float, usual: float, reached: bool, target: Path, latent: Path) -> str:
    result = (
        "the generator can reproduce this image" if reached
        else "the image is outside the generator's range: this is only the nearest image that was found"
    )  # fmt: skip
    return f"Error {error:.3f} (random samples: {usual:.3f}); {result}\n{target}, {latent}"


def complete(
    run: ModelFolder,
    image: Annotated[Path, typer.Argument(help="An image; it is preprocessed like the training images.")],
    mask: Annotated[Path | None, typer.Option(help="An image of IMAGE's size, white where pixels are missing.")] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Instead of a mask: left-half, right-half, top-half, bottom-half, centre, border, random:0.5."
        ),
    ] = None,
    proposals: Annotated[int, typer.Option(min=1, help="Number of completions.")] = 4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each search.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the searches, and of random:SHARE.")] = 0,
    label: Annotated[str | None, typer.Option(help="The image's class or attributes; for conditional runs.")] = None,
    out: Annotated[Path | None, typer.Option(help="FILE.png. Default: in the run folder.")] = None,
    checkpoint: Checkpoint = "best",
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Inpaint IMAGE: blend in the generator's images that match the known pixels."""
    import torch

    from ganglion.data.alpha import RGBA, straight
    from ganglion.data.pixels import to_uint8
    from ganglion.latent.complete import complete as fill
    from ganglion.latent.complete import mean_completion, parse_mask
    from ganglion.latent.inputs import mask_from_file, picture_from_file
    from ganglion.latent.model import discriminator_of, load
    from ganglion.latent.project import Settings
    from ganglion.pictures.sheets import save_image, side_by_side
    from ganglion.platform.devices import choose_device
    from ganglion.platform.screen import Screen

    if (mask is None) == (missing is None):
        raise typer.BadParameter("expected either --mask FILE or --missing AREA", param_hint="--mask")
    with_ending(out, (".png",), "--out")
    model = load(run, checkpoint, choose_device(device))
    picture = picture_from_file(image, model.recipe)
    height, width = picture.shape[1:]
    hole = (
        parse_mask(str(missing), height, width, seed) if mask is None
        else mask_from_file(mask, height, width, image, model.recipe)
    )  # fmt: skip
    labels = class_of(model, label, of_image=True)
    try:
        found = fill(
            model, picture, hole, discriminator_of(model), proposals, Settings(4, steps), seed, labels,
            Screen().steps("Searching"),
        )  # fmt: skip
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--missing" if mask is None else "--mask") from None
    target = out or written_to(run) / "latent" / f"completion-{image.stem}.png"
    shown = picture.clone()
    shown[:, torch.from_numpy(hole)] = 0
    if len(shown) == RGBA:
        shown[-1, torch.from_numpy(hole)] = 1  # gray that is opaque
    words = [f"{one.known_error:.3f}" for one in found]
    images = {"known": shown} | {
        f"{i}: {word}": one.image for i, (word, one) in enumerate(zip(words, found, strict=True))
    }
    if len(found) > 1:
        images["average"] = mean_completion(picture, found, hole)
    pixels = straight(to_uint8(torch.stack([one.cpu() for one in images.values()])).numpy())
    save_image(side_by_side(pixels, list(images), channels=model.shown_channels), target)
    facts = {"known_errors": [one.known_error for one in found], "missing": float(hole.mean()), "picture": str(target)}
    errors = ", ".join(words)
    text = f"{len(found)} proposals for {hole.mean():.0%} of the image, errors on known pixels {errors}: {target}"
    typer.echo(json.dumps(facts, indent=1) if as_json else text)
