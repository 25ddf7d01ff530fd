"""gkm: a gapped k-mer support vector machine, read from a model of LS-GKM.

It is not trained here. The kernel is that of :mod:`wavebind.models.networks.gkmkernel` (Lee 2016,
Bioinformatics 32:2196). Unless it is a radial one, all support vectors together are one table of
what each l-mer adds. A window then costs a look-up for each of its l-mers, and its own norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from wavebind.core.errors import InputError
from wavebind.core.settings import Settings
from wavebind.genome.sequences import Codes
from wavebind.models.networks.gkmkernel import MAX_L, Filter, GkmKernel, centre_weights
from wavebind.models.networks.segments import Segment, SegmentedNetwork

__all__ = ["Gkm", "GkmConfig"]

Floats = NDArray[np.float64]

#: L-mers of all support vectors of a radial kernel: a bound for files from strangers.
_MAX_LMERS = 2**29


@dataclass(frozen=True)
class GkmConfig(Settings):
    """Kernel of a gapped k-mer machine, by the names of LS-GKM's options.

    Attributes
    ----------
    l, k, d : int
        Length of an l-mer, its informative positions, and the mismatches that count.
    weighing : {"truncated", "full", "counts"}
        How a pair of l-mers is weighed; see :class:`GkmKernel`.
    most : int
        Weight of an l-mer in the middle of a window (-M); 0 where all weigh the same.
    half_life : float
        Distance at which that weight has halved, in base pairs (-H).
    gamma : float
        Of the radial kernel ``exp(gamma (K - 1))`` (-g); 0 of the kernel K itself.
    both_strands : bool
        Whether reverse complements count.
    n_vectors, n_lmers : int
        Of a radial kernel, support vectors and the l-mers of all of them; otherwise 0.
    """

    l: Annotated[int, Field(ge=2, le=MAX_L)] = 11  # noqa: E741
    k: Annotated[int, Field(ge=1, le=MAX_L)] = 7
    d: Annotated[int, Field(ge=0, le=MAX_L)] = 3
    weighing: Filter = "truncated"
    most: Annotated[int, Field(ge=0, le=255)] = 0
    half_life: Annotated[float, Field(gt=0)] = 50.0
    gamma: Annotated[float, Field(ge=0)] = 0.0
    both_strands: bool = True
    n_vectors: Annotated[int, Field(ge=0, le=_MAX_LMERS)] = 0
    n_lmers: Annotated[int, Field(ge=0, le=_MAX_LMERS)] = 0


class Gkm(SegmentedNetwork):
    """See the module's docstring.

    Parameters
    ----------
    config : GkmConfig
    shape : tuple of int
        ``(4, 1, position)``: one-hot windows.
    n_outputs : int
        1.

    Attributes
    ----------
    table : torch.nn.Parameter
        ``float32``, shape ``(4 ** l,)``: what each l-mer adds, divided later by the window's norm.
        Of a radial kernel shape ``(0,)``.
    bias : torch.nn.Parameter
        ``float32``, shape ``(1,)``.
    lmers, sizes, norms, coefficients : torch.Tensor
        Of a radial kernel: the l-mers of all support vectors one after the other (``int32``), how
        many each has, its norm and its coefficient (``float64``, shape ``(vector,)``).
    """

    lmers: torch.Tensor
    sizes: torch.Tensor
    norms: torch.Tensor
    coefficients: torch.Tensor

    def __init__(self, config: GkmConfig, shape: tuple[int, int, int], n_outputs: int = 1) -> None:
        super().__init__()
        if shape[:2] != (4, 1) or n_outputs != 1:
            raise InputError(
                f"a gapped k-mer machine reads one-hot windows and has one output; found "
                f"{shape[0]} channels of {shape[1]} scales and {n_outputs} outputs"
            )
        if shape[2] < config.l:
            raise InputError(f"windows of {shape[2]} bp are shorter than l-mers of {config.l} bp")
        self.config = config
        self._kernel: GkmKernel | None = None
        radial = config.gamma > 0
        self.table = nn.Parameter(torch.zeros(0 if radial else 4**config.l), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(1), requires_grad=False)
        n = config.n_vectors
        self.register_buffer("lmers", torch.zeros(config.n_lmers, dtype=torch.int32))
        self.register_buffer("sizes", torch.zeros(n, dtype=torch.int32))
        self.register_buffer("norms", torch.zeros(n, dtype=torch.float64))
        self.register_buffer("coefficients", torch.zeros(n, dtype=torch.float64))

    @property
    def kernel(self) -> GkmKernel:
        """The kernel, made when it is first needed: its spectrum has 4 ** l numbers."""
        if self._kernel is None:
            c = self.config
            self._kernel = GkmKernel(
                c.l, c.k, c.d, weighing=c.weighing, both_strands=c.both_strands
            )
        return self._kernel

    @property
    def reads_both_strands(self) -> bool:
        """Whether a window scores the same on either strand."""
        return self.config.both_strands

    def places(self) -> dict[str, tuple[float, float]]:
        """None: there are no maps."""
        return {}

    def stages(self) -> dict[str, tuple[nn.Module, ...]]:
        """None: there are no maps."""
        return {}

    def segments(self) -> list[Segment]:
        """``head`` alone."""
        return [Segment("head", self._head, (self,))]

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        planes = x[:, :, 0]
        codes = torch.where(planes.sum(1) > 0, planes.argmax(1), 4).to(torch.uint8)
        scores = self.scores(codes.cpu().numpy())
        return torch.from_numpy(scores).to(x.device).unsqueeze(1)

    def place_weights(self, n: int) -> Floats | None:
        """What an l-mer counts by its place among `n`; None where all count the same."""
        c = self.config
        return centre_weights(n, c.most, c.half_life) if c.most else None

    def scores(self, codes: Codes) -> Floats:
        """Values of the decision function, those of ``gkmpredict``.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(sequence, position)``, of any length of at least l; an unknown base
            is taken for A, as LS-GKM does.

        Returns
        -------
        numpy.ndarray
            ``float64``, shape ``(sequence,)``.
        """
        words = self.kernel.lmers(codes)
        places = self.place_weights(words.shape[1])
        norms = self.kernel.norms(words, places)
        bias = float(self.bias)
        if self.config.gamma > 0:
            each = [self._radial(w, places, n) for w, n in zip(words, norms, strict=True)]
            return np.array(each) + bias
        shares: Floats = self.table.detach().cpu().numpy()[words].astype(np.float64)
        found: Floats = (shares if places is None else shares * places).sum(axis=1) / norms + bias
        return found

    def _radial(self, words: NDArray[np.int32], places: Floats | None, norm: float) -> float:
        """The sum over the support vectors of one sequence, without the bias."""
        weights = np.ones(len(words)) if places is None else places
        table = self.kernel.smoothed(self.kernel.counts(words, weights))
        sizes = self.sizes.cpu().numpy()
        shares = table[self.lmers.cpu().numpy()]
        if self.config.most:
            of_size = {int(n): self.place_weights(int(n)) for n in np.unique(sizes)}
            shares = shares * np.concatenate([of_size[int(n)] for n in sizes])
        starts = np.r_[0, np.cumsum(sizes)[:-1]]
        kernels = np.add.reduceat(shares, starts) / (self.norms.cpu().numpy() * norm)
        radial = np.exp(self.config.gamma * (kernels - 1))
        return float(radial @ self.coefficients.cpu().numpy())
