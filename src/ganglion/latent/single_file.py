"""A trained generator as one safetensors file: weights, and in its header the recipe and all else that `load` needs.

Tensors are named generator.NAME, discriminator.NAME where D is in it, and attributes for a run that is conditioned on some.
Nothing in it is code, and nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganglion.errors import CheckpointError
from ganglion.recipe.explain import explain
from ganglion.recipe.resolve import recipe_text
from ganglion.recipe.schema import Recipe

__all__ = ["ENDING", "SingleFile", "is_single_file", "read_single_file", "single_file_bytes", "without_paths"]

ENDING = ".safetensors"
FORMAT = "1"
GENERATOR, DISCRIMINATOR, ATTRIBUTES = "generator.", "discriminator.", "attributes"


@dataclass(frozen=True)
class SingleFile:
    """What such a file holds."""

    recipe: Recipe
    checkpoint: str
    """The step of the weights, as its folder was named."""
    generator: Mapping[str, Tensor]
    discriminator: Mapping[str, Tensor] = field(default_factory=dict)
    """Empty where the file holds G alone."""
    rows: NDArray[np.float32] | None = None
    """Attributes (M, A) of training images, for a recipe with some."""


def is_single_file(place: str | PathLike[str]) -> bool:
    """Whether `load` reads it as a single file: it ends in .safetensors and is no folder."""
    path = Path(place)
    return path.suffix.lower() == ENDING and not path.is_dir()


def single_file_bytes(content: SingleFile) -> bytes:
    """The file; equal contents give equal bytes."""
    tensors = {f"{GENERATOR}{name}": tensor for name, tensor in content.generator.items()}
    tensors |= {f"{DISCRIMINATOR}{name}": tensor for name, tensor in content.discriminator.items()}
    if content.rows is not None:
        tensors[ATTRIBUTES] = torch.from_numpy(content.rows)
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {
        "ganglion": FORMAT,
        "checkpoint": content.checkpoint,
        "recipe": recipe_text(without_paths(content.recipe)),
        "sha256": _hash(plain),
    }
    return _in_order(save(plain, header))


def _in_order(content: bytes) -> bytes:
    """The file with its header sorted; safetensors writes metadata in an order that changes from call to call."""
    size = int.from_bytes(content[:8], "little")
    text = json.dumps(
        json.loads(content[8 : 8 + size]), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def read_single_file(path: Path, checkpoint: str | int = "best") -> SingleFile:
    """Raises CheckpointError where the file is not there, is another one or is damaged, or another checkpoint is asked for."""
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}; ganglion export RUN --safetensors FILE writes one")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors: {error}") from None
    if "ganglion" not in header:
        raise CheckpointError(f"{path} is not a generator of ours: ganglion export RUN --safetensors FILE writes one")
    if header["ganglion"] != FORMAT:
        raise CheckpointError(f"{path} has format {header['ganglion']}; this version reads {FORMAT}: export it again")
    if header.get("sha256") != _hash(tensors):
        raise CheckpointError(f"{path} is damaged (its weights do not have the hash in its header): export it again")
    held = header.get("checkpoint", "")
    asked = str(checkpoint)
    if asked not in ("best", "latest", held) and not (
        asked.isdecimal() and held.isdecimal() and int(asked) == int(held)
    ):
        raise CheckpointError(f"{path} holds one checkpoint, of step {held}, and not {checkpoint}")
    rows = tensors.pop(ATTRIBUTES, None)
    return SingleFile(
        _recipe(path, header.get("recipe", "")), held, _part(tensors, GENERATOR),
        _part(tensors, DISCRIMINATOR), None if rows is None else rows.numpy(),
    )  # fmt: skip


def without_paths(recipe: Recipe) -> Recipe:
    """The recipe with the last name only of its source, its labels and the run that it starts from: a file that is given away
    shows no folders of this machine. Names on the Hub stay."""
    names = {"source": _last_name(recipe.data.source), "labels": _last_name(recipe.data.labels), "data_dir": None}
    data = recipe.data.model_copy(update=names)
    training = recipe.training.model_copy(update={"start_from": _last_name(recipe.training.start_from)})
    return recipe.model_copy(update={"data": data, "training": training})


def _last_name(text: str | None) -> str | None:
    if text is None or text.startswith("hf:"):
        return text
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1] or None


def _recipe(path: Path, text: str) -> Recipe:
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):  # a few of them can fill the memory
            raise yaml.YAMLError("it has aliases, which ours have not")
        return Recipe.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        reason = explain(error, Recipe)
    except yaml.YAMLError as error:
        reason = str(error)
    raise CheckpointError(f"{path}: the recipe in its header cannot be used: {reason}")


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """Of names, shapes, types and values."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()
