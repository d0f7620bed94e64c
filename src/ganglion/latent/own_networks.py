"""The networks of a run that was trained on ones of the caller's own, and a checkpoint's weights put into networks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

from torch import nn

from ganglion.errors import RunError
from ganglion.networks.custom import CustomNetworks, WrappedDiscriminator, digest_of, wrapped_copy
from ganglion.recipe.networks import CustomDiscriminator, CustomGenerator
from ganglion.runs.folder import Run

__all__ = ["load_weights", "own_discriminator", "own_generator"]


def own_generator(run: Run, module: nn.Module | None) -> nn.Module:
    recipe = run.recipe
    assert isinstance(recipe.generator, CustomGenerator)
    if recipe.generator.file:
        return _kept_networks(run, recipe.generator.digest).build(recipe)[0]
    return wrapped_copy(_same_module(run, "generator", module, recipe.generator.digest))


def own_discriminator(run: Run, module: nn.Module | None) -> WrappedDiscriminator:
    recipe = run.recipe
    assert isinstance(recipe.discriminator, CustomDiscriminator)
    if recipe.discriminator.file:
        return _kept_networks(run, recipe.discriminator.digest).build(recipe)[1]
    return WrappedDiscriminator(copy.deepcopy(_same_module(run, "discriminator", module, recipe.discriminator.digest)))


def _same_module(run: Run, name: str, module: nn.Module | None, digest: str | None) -> nn.Module:
    if module is None:
        raise RunError(
            f"{run.path} was trained on modules of your own, which it does not keep: pass the {name} again, as in "
            f"ganglion.load({str(run.path)!r}, {name}=...)"
        )
    if digest_of(module) != digest:
        raise RunError(
            f"the {name} given for {run.path} is not the one it was trained with: class, modules or shapes of weights differ"
        )
    return module


def _kept_networks(run: Run, digest: str | None) -> CustomNetworks:
    """The run's networks.py, if it is the file that its recipe names."""
    try:
        networks = CustomNetworks(run.networks_path, run.networks_path.read_bytes())
    except OSError as error:
        raise RunError(f"{run.networks_path} cannot be read: {error.strerror or error}; the run needs it") from None
    if networks.digests[0] != digest:
        raise RunError(
            f"{run.networks_path} is not the file that this run was trained with (its hash differs from generator.digest in "
            "recipe.yaml), so it is not executed: put the right one there"
        )
    return networks


def load_weights(load_into: Callable[[Path, nn.Module], None], checkpoint: Path, network: nn.Module, run: Run) -> None:
    try:
        load_into(checkpoint, network)
    except RuntimeError as error:  # names or shapes differ
        raise RunError(f"the weights in {checkpoint} do not fit the networks of {run.path}: {error}") from error
