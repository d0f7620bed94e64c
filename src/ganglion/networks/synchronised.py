"""Layers that compare the images of a batch, over those of all processes: batch normalisation and minibatch statistics.

PyTorch's SyncBatchNorm is for GPUs only; the layers here are made of differentiable operations, on any device, and so can be
differentiated twice, as gradient penalties ask. In train mode every process has to call them together; in eval mode they ask
no other process. N images of a process, P processes, C feature maps, H height, W width, A features, B kernels, K dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganglion.networks.layers import GROUP, MinibatchDiscrimination, MinibatchStddev, full_precision, widened

__all__ = [
    "BatchNormOverProcesses",
    "MinibatchDiscriminationOverProcesses",
    "MinibatchStddevOverProcesses",
    "gathered",
    "synchronise",
    "whole_batch",
]


class _SumOverProcesses(torch.autograd.Function):
    """The sum over all processes, in each of them. Its gradient is the sum of theirs, computed in the same way."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total: Tensor = _SumOverProcesses.apply(gradients[0])  # type: ignore[no-untyped-call]
        return total


def gathered(values: Tensor) -> Tensor:
    """The `values` (...) of every process, (P, ...) in the order of their ranks; differentiable, any number of times."""
    rank, count = distributed.get_rank(), distributed.get_world_size()
    before, after = values.new_zeros(rank, *values.shape), values.new_zeros(count - rank - 1, *values.shape)
    every: Tensor = _SumOverProcesses.apply(torch.cat([before, values[None], after]))  # type: ignore[no-untyped-call]
    return every


def whole_batch(values: Tensor) -> Tensor:
    """The `values` (N, ...) of every process, (P * N, ...) in the order of the batch, of which each has every P-th image."""
    return gathered(values).transpose(0, 1).flatten(0, 1)  # (P, N, ...) to (N, P, ...)


class BatchNormOverProcesses(_BatchNorm):
    """In train mode, mean and variance are those of the images of all processes, which hold equally many. Ioffe and Szegedy
    2015, arXiv 1502.03167.

    Every process then has the same running statistics. In eval mode it is PyTorch's batch norm and asks no other process.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of places: (N, C), (N, C, L), (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        with full_precision(x):
            wide = widened(x)
            mean, variance = self._statistics(wide)  # (C,)
            out = (wide - _by_map(mean, wide)) * _by_map((variance + self.eps).rsqrt(), wide)
            if self.affine:
                out = out * _by_map(self.weight, wide) + _by_map(self.bias, wide)
        return out.to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (C,) of each feature map over all processes, from those of each (Chan et al. 1983)."""
        axes = [axis for axis in range(x.ndim) if axis != 1]
        mine = torch.stack([x.mean(axes), x.var(axes, correction=0)])  # (2, C)
        means, variances = gathered(mine).unbind(1)  # (P, C)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        self._remember(mean.detach(), variance.detach(), len(means) * x.numel() // x.shape[1])
        return mean, variance

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, values: int) -> None:
        """Takes the statistics of so many `values` of a feature map into the running ones, the variance without bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((variance * values / (values - 1)).to(self.running_var.dtype), share)


def _by_map(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (x.ndim - 2))


class MinibatchDiscriminationOverProcesses(MinibatchDiscrimination):
    """Each image is compared with those of all processes. Salimans et al. 2016, arXiv 1606.03498, section 3.2."""

    def others(self, m: Tensor) -> Tensor:
        return whole_batch(m) if self.training else m  # (P * N, B, K)


class MinibatchStddevOverProcesses(MinibatchStddev):
    """The groups are those of the whole batch. Karras et al. 2018, arXiv 1710.10196, section 3."""

    def forward(self, features: Tensor) -> Tensor:
        rank, count = distributed.get_rank(), distributed.get_world_size()
        groups, rest = divmod(len(features) * count, GROUP)
        within_shares = not rest and groups % count == 0  # then a group's images are all of one process
        if within_shares or not self.training:
            return super().forward(features)
        return super().forward(whole_batch(features))[rank::count]


OVER_PROCESSES: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: BatchNormOverProcesses,
    nn.BatchNorm2d: BatchNormOverProcesses,
    nn.BatchNorm3d: BatchNormOverProcesses,
    MinibatchDiscrimination: MinibatchDiscriminationOverProcesses,
    MinibatchStddev: MinibatchStddevOverProcesses,
}


def synchronise(network: nn.Module) -> None:
    """Gives every layer of these kinds in `network` the class that asks the other processes; all that it holds stays."""
    for module in network.modules():
        if (kind := OVER_PROCESSES.get(type(module))) is not None:
            module.__class__ = kind
