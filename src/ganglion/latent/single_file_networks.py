"""G and D with the weights in a single file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ganglion.errors import RunError
from ganglion.latent.single_file import SingleFile, read_single_file
from ganglion.networks.build import build_discriminator, build_generator
from ganglion.networks.custom import AnyDiscriminator, WrappedDiscriminator, wrapped_copy

__all__ = ["single_file_discriminator", "single_file_generator"]


def single_file_generator(path: Path, content: SingleFile, own: nn.Module | None) -> nn.Module:
    """G in eval mode. `own`: the module, for networks of one's own, which a file does not hold. Raises RunError."""
    if content.recipe.generator.family == "custom":
        network: nn.Module = wrapped_copy(_given(path, "generator", own))
    elif own is not None:
        raise RunError(f"{path} does not hold networks of your own: leave out generator=")
    else:
        network = build_generator(content.recipe)
    return _with(path, network, content.generator)


def single_file_discriminator(path: Path, own: nn.Module | None) -> AnyDiscriminator | None:
    """D in eval mode; None where the file holds G alone. `own` as above. Raises CheckpointError, RunError."""
    content = read_single_file(path)
    if not content.discriminator:
        return None
    network: AnyDiscriminator
    if content.recipe.discriminator.family == "custom":
        network = WrappedDiscriminator(copy.deepcopy(_given(path, "discriminator", own)))
    else:
        network = build_discriminator(content.recipe)
    _with(path, network, content.discriminator)
    return network


def _given(path: Path, name: str, module: nn.Module | None) -> nn.Module:
    if module is None:
        raise RunError(
            f"{path} holds the weights of networks of your own, not the networks: pass the module, as in "
            f"ganglion.load({str(path)!r}, {name}=...)"
        )
    return module


def _with(path: Path, network: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:  # names or shapes differ
        raise RunError(f"the weights in {path} do not fit the network: {error}") from error
    return network.eval().requires_grad_(False)
