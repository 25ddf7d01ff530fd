"""Batch normalisation over the joint batch of several processes, on any device.

PyTorch's own needs GPUs. Statistics are those of all processes' windows together, with gradients
through the exchange (Ioffe & Szegedy 2015, ICML, PMLR 37:448).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from torch import nn

__all__ = ["use_joint_batches"]


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is its gradient, since every process uses it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        del ctx
        total = x.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        del ctx
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _joint_forward(norm: nn.modules.batchnorm._BatchNorm, x: torch.Tensor) -> torch.Tensor:
    axes = [i for i in range(x.ndim) if i != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    values = x.float()
    local = torch.stack([values.sum(axes), values.square().sum(axes)])
    n = torch.full_like(local[:1], values.numel() / values.shape[1])
    total: torch.Tensor = _Sum.apply(torch.cat([local, n]))  # type: ignore[no-untyped-call]
    mean = total[0] / total[2]
    variance = (total[1] / total[2] - mean.square()).clamp_min(0)
    if norm.track_running_stats and norm.running_mean is not None and norm.running_var is not None:
        momentum = 0.1 if norm.momentum is None else norm.momentum
        unbiased = variance * total[2] / (total[2] - 1).clamp_min(1)
        with torch.no_grad():
            norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), momentum)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), momentum)
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)
    y = (values - mean.view(shape)) * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        y = y * norm.weight.view(shape) + norm.bias.view(shape)
    result: torch.Tensor = y.to(x.dtype)
    return result


def use_joint_batches(network: nn.Module) -> None:
    """Let every batch normalisation of a network see the joint batch while it trains."""

    def patch(norm: nn.modules.batchnorm._BatchNorm) -> None:
        own = norm.forward

        def forward(x: torch.Tensor) -> torch.Tensor:
            return _joint_forward(norm, x) if norm.training else own(x)

        norm.forward = forward  # type: ignore[method-assign, assignment]

    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            patch(module)
