"""Probabilities along a genome as a bigWig."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.shards import Arrays
from wavebind.genome.tiles import runs
from wavebind.scan.plan import ScanPlan

__all__ = []

#: Significant digits of a probability in the track.
_DIGITS = 4


def write_track(path: Path, plan: ScanPlan, chunks: Iterator[tuple[str, Arrays]]) -> None:
    import pyBigWig

    track = pyBigWig.open(str(path), "w")
    try:
        used = {tile.chrom for tile in plan.tiles}
        track.addHeader([(n, s) for n, s in plan.genome.lengths.items() if n in used])
        offset = plan.length // 2 - plan.stride // 2
        for chrom, found in chunks:
            values = significant(plan.probabilities(found["logit"]))
            for part in runs(found["start"], plan.stride):
                track.addEntries(
                    chrom,
                    int(found["start"][part.start]) + offset,
                    values=values[part].tolist(),
                    span=plan.stride,
                    step=plan.stride,
                )
    finally:
        track.close()


def significant(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to a few significant digits, which packs to a third of the size."""
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs(values), 1e-30))))
    rounded: NDArray[np.float64] = np.round(values * scale) / scale
    return rounded
