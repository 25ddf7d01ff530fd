"""What the candidates for a dataset are made of, a chromosome at a time, by anyone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.shards import Arrays
from wavebind.datasets.from_peaks.backgrounds import Tiling
from wavebind.datasets.splits import BlockSplit, ChromosomeSplit
from wavebind.genome.composition import composition
from wavebind.genome.genomes import Genome, Letters, open_genome
from wavebind.genome.sequences import MAX_UNKNOWN

__all__ = ["FIELDS", "ChromosomeCandidates", "CountTask", "count_chromosome", "count_letters"]

#: What is counted of each window.
FIELDS = ("row", "start", "part", "unknown", "gc", "repeat", "key")


@dataclass(frozen=True)
class CountTask:
    """What a worker must know.

    Attributes
    ----------
    genome : str
        Path.
    checksum : str
        SHA-256 of that file.
    length : int
        Of a window, in base pairs.
    split : ChromosomeSplit or BlockSplit
    """

    genome: str
    checksum: str
    length: int
    split: ChromosomeSplit | BlockSplit


@dataclass(frozen=True)
class ChromosomeCandidates:
    """Windows of one chromosome, by kind.

    Attributes
    ----------
    chrom : str
    starts : mapping
        For each kind its first bases, ``int64``, shape ``(window,)``, or a
        :class:`wavebind.datasets.from_peaks.backgrounds.Tiling`. Of kind ``bound`` every window is
        kept, of others those that lie in a part and are known.
    """

    chrom: str
    starts: Mapping[str, NDArray[np.int64] | Tiling]


def count_chromosome(task: CountTask, candidates: ChromosomeCandidates) -> Arrays:
    """Part and composition of the windows of a chromosome.

    Returns
    -------
    dict of numpy.ndarray
        ``KIND.FIELD`` for each kind and each of: ``row`` (place among the windows given),
        ``start``, ``part`` (index into ``PARTS``, -1 in a gap), ``unknown`` (bases), ``gc`` and
        ``repeat`` (fractions, float32), ``key``
        (:func:`wavebind.genome.composition.sequence_hash`).
    """
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        return count_letters(task, candidates, genome)


def count_letters(task: CountTask, candidates: ChromosomeCandidates, genome: Genome) -> Arrays:
    """As :func:`count_chromosome`, of a genome that is open."""
    letters: Letters = genome.letters(candidates.chrom)
    length = task.length
    found: Arrays = {}
    for kind, given in candidates.starts.items():
        start = given.starts(len(letters), length) if isinstance(given, Tiling) else given
        counts = composition(letters, start, length)
        part = task.split.parts(candidates.chrom, start, start + length)
        keep = np.ones(len(start), dtype=bool)
        if kind != "bound":
            keep = (part >= 0) & (counts.unknown <= MAX_UNKNOWN * length)
        values: tuple[NDArray[Any], ...] = (
            np.arange(len(start)),
            start,
            part,
            counts.unknown,
            (counts.gc / np.maximum(length - counts.unknown, 1)).astype(np.float32),
            (counts.repeat / length).astype(np.float32),
            counts.key,
        )
        for name, value in zip(FIELDS, values, strict=True):
            found[f"{kind}.{name}"] = value[keep]
    return found
