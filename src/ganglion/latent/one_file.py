"""A generator in one safetensors file: an exported one, or that of a model on the Hugging Face Hub, never code.

Nothing is unpickled, and no file that comes with a model is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from torch import nn

from ganglion.errors import CheckpointError, HubError, RunError
from ganglion.hub.download import download
from ganglion.hub.names import HubModel, hub_model, is_hub_model
from ganglion.latent.single_file import SingleFile, read_single_file
from ganglion.latent.single_file_networks import single_file_generator
from ganglion.networks.custom import digest_of
from ganglion.recipe.networks import CustomGenerator

__all__ = ["WEIGHTS", "OneFile", "opened"]

WEIGHTS = "generator.safetensors"
"""The file of a model on the Hub that is loaded."""


@dataclass(frozen=True)
class OneFile:
    """A generator in eval mode, and what its file holds beside it."""

    network: nn.Module
    content: SingleFile
    path: Path
    origin: str
    """The file, or `hf:OWNER/NAME@COMMIT`."""


def opened(
    place: str | PathLike[str],
    checkpoint: str | int = "best",
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> OneFile:
    """The generator in FILE.safetensors, or of the model `hf:OWNER/NAME[@REVISION]`, which is downloaded. Where it was trained
    on networks of its author's own, its weights go into a copy of `generator`. Raises CheckpointError, RunError, HubError.
    """
    if is_hub_model(place):
        return _from_hub(hub_model(place), checkpoint, generator, discriminator)
    path = Path(place)
    content = read_single_file(path, checkpoint)
    return OneFile(single_file_generator(path, content, generator), content, path, str(path))


def _from_hub(
    model: HubModel, checkpoint: str | int, generator: nn.Module | None, discriminator: nn.Module | None
) -> OneFile:
    if checkpoint != "best":
        raise HubError(
            f"{model} has one checkpoint, and {checkpoint!r} was asked for: name a revision, hf:OWNER/NAME@REVISION"
        )
    if discriminator is not None:
        raise HubError(f"{model} comes without D: leave out discriminator=")
    found = download(model, (WEIGHTS,))
    path = found.files[WEIGHTS]
    try:
        content = read_single_file(path)
        _check_own(content, generator, model)
        network = single_file_generator(path, content, generator)
    except (CheckpointError, RunError) as error:
        reason = str(error).replace(str(path), WEIGHTS)[:400]
        raise HubError(f"{found.model} cannot be used: {reason}") from None
    return OneFile(network, content, path, str(found.model))


def _check_own(content: SingleFile, generator: nn.Module | None, model: HubModel) -> None:
    """That networks of the author's own are given, and are the ones. Raises HubError."""
    recipe = content.recipe
    if not isinstance(recipe.generator, CustomGenerator):
        return
    if generator is None:
        raise HubError(
            f"{model} was trained on networks of its author's own, and no code is taken from a download: make the generator "
            f"with code that you trust, then ganglion.load({str(model)!r}, generator=...)"
        )
    if not recipe.generator.file and digest_of(generator) != recipe.generator.digest:
        raise HubError(
            f"the generator given for {model} is not the one it was trained with: class, modules or shapes of weights differ"
        )
