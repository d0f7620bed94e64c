"""Whose optimiser steps: those that were given, and those that a training makes anew for the same weights."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

from torch import nn
from torch.optim import Optimizer

from ganglion.watching.foreign import share_of_weights

__all__ = ["Optimizers"]

MOST_STEPS_ALONE = 3
"""Steps of another optimiser of the same weights, without one of the known optimiser, after which it has replaced that."""
MOST_WEIGHTS = 0.5


class Optimizers:
    """The optimisers of G and D. They are not kept alive."""

    def __init__(self, networks: Mapping[str, nn.Module], of_g: Optimizer, of_d: Optimizer) -> None:
        self._networks = networks
        self._known = {"g": weakref.ref(of_g), "d": weakref.ref(of_d)}
        self._alone: dict[str, list[weakref.ref[Optimizer]]] = {"g": [], "d": []}
        self._others: weakref.WeakKeyDictionary[Optimizer, str] = weakref.WeakKeyDictionary()
        self._missed = 0

    @property
    def is_one(self) -> bool:
        """Whether one optimiser updates both networks."""
        return self._known["g"]() is not None and self._known["g"]() is self._known["d"]()

    def of(self, player: str) -> Optimizer | None:
        return self._known[player]()

    def player(self, optimizer: Optimizer) -> str | None:
        """g, d or both; None for an optimiser of other weights, or an additional one of these."""
        if self.is_one and optimizer is self._known["g"]():
            return "both"
        for player, known in self._known.items():
            if known() is optimizer:
                self._alone[player] = []
                return player
        return self._if_new(optimizer)

    def missed(self) -> int:
        """Steps of G's new optimiser before it was recognised, once."""
        missed, self._missed = self._missed, 0
        return missed

    def rates(self) -> dict[str, float]:
        """`lr_g` and `lr_d`."""
        return {
            f"lr_{player}": float(optimizer.param_groups[0]["lr"])
            for player in self._known
            if (optimizer := self.of(player)) is not None
        }

    def crosstalk(self) -> dict[str, float]:
        """Shares of each network's weights in the other's optimiser; empty where one optimiser is for both by design."""
        of_g, of_d = self.of("g"), self.of("d")
        found = {} if of_g is None else {"moves_d_with_g": share_of_weights(of_g, self._networks["d"])}
        found |= {} if of_d is None else {"moves_g_with_d": share_of_weights(of_d, self._networks["g"])}
        return {} if self.is_one else found

    def _if_new(self, optimizer: Optimizer) -> str | None:
        """The player of an optimiser that has replaced the known one."""
        if optimizer not in self._others:
            shares = {player: share_of_weights(optimizer, network) for player, network in self._networks.items()}
            best = max(shares, key=lambda player: shares[player])
            self._others[optimizer] = best if shares[best] > MOST_WEIGHTS else ""
        player = self._others[optimizer]
        if not player:
            return None
        gone, alone = self._known[player]() is None, self._alone[player]
        alone.append(weakref.ref(optimizer))
        if not gone and (len(alone) < 2 * MOST_STEPS_ALONE or any(one() is not optimizer for one in alone)):
            return None  # each step asks twice, before and after
        if player == "g":
            self._missed = 0 if gone else MOST_STEPS_ALONE - 1
        self._known[player] = alone[-1]
        self._alone[player] = []
        return player
