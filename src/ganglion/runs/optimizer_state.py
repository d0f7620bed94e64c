"""The state of optimisers as tensors, named so that a checkpoint can hold them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["Optimizers", "load_optimizers", "optimizer_tensors"]

Optimizers = Mapping[str, Optimizer]
"""By the network that they update."""


def optimizer_tensors(optimizers: Optimizers) -> dict[str, Tensor]:
    """Each optimiser's tensors under `player/parameter/quantity`. Learning rates and betas come from the recipe."""
    return {
        f"{player}/{parameter}/{quantity}": torch.as_tensor(value)
        for player, optimizer in optimizers.items()
        for parameter, quantities in optimizer.state_dict()["state"].items()
        for quantity, value in quantities.items()
    }


def load_optimizers(tensors: Mapping[str, Tensor], optimizers: Optimizers) -> None:
    """Gives each optimiser its tensors, named `player/parameter/quantity` as in a checkpoint."""
    for player, optimizer in optimizers.items():
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            owner, parameter, quantity = name.split("/")
            if owner == player:
                state.setdefault(int(parameter), {})[quantity] = _laid_out_like(weights[int(parameter)], tensor)
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(weight: Tensor, tensor: Tensor) -> Tensor:
    """A copy in the weight's memory layout, which fused optimisers require of their moments."""
    return torch.empty_like(weight).copy_(tensor).detach() if tensor.shape == weight.shape else tensor
