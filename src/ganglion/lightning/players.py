"""Which parts of a module are G and D, and which optimisers update them: by names that are given or usual, or by optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn
from torch.optim import Optimizer

from ganglion.watching.foreign import share_of_weights

__all__ = ["Players", "find_players"]

NAMES = {
    "generator": {"generator", "g", "gen", "netg", "gnet", "modelg", "gmodel", "generatornet", "netgenerator"},
    "discriminator": {
        "discriminator", "d", "dis", "disc", "discr", "netd", "dnet", "modeld", "dmodel", "critic", "netc",
        "discriminatornet", "netdiscriminator",
    },
}  # fmt: skip
"""Usual names of attributes, in lower case and without underscores."""
DEEPEST = 2
"""Dots in the name of a part that is found by its name: `model.generator` has one."""
MOST_NAMED = 6


class Players(NamedTuple):
    """Both networks by their names in the module, and their optimisers."""

    generator: nn.Module
    discriminator: nn.Module
    optimizer_g: Optimizer
    optimizer_d: Optimizer


def find_players(
    module: nn.Module, optimizers: Sequence[Optimizer], generator: str | None = None, discriminator: str | None = None
) -> Players:
    """G, D and their optimisers among the parts of `module`. Raises ValueError where it is not clear which they are.

    A name that is given counts; then a usual name; then, for one of the two, the network of the other optimiser.
    """
    names = {"generator": generator, "discriminator": discriminator}
    found = {player: _named(module, optimizers, player, name) for player, name in names.items()}
    for player, other in (("generator", "discriminator"), ("discriminator", "generator")):
        if found[player] is None and (known := found[other]) is not None:
            found[player] = _of_another_optimizer(module, optimizers, known)
    g, d = found["generator"], found["discriminator"]
    if g is None or d is None:
        raise ValueError(_not_found(module, [player for player, part in found.items() if part is None]))
    if g is d:
        raise ValueError(
            f"the generator and the discriminator of {_title(module)} are the same module: name two parts of it"
        )
    return Players(g, d, *(_optimizer_of(player, found[player], module, optimizers) for player in found))


def _named(
    module: nn.Module, optimizers: Sequence[Optimizer], player: str, name: str | None
) -> nn.Module | None:  # fmt: skip
    """The part of this name, or with a usual one; None where no part has a usual name. Raises ValueError.

    Of several with usual names those count that an optimiser updates (averaged copies have none), and of these the highest.
    """
    parts: dict[str, nn.Module] = {path: part for path, part in module.named_modules() if path}
    if name is not None:
        if name not in parts:
            raise ValueError(f"{_title(module)} has no module {name!r} for the {player}; it has {_listed(module)}")
        return parts[name]
    usual = [path for path in parts if _is_usual(path, player)]
    usual = [path for path in usual if any(share_of_weights(one, parts[path]) for one in optimizers)] or usual
    highest = [path for path in usual if path.count(".") == min(other.count(".") for other in usual)]
    if len({id(parts[path]) for path in highest}) > 1:
        raise ValueError(
            f"{_title(module)} has {len(highest)} modules that may be the {player}: {', '.join(highest)}; "
            f"name the one to watch: Watch({player}={highest[0]!r})"
        )
    return parts[highest[0]] if highest else None


def _is_usual(path: str, player: str) -> bool:
    return path.count(".") <= DEEPEST and path.rpartition(".")[2].replace("_", "").lower() in NAMES[player]


def _of_another_optimizer(module: nn.Module, optimizers: Sequence[Optimizer], known: nn.Module) -> nn.Module | None:
    """The largest part whose weights an optimiser updates that has none of the known network; None unless there is one."""
    others = [one for one in optimizers if share_of_weights(one, known) == 0]
    if len(others) != 1:
        return None
    parts = [part for path, part in module.named_modules() if path and list(part.parameters())]
    whole = [part for part in parts if share_of_weights(others[0], part) == 1]
    return max(whole, key=lambda part: sum(weight.numel() for weight in part.parameters()), default=None)


def _optimizer_of(
    player: str, network: nn.Module | None, module: nn.Module, optimizers: Sequence[Optimizer]
) -> Optimizer:
    """The optimiser with most of the network's weights. Raises ValueError where none has any."""
    shares = [0.0 if network is None else share_of_weights(one, network) for one in optimizers]
    if not any(shares):
        raise ValueError(
            f"none of the {len(optimizers)} optimisers of {_title(module)} updates the {player}: "
            f"configure_optimizers has to return one with its weights, or name another module: Watch({player}=...)"
        )
    return optimizers[shares.index(max(shares))]


def _not_found(module: nn.Module, missing: Sequence[str]) -> str:
    names = ", ".join(f"{player}=..." for player in missing)
    parts = f"{_title(module)}, which has {_listed(module)}"
    if len(missing) > 1:
        return f"it is not clear which modules are the generator and the discriminator of {parts}: name them, Watch({names})"
    return f"it is not clear which module is the {missing[0]} of {parts}: name it, Watch({names})"


def _listed(module: nn.Module) -> str:
    names = [path for path, part in module.named_modules() if path and "." not in path and list(part.parameters())]
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "") or "no modules with weights"


def _title(module: nn.Module) -> str:
    return type(module).__name__
