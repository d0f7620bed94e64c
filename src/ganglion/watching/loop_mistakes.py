"""What a loop does wrong in each of its steps: gradients that are not zeroed, networks that are trained in eval mode."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from ganglion.watching.account import Account
from ganglion.watching.calls import graph_task
from ganglion.watching.forward import ForwardPasses
from ganglion.watching.roles import Sorted

__all__ = ["LoopMistakes"]


class LoopMistakes:
    """Of both networks."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, passes: ForwardPasses, account: Account) -> None:
        self._networks, self._passes = {"g": generator, "d": discriminator}, passes
        self._zeroing = {
            player: Zeroing(network, lambda: passes.measuring, account) for player, network in self._networks.items()
        }

    @property
    def g_was_reached(self) -> bool:
        """Whether a backward pass has reached G since its last update."""
        return self._zeroing["g"].is_reached

    def before_step(self, player: str) -> dict[str, float]:
        """`unzeroed_g` or `unzeroed_d`: 1 where the gradient of this update holds one of an earlier step, otherwise 0. Empty
        for one optimiser of both networks, and where it is not known.
        """
        kept = self._zeroing[player].kept if self._passes.measuring and player != "both" else None
        return {} if kept is None else {f"unzeroed_{player}": kept}

    def after_step(self, player: str) -> None:
        if player == "g":
            self._zeroing["d"].other_updated(self._zeroing["g"])
        for updated in "gd" if player == "both" else player:
            self._zeroing[updated].updated()

    def modes(self, found: Sorted) -> dict[str, float]:
        """`eval_mode_g` and `eval_mode_d`: 1 for a network with running statistics that is trained in eval mode, otherwise 0. D
        is often in eval mode in G's step on purpose, so its calls on reals count.
        """
        calls = {
            "g": [call.evaluating for call in self._passes.of_g if call.training or call.evaluating],
            "d": [call.evaluating for call, _ in found.real],
        }
        return {
            f"eval_mode_{player}": float(all(evaluating))
            for player, evaluating in calls.items()
            if evaluating and _has_running_statistics(self._networks[player])
        }

    def remove_hooks(self) -> None:
        for zeroing in self._zeroing.values():
            zeroing.remove()


def _has_running_statistics(network: nn.Module) -> bool:
    return any(isinstance(layer, _NormBase) and layer.running_mean is not None for layer in network.modules())


class Zeroing:
    """Whether gradients are zeroed between the updates of a network, as one of its weights shows.

    Before a backward pass adds to the weight's gradient, that is empty, or 0, or the sum of the passes before. What an update
    has used, and what G's loss has left in D, should be gone by then. `looking`: whether it is looked at now, which waits for
    a device.
    """

    def __init__(self, network: nn.Module, looking: Callable[[], bool], account: Account) -> None:
        self._looking, self._account = looking, account
        self._hooks: list[Any] = []
        self._was_empty: bool | None = None
        self._passes: set[int] = set()
        self._not_looked_at: set[int] = set()
        self._is_used = self._is_kept = False
        weight = next((one for one in network.parameters() if one.requires_grad and not is_lazy(one)), None)
        if weight is not None:
            self._weight = weakref.ref(weight)
            self._hooks.append(cast(Any, weight).register_hook(self._before_adding))
            self._hooks.append(cast(Any, weight).register_post_accumulate_grad_hook(self._after_adding))

    @property
    def is_reached(self) -> bool:
        """Whether a backward pass has reached the network since its last update."""
        return bool(self._passes)

    @property
    def kept(self) -> float | None:
        """1 where the gradient of the coming update holds what should be gone, otherwise 0; None where it is not known."""
        return float(self._is_kept) if self.is_reached and not self._not_looked_at else None

    def updated(self) -> None:
        """The network has been updated."""
        self._passes, self._not_looked_at = set(), set()
        self._is_used, self._is_kept = True, False

    def other_updated(self, other: Zeroing) -> None:
        """The other network has been updated. What its loss left in this one's gradient is not for this one's update."""
        of_its_loss = (self._passes & other._passes) - {-1}
        self._is_used |= bool(of_its_loss)
        self._not_looked_at -= of_its_loss

    def remove(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _before_adding(self, _gradient: Tensor) -> None:
        """Also called by `torch.autograd.grad`, which adds nothing: only `_after_adding` counts."""
        self._was_empty = self._account.run("zeroing of gradients", self._is_empty) if self._looking() else None

    def _is_empty(self) -> bool | None:
        weight = self._weight()
        return None if weight is None else weight.grad is None or not bool(weight.grad.any())

    def _after_adding(self, _weight: Tensor) -> None:
        self._passes.add(task := graph_task())
        if self._was_empty is None:
            self._not_looked_at.add(task)
        elif self._was_empty:
            self._not_looked_at.clear()
            self._is_used = self._is_kept = False
        else:
            self._is_kept |= self._is_used
