"""Logits of the windows of a tile, of the genome or of its shuffles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from wavebind.core.devices import Precision
from wavebind.core.shards import Arrays
from wavebind.genome.genomes import open_genome
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.genome.tiles import Tile, few_unknown, grid, read_codes
from wavebind.models.prediction import load_selected
from wavebind.models.stretches import StretchScorer

__all__ = ["Decoys", "ScanTask", "score_decoys", "score_tiles"]


@dataclass(frozen=True)
class ScanTask:
    """What a worker must know of a scan.

    Attributes
    ----------
    run, genome : str
        Paths.
    checksum : str
        SHA-256 of the genome's file.
    stride : int
        Base pairs between two windows.
    precision : {"auto", "float32"}
        See :class:`wavebind.scan.settings.ScanConfig`.
    output : str or None
        Of a model of several outputs.
    device : str
    length : int or None
        Of windows, for a model that has none of its own.
    """

    run: str
    genome: str
    checksum: str
    stride: int
    precision: Precision = "auto"
    output: str | None = None
    device: str = "auto"
    length: int | None = None


@dataclass(frozen=True)
class Decoys:
    """Stretches of the genome whose shuffles are scanned.

    Attributes
    ----------
    places : tuple of tuple
        ``(chrom, start)`` of each.
    size : int
        Bases of each.
    seed : tuple of int
    """

    places: tuple[tuple[str, int], ...]
    size: int
    seed: tuple[int, ...]


# A process does many chunks of the same job, and loading takes longer than one of them.
@lru_cache(maxsize=1)
def _load(
    run: str, output: str | None, device: str, precision: Precision, length: int | None
) -> StretchScorer:
    model, _ = load_selected(Path(run), device, output, length)
    return StretchScorer(model, bf16=precision == "auto")


def score_tiles(task: ScanTask, tiles: Sequence[Tile]) -> Arrays:
    """Logits of the windows of some tiles: one, or many small ones of a draft genome.

    Parameters
    ----------
    task : ScanTask
    tiles : sequence of Tile

    Returns
    -------
    dict of numpy.ndarray
        One tile after the other. ``start`` (int64, shape ``(window,)``, those that were scored)
        and ``logit`` (float32). ``counts`` (int64, shape ``(tile, 2)``) has for each tile the
        windows, and those left out for unknown bases.
    """
    scorer = _load(task.run, task.output, task.device, task.precision, task.length)
    length = scorer.length
    codes, starts, kept, counts, at = [], [], [], [], 0
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        for tile in tiles:
            mine = read_codes(genome, tile.chrom, tile.start, tile.end - 1 + length)
            first = grid(tile, length, task.stride)
            few = first[few_unknown(mine, first - tile.start, length)]
            counts.append((len(first), len(first) - len(few)))
            codes.append(mine)
            starts.append(few)
            # Tiles stand behind one another, so that scaffolds are scored many at a time.
            kept.append(few - tile.start + at)
            at += len(mine)
    return {
        "start": np.concatenate(starts),
        "logit": scorer.logits(np.concatenate(codes), np.concatenate(kept)),
        "counts": np.array(counts).reshape(-1, 2),
    }


def score_decoys(task: ScanTask, decoys: Decoys) -> Arrays:
    """Highest logits of shuffled sequence: what the model calls where nothing binds.

    Every stretch is shuffled with its dinucleotides kept, and scanned as the genome is.

    Returns
    -------
    dict of numpy.ndarray
        ``peak`` (float32, shape ``(peak,)``): logits that are the highest within half a window to
        either side; ``n_bases`` (int64, shape ``(1,)``).
    """
    from scipy.signal import find_peaks

    scorer = _load(task.run, task.output, task.device, task.precision, task.length)
    length = scorer.length
    rng = np.random.default_rng(decoys.seed)
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        found = [
            read_codes(genome, chrom, start, start + decoys.size) for chrom, start in decoys.places
        ]
    shuffled = dinucleotide_shuffle(np.stack(found), rng)
    starts = np.arange(0, decoys.size - length + 1, task.stride, dtype=np.int64)
    peaks = []
    for codes, logits in zip(shuffled, scorer.batch(shuffled, starts), strict=True):
        line = np.full(len(starts) + 2, -np.inf)
        line[1:-1] = np.where(few_unknown(codes, starts, length), logits, -np.inf)
        where, _ = find_peaks(line, distance=max(1, length // 2 // task.stride))
        peaks.append(line[where])
    bases = np.array([len(decoys.places) * decoys.size])
    return {"peak": np.concatenate(peaks).astype(np.float32), "n_bases": bases}
