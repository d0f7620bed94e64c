"""Communication between the processes of a run: means, the clock, requests to stop, non-finite numbers.

N images in a batch, P processes. Each process trains on every P-th image of a batch.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from ganglion.networks.base import Discriminator, Generator
from ganglion.networks.batch_norm import BatchNormOverProcesses, synchronise_batch_norm
from ganglion.recipe.schema import Recipe

__all__ = ["Collectives", "of_each_share"]

Anything = TypeVar("Anything")

EQUAL_ANYWAY = (BatchNormOverProcesses, _SpectralNorm, Generator, Discriminator)
"""Layers whose buffers do not depend on which images a process sees."""


class Collectives:
    """Every process calls each method at the same place; where there is one process, each returns what it is given."""

    def __init__(self, fabric: Fabric) -> None:
        self.rank, self.count, self._device = fabric.global_rank, fabric.world_size, fabric.device
        self._with_buffers: list[nn.Module] = []

    @property
    def share(self) -> slice:
        """This process's share of a batch."""
        return slice(self.rank, None, self.count)

    def synchronise(self, *networks: nn.Module) -> None:
        """From here on batch norms in train mode look at the images of all processes."""
        if self.count == 1:
            return
        for network in networks:
            synchronise_batch_norm(network)
            self._with_buffers += [module for module in network.modules() if not isinstance(module, EQUAL_ANYWAY)]

    def average_buffers(self) -> None:
        """Makes what other layers of `synchronise`'s networks remember of their images the mean over the processes."""
        remembered = [buffer for module in self._with_buffers for buffer in module.buffers(recurse=False)]
        self.average([buffer for buffer in remembered if buffer.is_floating_point()])

    def mean(self, values: Tensor) -> Tensor:
        """Means of `values` over the processes, in each of them the same bits."""
        return values if self.count == 1 else self._reduced(values, distributed.ReduceOp.SUM) / self.count

    def minimum(self, values: Tensor) -> Tensor:
        return values if self.count == 1 else self._reduced(values, distributed.ReduceOp.MIN)

    def gathered(self, values: Tensor) -> Tensor:
        """The values (N,) of all processes, (P * N,)."""
        if self.count == 1:
            return values
        parts = [torch.empty_like(values) for _ in range(self.count)]
        distributed.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    def average(self, tensors: list[Tensor]) -> None:
        """Makes each of `tensors` the mean over the processes, in one message."""
        if self.count == 1 or not tensors:
            return
        flat = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
        for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def clock_and_interrupt(self, seconds: float, wanted: bool) -> tuple[float, bool]:
        """The first process's clock, and whether any was asked to stop, so that all processes stop at the same step."""
        if self.count == 1:
            return seconds, wanted
        said = torch.tensor([0.0 if self.rank else seconds, float(wanted)], dtype=torch.float64, device=self._device)
        distributed.all_reduce(said)  # the others add 0 to the first one's seconds
        agreed, askers = said.tolist()
        return agreed, askers > 0

    def first_of(self, found: Anything | None) -> Anything | None:
        """What the lowest rank has that has found something."""
        if self.count == 1:
            return found
        all_found: list[Any] = [None] * self.count
        distributed.all_gather_object(all_found, found)
        return cast("Anything | None", next((one for one in all_found if one is not None), None))

    def _reduced(self, values: Tensor, operation: Any) -> Tensor:
        result = values.detach().contiguous().clone()
        distributed.all_reduce(result, operation)
        return result


def of_each_share(recipe: Recipe) -> list[str]:
    """What several processes each compute of their own share of a batch, where one process looks at the whole of it."""
    objective = recipe.objective
    found = {
        f"discriminator.minibatch {(minibatch := getattr(recipe.discriminator, 'minibatch', 'none'))}": minibatch
        != "none",
        "the mean logits of relativistic-average": objective.adversarial == "relativistic-average",
        "the mean features of feature matching": objective.feature_matching.weight > 0,
        "the spread of the reals in dragan": any(penalty.kind == "dragan" for penalty in objective.penalties),
        "the separation that pauses a player": recipe.balance.pause_above_auc is not None,
    }
    return [name for name, there in found.items() if there]
