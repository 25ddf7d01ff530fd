"""Batch normalisation over the joint batch of several processes, on any device.

PyTorch's own needs GPUs. Statistics are those of all processes' windows together, with gradients
through the exchange (Ioffe & Szegedy 2015, ICML, PMLR 37:448).
"""

from __future__ import annotations

import torch
import torch.distributed
import torch.distributed.nn
from torch import nn

__all__ = ["use_joint_batches"]


def _joint_forward(norm: nn.modules.batchnorm._BatchNorm, x: torch.Tensor) -> torch.Tensor:
    axes = [i for i in range(x.ndim) if i != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    values = x.float()
    local = torch.stack([values.sum(axes), values.square().sum(axes)])
    n = torch.full_like(local[:1], values.numel() / values.shape[1])
    total: torch.Tensor = torch.distributed.nn.functional.all_reduce(  # type: ignore[no-untyped-call]
        torch.cat([local, n])
    )
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
