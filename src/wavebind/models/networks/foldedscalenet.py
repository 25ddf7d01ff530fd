"""scalenet for prediction along a stretch: the same function with fewer passes over memory.

Normalisations are folded into the convolutions next to them where that is exact. Weights are laid
out and rounded once. The linear head is applied before the means are taken, so that one number a
position is added up, not all maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from wavebind.models.networks.composed import ComposedStem
from wavebind.models.networks.residual import Residual

if TYPE_CHECKING:
    from wavebind.models.networks.scalenet import ScaleNet

__all__ = ["FoldedScaleNet", "pool_positions", "sliding_max", "sliding_sum", "softmax_mean"]

#: Scores so far below the highest of a stretch still have weights that float32 holds.
SPREAD = 60.0


def sliding_sum(x: torch.Tensor, width: int) -> torch.Tensor:
    """Sums of `width` neighbours along the last axis, by sums of 1, 2, 4, ... of them.

    Differences of a running sum would be cheaper, and lose all digits of a small sum between large
    ones, which the weights of attention have.
    """
    length = x.shape[-1] - width + 1
    if length == 1:
        return x.sum(-1, keepdim=True)
    total = x.new_zeros((*x.shape[:-1], length))
    offset, n = 0, 1
    while n <= width:
        if width & n:
            total += x[..., offset : offset + length]
            offset += n
        # Of twice as many neighbours.
        x = x[..., :-n] + x[..., n:]
        n *= 2
    return total


def sliding_max(x: torch.Tensor, width: int, every: int = 1) -> torch.Tensor:
    """Maxima of `width` neighbours along the second axis, ``(batch, position, map)``.

    Of all maxima, every `every`-th is kept, from the first on.
    """
    if every > 1:
        if width % every:
            return sliding_max(x, width)[:, ::every]
        # Groups first: what follows then has fewer positions.
        n = x.shape[1] // every * every
        x = reduce(torch.maximum, [x[:, i:n:every] for i in range(every)])
        width //= every
    if x.shape[1] == width:
        return x.amax(1, keepdim=True)
    n = 1
    while 2 * n <= width:
        x = torch.maximum(x[:, :-n], x[:, n:])
        n *= 2
    rest = width - n
    return torch.maximum(x[:, : x.shape[1] - rest], x[:, rest:]) if rest else x


def pool_positions(x: torch.Tensor, width: int) -> torch.Tensor:
    """Maxima of `width` positions that follow one another, ``(batch, map, 1, position)``.

    The same as :func:`torch.nn.functional.max_pool2d`, several times faster where maps are last in
    memory.
    """
    n = x.shape[-1] // width
    parts = [x[..., i : n * width : width] for i in range(width)]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [torch.maximum(a, b) for a, b in pairs] + parts[len(parts) // 2 * 2 :]
    return parts[0]


def softmax_mean(x: torch.Tensor, scores: torch.Tensor, width: int) -> torch.Tensor:
    """Means of every `width` neighbours, weighted by a softmax of their scores.

    Parameters
    ----------
    x, scores : torch.Tensor
        ``float32``, shapes ``(batch, map, position)`` and ``(batch, 1, position)``.
    width : int
    """
    top = scores.amax(-1, keepdim=True)
    if bool((functional.max_pool1d(scores, width, 1) < top - SPREAD).any()):
        # With one reference for all, the weights of these windows would vanish.
        weights = torch.softmax(scores.unfold(-1, width, 1), dim=-1)
        return (x.unfold(-1, width, 1) * weights).sum(-1)
    shares = (scores - top).exp()
    return sliding_sum(x * shares, width) / sliding_sum(shares, width)


def _affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and addend of a normalisation in evaluation mode, one each a map."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a normalisation without running statistics cannot be folded")
    factor = (norm.running_var + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight
    addend = -norm.running_mean * factor
    return factor, addend if norm.bias is None else addend + norm.bias


def _laid_out(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    # A copy: a weight that has the type and the layout already would be the network's own.
    found = weight.to(dtype, copy=True, memory_format=torch.channels_last)
    return found.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True, eq=False)
class _Block:
    """A residual block; the second normalisation is part of the first convolution."""

    factor: torch.Tensor
    addend: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    mix: torch.Tensor
    dilation: int
    height: int
    crop: int

    def run(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.gelu(torch.addcmul(self.addend, x, self.factor))
        y = functional.conv2d(
            y, self.weight, self.bias, padding=(self.height, 0), dilation=(1, self.dilation)
        )
        y = functional.conv2d(functional.gelu(y), self.mix)
        y += x[..., self.crop : x.shape[-1] - self.crop]
        return y


class _Stem:
    """The first convolution, with what comes before it.

    Attributes
    ----------
    left_out : torch.Tensor
        What is to be added to the output, ``(1, map, band or 1, 1)``.
    """

    def __init__(
        self, network: ScaleNet, dtype: torch.dtype, composed: ComposedStem | None
    ) -> None:
        self.dtype, stem = dtype, network.stem
        self.stride, self.padding = stem.stride, network.stem_padding
        #: Bands that lie side by side as maps.
        self.n_bands = 0
        self.before: tuple[torch.Tensor, torch.Tensor] | None = None
        weight, bias = stem.weight, torch.zeros(1, 1, device=stem.weight.device)
        factor, addend = (
            part.view(1, weight.shape[1], -1, 1) for part in _affine(network.input_norm)
        )
        if composed is not None:
            self.stride, self.padding = (1, 1), (0, 0)
            self.n_bands = len(composed.bias)
            weight = composed.weight.flatten(0, 1).unsqueeze(2).to(weight)
            bias = composed.bias.t().to(bias)
        elif stem.kernel_size[0] == 1:
            bias = (weight * addend).sum((1, 2, 3))[:, None]
            weight = weight * factor
        else:
            # The convolution over scales pads after the normalisation, so it is not a part of it.
            self.before = addend.to(dtype), factor.to(dtype)
        self.weight = _laid_out(weight, dtype)
        exact = dtype == torch.float32
        self.bias = bias.t().flatten() if exact and bias.any() else None
        # Rounded, the same error at every position would add up. So the bias is left out of the
        # maps, which no addition between here and the join minds, and added where they are
        # normalised.
        self.left_out = (
            torch.zeros_like(bias[None, :, :, None]) if exact else bias[None, :, :, None]
        )

    def run(self, planes: torch.Tensor) -> torch.Tensor:
        """``(batch, map, band, position)``, maps last in memory."""
        x = planes.to(self.dtype).contiguous(memory_format=torch.channels_last)
        if self.before is not None:
            addend, factor = self.before
            x = torch.addcmul(addend, x, factor)
        x = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)
        if self.n_bands:
            bands = x.reshape(len(x), self.n_bands, -1, x.shape[-1]).transpose(1, 2)
            x = bands.contiguous(memory_format=torch.channels_last)
        return x


class FoldedScaleNet:
    """Logits of all windows of a stretch; see :meth:`SegmentedNetwork.sliding`.

    Parameters
    ----------
    network : ScaleNet
        In evaluation mode; what is changed in it later is not seen.
    dtype : torch.dtype
        What convolutions are computed in.
    composed : ComposedStem, optional
        Takes the place of the stem and of all that comes before it; what is called with planes is
        then called with signals, as planes of one scale.
    """

    @torch.no_grad()
    def __init__(
        self, network: ScaleNet, dtype: torch.dtype, composed: ComposedStem | None = None
    ) -> None:
        self.dtype, self.width, self.pool = dtype, network.width, network.config.pool
        self.stem = _Stem(network, dtype, composed)
        left_out = self.stem.left_out
        nothing = left_out.new_zeros(1, 1, 1, 1)
        self.bands = self._blocks(network.bands, left_out)
        factor, addend = (part.view(1, -1, 1, 1) for part in _affine(network.pooled_norm))
        self.join_factor = factor.to(torch.float32, copy=True)
        self.join_addend = (addend + factor * left_out).to(torch.float32, copy=True)
        self.join = _laid_out(network.join.weight, dtype)
        self.positions = self._blocks(network.positions, nothing)
        self.head_factor, self.head_addend = self._maps(_affine(network.head_norm))
        n = network.attention.weight.shape[1]
        head = network.head.weight
        # Of each position: its score, and its share of each output through mean and attention.
        score = network.attention.weight.flatten(1)
        whole = torch.cat([score, head[:, n : 2 * n], head[:, 2 * n : 3 * n]])
        self.each = _laid_out(whole[:, :, None, None], dtype)
        self.highest = head[:, :n].t().to(dtype, copy=True)
        self.early_width = network.width + 2 * network.position_crop
        self.early_factor, self.early_addend = self._maps(_affine(network.early_norm))
        self.early_highest = head[:, 3 * n : 4 * n].t().to(dtype, copy=True)
        self.early_each = _laid_out(head[:, 4 * n :, None, None], dtype)
        self.bias = network.head.bias.to(torch.float32, copy=True)

    def _maps(self, affine: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        factor, addend = (part.view(1, -1, 1, 1).to(self.dtype) for part in affine)
        return factor, addend

    def _blocks(self, blocks: nn.Sequential, left_out: torch.Tensor) -> list[_Block]:
        return [self._block(block, left_out) for block in blocks if isinstance(block, Residual)]

    def _block(self, block: Residual, left_out: torch.Tensor) -> _Block:
        """A block whose input is less than it should be by what was left out of each map."""
        factor, addend = (part.view(1, -1, 1, 1) for part in _affine(block.norm1))
        second = _affine(block.norm2)
        return _Block(
            factor.to(self.dtype),
            (addend + factor * left_out).to(self.dtype),
            _laid_out(block.conv1.weight * second[0].view(-1, 1, 1, 1), self.dtype),
            second[1].to(self.dtype),
            _laid_out(block.conv2.weight, self.dtype),
            block.conv1.dilation[1],
            block.conv1.kernel_size[0] // 2,
            block.crop,
        )

    def __call__(self, planes: torch.Tensor, every: int = 1) -> torch.Tensor:
        """Planes ``(batch, channel, scale, position)`` to ``(batch, output, window)``, float32.

        With a composed stem, signals ``(batch, channel, 1, position)``.

        All windows but every `every`-th are left out.
        """
        x = self.stem.run(planes)
        for block in self.bands:
            x = block.run(x)
        early = x = self.joined(pool_positions(x, self.pool))
        for block in self.positions:
            x = block.run(x)
        return self.head(self.late_maps(x), self.early_maps(early), every)

    def joined(self, x: torch.Tensor) -> torch.Tensor:
        """All bands joined, ``(batch, map, 1, position)``."""
        # In float32: rounded constants of this normalisation move all logits one way.
        x = torch.addcmul(self.join_addend, x.float(), self.join_factor)
        return functional.conv2d(functional.gelu(x).to(self.dtype), self.join)

    def late_maps(self, x: torch.Tensor) -> torch.Tensor:
        """What the head reads of the last block's output; shapes ``(batch, map, 1, position)``."""
        return functional.gelu(torch.addcmul(self.head_addend, x, self.head_factor))

    def early_maps(self, x: torch.Tensor) -> torch.Tensor:
        """What the head reads of the joined bands; shapes as of :meth:`late_maps`."""
        return functional.gelu(torch.addcmul(self.early_addend, x, self.early_factor))

    def head(self, late: torch.Tensor, early: torch.Tensor, every: int = 1) -> torch.Tensor:
        """Logits of every window, ``float32``, shape ``(batch, output, window)``.

        Parameters
        ----------
        late, early : torch.Tensor
            Outputs of :meth:`late_maps` and :meth:`early_maps`.
        every : int
            Leave out all windows but every so many.
        """
        n = self.bias.shape[0]
        each = functional.conv2d(late, self.each).squeeze(2).float()
        mean = sliding_sum(each[:, 1 : 1 + n], self.width) / self.width
        attended = softmax_mean(each[:, 1 + n :], each[:, :1], self.width)
        highest = sliding_max(late.squeeze(2).transpose(1, 2), self.width, every) @ self.highest
        shares = functional.conv2d(early, self.early_each).squeeze(2).float()
        mean += sliding_sum(shares, self.early_width) / self.early_width
        best = sliding_max(early.squeeze(2).transpose(1, 2), self.early_width, every)
        highest += best @ self.early_highest
        means = (mean + attended)[..., ::every]
        return means + highest.float().transpose(1, 2) + self.bias[:, None]
