"""Scores of bases as tracks of a genome browser: bigWig and BED."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.dataset import Dataset
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier
from wavebind.models.matrixparts import matrix_hits, matrix_logits

__all__ = ["best_stretch", "file_name", "matrix_table", "write_tracks"]

#: Bases of a site in the BED file: about a long binding site.
WIDTH = 20


def best_stretch(scores: NDArray[np.floating[Any]], width: int = WIDTH) -> tuple[int, float]:
    """First base and sum of the stretch of a window with the highest sum of scores.

    Parameters
    ----------
    scores : numpy.ndarray
        Shape ``(position,)``.
    width : int
        Bases; the whole window where it is shorter.
    """
    width = min(width, len(scores))
    sums = np.convolve(scores, np.ones(width), mode="valid")
    first = int(np.argmax(sums))
    return first, float(sums[first])


def write_tracks(
    folder: Path,
    chrom: NDArray[np.str_],
    start: NDArray[np.int64],
    names: Sequence[str],
    scores: NDArray[np.float32],
    data: Dataset,
) -> bool:
    """Write ``base_scores.bw`` and ``sites.bed`` of the windows whose place is known.

    Where windows overlap, the track has the mean of their scores. The length of a chromosome is
    taken to be where the last window of the dataset ends. A dataset does not know better, and a
    browser does not need more.

    Parameters
    ----------
    folder : pathlib.Path
    chrom : numpy.ndarray
        Shape ``(window,)``.
    start : numpy.ndarray
        Shape ``(window,)``, 0-based; -1 where not known.
    names : sequence of str
    scores : numpy.ndarray
        ``float32``, shape ``(window, position)``.
    data : Dataset

    Returns
    -------
    bool
        Whether any place was known.
    """
    import pyBigWig

    placed = np.flatnonzero((chrom != "") & (start >= 0))
    if not placed.size:
        return False
    length = scores.shape[1]
    chroms = sorted(set(chrom[placed].tolist()))
    track = pyBigWig.open(str(folder / "base_scores.bw"), "w")
    try:
        sizes = [(name, int(data.end[data.chrom == name].max())) for name in chroms]
        track.addHeader(sizes)
        for name in chroms:
            mine = placed[chrom[placed] == name]
            positions = (start[mine, None] + np.arange(length)).ravel()
            where, inverse, counts = np.unique(positions, return_inverse=True, return_counts=True)
            sums = np.bincount(inverse, scores[mine].ravel().astype(np.float64))
            # Base by base in stretches without a gap.
            breaks = np.flatnonzero(np.diff(where) > 1) + 1
            for part in np.split(np.arange(len(where)), breaks):
                track.addEntries(
                    name,
                    int(where[part[0]]),
                    values=(sums[part] / counts[part]).tolist(),
                    span=1,
                    step=1,
                )
    finally:
        track.close()
    order = sorted(placed.tolist(), key=lambda i: (chrom[i], int(start[i])))
    found = {i: best_stretch(scores[i]) for i in order}
    top = max(max(total for _, total in found.values()), 1e-12)
    with (folder / "sites.bed").open("w", encoding="utf-8") as stream:
        for i in order:
            first, total = found[i]
            begin = int(start[i]) + first
            level = round(1000 * min(max(total / top, 0.0), 1.0))
            end = begin + min(WIDTH, length)
            stream.write(f"{chrom[i]}\t{begin}\t{end}\t{names[i]}\t{level}\t.\n")
    return True


def file_name(number: int, name: str) -> str:
    """What the file of a window is called, without its ending; windows count from 0."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:80]
    return f"{number + 1:03d}_{safe}"


def matrix_table(model: Classifier, names: Sequence[str], codes: Codes) -> str:
    """What the matrices beside a network add to the logits of some windows, as a table.

    Parameters
    ----------
    model : Classifier
    names : sequence of str
        Of the windows.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    str
        A line a window and matrix: its best hit in bits, and what that adds to the logit (before
        calibration) beyond what it adds in the mean of these windows. Empty where the model has no
        matrices.
    """
    if not model.config.matrices:
        return ""
    rows = np.arange(len(codes))
    hits, added = matrix_hits(model, codes, rows), matrix_logits(model, codes, rows)
    added -= added.mean(axis=0)
    lines = ["name\tmatrix\tbest_hit\tadded"]
    for name, scores, logits in zip(names, hits, added, strict=True):
        for matrix, bits, log_odds in zip(model.config.matrices, scores, logits, strict=True):
            lines.append(f"{name}\t{matrix}\t{bits:.3f}\t{log_odds:.4f}")
    return "\n".join(lines) + "\n"
