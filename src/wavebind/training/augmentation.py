"""Changes to a training window that leave its label as it is."""

from __future__ import annotations

import torch

from wavebind.models.strands import reverse_complement_batch, shift_windows

__all__ = ["augment"]


def augment(
    codes: torch.Tensor,
    generator: torch.Generator,
    *,
    strand: bool = True,
    max_shift: int = 0,
    mutation: float = 0.0,
    share: tuple[int, int] = (0, 1),
) -> torch.Tensor:
    """A random strand, a random small shift, and random mutations, for each window of a batch.

    Parameters
    ----------
    codes : torch.Tensor
        ``uint8``, shape ``(batch, position)``, on the CPU.
    generator : torch.Generator
    strand : bool
        Replace each window by its reverse complement with probability one half.
    max_shift : int
        Move each window by up to this many bases either way; what comes in is unknown.
    mutation : float
        Probability of each known base to become one of the three others.
    share : tuple of int
        Rank and number of processes that hold one joint batch. Each draws for all of it and takes
        its own. So the joint batch does not depend on how many processes hold it.
    """
    rank, n_processes = share
    n, total = len(codes), len(codes) * n_processes
    mine = slice(rank * n, (rank + 1) * n)
    if strand:
        flip = (torch.rand(total, generator=generator) < 0.5)[mine]
        codes = torch.where(flip[:, None], reverse_complement_batch(codes), codes)
    if max_shift:
        shifts = torch.randint(-max_shift, max_shift + 1, (total,), generator=generator)[mine]
        codes = shift_windows(codes, shifts)
    if mutation:
        shape = (total, codes.shape[1])
        hit = (torch.rand(shape, generator=generator) < mutation)[mine] & (codes < 4)
        step = torch.randint(1, 4, shape, generator=generator, dtype=torch.uint8)[mine]
        codes = torch.where(hit, (codes + step) % 4, codes)
    return codes
