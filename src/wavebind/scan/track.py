"""Probabilities along a genome as a bigWig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.shards import Arrays
from wavebind.genome.tiles import runs
from wavebind.scan.bigwig import BigWigWriter
from wavebind.scan.plan import ScanPlan

__all__ = ["significant", "write_track"]

#: Significant digits of a probability in the track.
_DIGITS = 4


def write_track(path: Path, plan: ScanPlan, chunks: Iterator[tuple[str, Arrays]]) -> None:
    """Write the track, and read back that it is whole.

    Parameters
    ----------
    path : pathlib.Path
    plan : ScanPlan
    chunks : iterator
        Chromosome and results of each tile, in order.

    Raises
    ------
    OSError
        If the file was not written to its end: the library says nothing of a full disk.
    """
    used = {tile.chrom for tile in plan.tiles}
    lengths = {name: n for name, n in plan.genome.lengths.items() if name in used}
    offset = plan.length // 2 - plan.stride // 2
    with BigWigWriter(path, lengths) as track:
        for chrom, found in chunks:
            values = significant(plan.probabilities(found["logit"]))
            for part in runs(found["start"], plan.stride):
                start = int(found["start"][part.start]) + offset
                track.add(chrom, start, plan.stride, values[part])


def significant(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to a few significant digits, which packs to a third of the size."""
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs(values), 1e-30))))
    rounded: NDArray[np.float64] = np.round(values * scale) / scale
    return rounded
