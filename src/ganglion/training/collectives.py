"""Communication between the processes of a run: means, the clock, requests to stop, non-finite numbers.

N images in a batch, P processes. Each process trains on every P-th image of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.optim import Optimizer

from ganglion.networks.base import Discriminator, Generator, changing_buffers
from ganglion.networks.synchronised import BatchNormOverProcesses, synchronise, whole_batch
from ganglion.objectives.adversarial import per_image
from ganglion.runs.checkpoints import TrainingProgress
from ganglion.runs.optimizer_state import load_optimizers, optimizer_tensors

__all__ = ["Collectives", "state_of_first"]

Anything = TypeVar("Anything")

EQUAL_ANYWAY = (BatchNormOverProcesses, _SpectralNorm, Generator, Discriminator)
"""Layers whose buffers do not depend on which images a process sees."""


class Collectives:
    """Every process calls each method at the same place; where there is one process, each returns what it is given."""

    def __init__(self, fabric: Fabric) -> None:
        self.rank, self.count = fabric.global_rank, fabric.world_size
        self._with_buffers: list[nn.Module] = []

    @property
    def share(self) -> slice:
        """This process's share of a batch."""
        return slice(self.rank, None, self.count)

    def synchronise(self, *networks: nn.Module) -> None:
        """From here on layers that compare the images of a batch look, in train mode, at those of all processes."""
        if self.count == 1:
            return
        for network in networks:
            synchronise(network)
            self._with_buffers += [module for module in network.modules() if not isinstance(module, EQUAL_ANYWAY)]

    def average_buffers(self) -> None:
        """Makes what other layers of `synchronise`'s networks remember of their images the mean over the processes."""
        remembered = [buffer for module in self._with_buffers for buffer in changing_buffers(module).values()]
        self.average([buffer for buffer in remembered if buffer.is_floating_point()])

    def mean(self, values: Tensor) -> Tensor:
        """Means of `values` over the processes, in each of them the same bits."""
        return values if self.count == 1 else self._reduced(values, distributed.ReduceOp.SUM) / self.count

    def minimum(self, values: Tensor) -> Tensor:
        return values if self.count == 1 else self._reduced(values, distributed.ReduceOp.MIN)

    @property
    def gathered(self) -> Callable[[Tensor], Tensor] | None:
        """Where there are several processes: values (N, ...) of each to those of the whole batch; differentiable."""
        return whole_batch if self.count > 1 else None

    def whole_logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits on this process's reals and fakes to those of the whole batch (P * N,), without a gradient.

        Of maps (N, Q), the means of images. In one process they are returned as they are.
        """
        if self.count == 1:
            return real, fake
        both = whole_batch(torch.stack([per_image(real.detach()), per_image(fake.detach())], 1))  # (P * N, 2)
        return both[:, 0], both[:, 1]

    def average(self, tensors: list[Tensor]) -> None:
        """Makes each of `tensors` the mean over the processes, in one message."""
        if self.count == 1 or not tensors:
            return
        flat = self.mean(torch.cat([tensor.flatten() for tensor in tensors]))
        for tensor, mean in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def wait(self) -> None:
        """Until every process is here."""
        self.clock_and_interrupt(0.0, wanted=False)

    def clock_and_interrupt(self, seconds: float, wanted: bool) -> tuple[float, bool]:
        """The first process's clock, and whether any was asked to stop, so that all processes stop at the same step."""
        if self.count == 1:
            return seconds, wanted
        said = torch.tensor([0.0 if self.rank else seconds, float(wanted)], dtype=torch.float64)  # waits for no device
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


def state_of_first(
    fabric: Fabric,
    networks: Mapping[str, nn.Module],
    optimizers: Mapping[str, Optimizer],
    progress: TrainingProgress | None,
) -> TrainingProgress | None:
    """Gives every process the state that the first one has, which alone reads the run folder; `progress` is the first one's.

    None where it has restored none: then all begin with the first weights, which follow from the seed.
    """
    if fabric.world_size == 1:
        return progress
    sent: list[Any] = [None]
    if progress is not None:
        states = {name: _on_cpu(network.state_dict()) for name, network in networks.items()}
        sent = [(progress, states, _on_cpu(optimizer_tensors(optimizers)))]
    distributed.broadcast_object_list(sent, device=torch.device("cpu"))
    if sent[0] is None or fabric.global_rank == 0:
        return progress
    progress, states, moments = sent[0]
    for name, network in networks.items():
        network.load_state_dict(states[name])
    load_optimizers(moments, optimizers)
    return progress


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}
