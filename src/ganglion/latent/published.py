"""The generator of a model on the Hub: weights, recipe and attributes of its files, never code.

Only safetensors and YAML are read: nothing is unpickled, and no file that comes with a model is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from torch import Tensor, nn

from ganglion.errors import HubError
from ganglion.hub.download import download
from ganglion.hub.names import HubModel, hub_model
from ganglion.networks.build import build_generator
from ganglion.networks.custom import digest_of, wrapped_copy
from ganglion.recipe.explain import explain
from ganglion.recipe.networks import CustomGenerator
from ganglion.recipe.schema import Recipe

__all__ = ["ATTRIBUTES", "RECIPE", "ROWS", "WEIGHTS", "Published", "published"]

WEIGHTS, RECIPE, ROWS = "generator.safetensors", "recipe.yaml", "attributes.safetensors"
"""Files of a model on the Hub; the last one only of a model with attributes."""
ATTRIBUTES = "attributes"
"""The tensor in ROWS: float32 (M, A), values of M training images."""
LARGEST_RECIPE = 2**22  # bytes; class names make it long


@dataclass(frozen=True)
class Published:
    """A generator with what a model needs beside it."""

    network: nn.Module
    recipe: Recipe
    rows: NDArray[np.float32] | None
    """Attributes of training images (M, A), for a recipe with some."""
    model: HubModel
    """With the commit as its revision."""


def published(
    name: str | PathLike[str],
    checkpoint: str | int = "best",
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> Published:
    """Downloads the model `hf:OWNER/NAME[@REVISION]` and puts its weights into its generator, or into a copy of `generator`
    where it was trained on networks of its author's own. Raises HubError, also where a checkpoint or D is asked for.
    """
    model = hub_model(name)
    if checkpoint != "best":
        raise HubError(
            f"{model} has one checkpoint, and {checkpoint!r} was asked for: name a revision, hf:OWNER/NAME@REVISION"
        )
    if discriminator is not None:
        raise HubError(f"{model} comes without D: leave out discriminator=")
    found = download(model, (WEIGHTS, RECIPE), (ROWS,))
    recipe = _recipe(found.files[RECIPE], found.model)
    network = _network(recipe, generator, model)
    try:
        network.load_state_dict(_tensors(found.files[WEIGHTS], WEIGHTS, found.model))
    except RuntimeError as error:  # names or shapes differ
        raise HubError(f"the weights of {found.model} do not fit its generator: {str(error)[:300]}") from None
    return Published(network, recipe, _rows(found.files.get(ROWS), recipe, found.model), found.model)


def _recipe(content: bytes, model: HubModel) -> Recipe:
    try:
        text = content.decode()
        if len(text) > LARGEST_RECIPE or any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError("it is not one that ganglion push writes")  # aliases can grow without bound
        return Recipe.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise HubError(
            f"{RECIPE} of {model} does not fit this version of Ganglion, a newer one may read it: {explain(error, Recipe)}"
        ) from None
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(f"{RECIPE} of {model} cannot be read: {' '.join(str(error).split())[:200]}") from None


def _network(recipe: Recipe, generator: nn.Module | None, model: HubModel) -> nn.Module:
    if not isinstance(recipe.generator, CustomGenerator):
        if generator is not None:
            raise HubError(f"{model} was not trained on networks of its author's own: leave out generator=")
        return build_generator(recipe)
    if generator is None:
        raise HubError(
            f"{model} was trained on networks of its author's own, and no code is taken from a download: make the generator "
            f"with code that you trust, then ganglion.load({str(model)!r}, generator=...)"
        )
    if not recipe.generator.file and digest_of(generator) != recipe.generator.digest:
        raise HubError(
            f"the generator given for {model} is not the one it was trained with: class, modules or shapes of weights differ"
        )
    return wrapped_copy(generator)


def _rows(content: bytes | None, recipe: Recipe, model: HubModel) -> NDArray[np.float32] | None:
    count = len(recipe.data.conditions)
    if not count:
        return None
    rows = _tensors(content or b"", ROWS, model).get(ATTRIBUTES)
    if rows is None or rows.ndim != 2 or rows.shape[1] != count or not len(rows) or rows.dtype != torch.float32:
        raise HubError(f"{ROWS} of {model} does not hold the {count} attributes of its recipe: tell its owner")
    return rows.numpy()


def _tensors(content: bytes, name: str, model: HubModel) -> dict[str, Tensor]:
    try:
        return dict(tensors_of(content))
    except (ValueError, KeyError, SafetensorError) as error:
        raise HubError(f"{name} of {model} cannot be read: {error}") from None
