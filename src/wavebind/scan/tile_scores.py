"""Logits of the windows of a tile, in one of three ways.

``windows``
    Every window by itself: the reference.
``sliding``
    :class:`wavebind.scan.sliding.Slider`: near the reference, and many times faster.
``auto``
    Sliding first; then every window by itself that comes near to a call. Where the network cannot
    slide, ``windows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.shards import Arrays
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.sequences import Codes
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.genome.tiles import Tile, few_unknown, grid, read_codes, windows_of
from wavebind.models import Classifier
from wavebind.models.prediction import load_selected, predict_logits
from wavebind.scan.sliding import Slider, can_slide

__all__ = ["MODES", "Decoys", "ScanTask", "make_slider", "score_decoys", "score_tiles"]

MODES = ("auto", "windows", "sliding")
#: One window in so many is scored both ways, to measure how near they are.
SAMPLED = 997
#: Share of the windows of shuffled sequence that are scored by themselves.
_DECOY_SHARE = 0.02


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
    mode : {"auto", "windows", "sliding"}
    screen : float
        Windows whose sliding logit is at least this are scored by themselves, if `mode` is
        ``auto``.
    output : str or None
        Of a model of several outputs.
    device : str
    """

    run: str
    genome: str
    checksum: str
    stride: int
    mode: str
    screen: float
    output: str | None = None
    device: str = "auto"


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


def make_slider(model: Classifier, mode: str) -> Slider | None:
    """What scores a stretch at once, or None where every window is scored by itself.

    Raises
    ------
    InputError
        If `mode` is ``sliding`` and the network cannot.
    """
    if mode == "windows" or (mode == "auto" and not can_slide(model)):
        return None
    return Slider(model)


# A process does many chunks of the same job, and loading takes longer than one of them.
@lru_cache(maxsize=1)
def _load(run: str, output: str | None, device: str, mode: str) -> tuple[Classifier, Slider | None]:
    model, _ = load_selected(Path(run), device, output)
    return model, make_slider(model, mode)


def score_tiles(task: ScanTask, tiles: Sequence[Tile]) -> Arrays:
    """Logits of the windows of some tiles: one, or many small ones of a draft genome.

    Parameters
    ----------
    task : ScanTask
    tiles : sequence of Tile

    Returns
    -------
    dict of numpy.ndarray
        One tile after the other. ``start`` (int64, shape ``(window,)``, those that were scored),
        ``logit`` (float32) and ``alone`` (bool: scored by itself). ``sampled`` (float32, shape
        ``(sample, 2)``) holds the sliding logit and that of the window by itself. ``counts``
        (int64, shape ``(tile, 3)``) has for each tile the windows, those left out for unknown
        bases, and those that were scored by themselves.
    """
    model, slider = _load(task.run, task.output, task.device, task.mode)
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        found = [_score_tile(task, tile, model, slider, genome) for tile in tiles]
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _score_tile(
    task: ScanTask, tile: Tile, model: Classifier, slider: Slider | None, genome: Genome
) -> Arrays:
    length = model.config.length
    starts = grid(tile, length, task.stride)
    margin = slider.margin if slider else 0
    begin = tile.start - margin
    codes = read_codes(genome, tile.chrom, begin, tile.end - 1 + length + margin)
    kept = starts[few_unknown(codes, starts - begin, length)]
    found = score_windows(model, slider, codes, begin, tile.start, kept, task)
    n_alone = int(found["alone"].sum())
    found["counts"] = np.array([[len(starts), len(starts) - len(kept), n_alone]])
    return found


def score_windows(
    model: Classifier,
    slider: Slider | None,
    codes: Codes,
    begin: int,
    origin: int,
    starts: NDArray[np.int64],
    task: ScanTask,
    share: float | None = None,
) -> Arrays:
    """Logits of windows of one stretch of sequence.

    Parameters
    ----------
    model : Classifier
    slider : Slider or None
    codes : numpy.ndarray
        ``uint8``, shape ``(base,)``, base `begin` first.
    begin, origin : int
        Coordinates of the first base, and of where sliding stretches begin.
    starts : numpy.ndarray
        ``int64``, shape ``(window,)``, multiples of the stride.
    task : ScanTask
    share : float, optional
        Score the best of this share by themselves, instead of those above the screen.

    Returns
    -------
    dict of numpy.ndarray
        As of :func:`score_tiles`, without the counts.
    """
    windows = windows_of(codes, model.config.length)
    if slider is None or not len(starts):
        logits = predict_logits(model, windows, starts - begin).astype(np.float32)
        alone = np.ones(len(starts), dtype=bool)
        return _arrays(starts, logits, alone, np.empty((0, 2), dtype=np.float32))
    logits = _slide(slider, codes, begin, origin, starts, model.selected or 0)
    sampled = np.flatnonzero(starts // task.stride % SAMPLED == 0)
    rough = logits[sampled].copy()
    exact = predict_logits(model, windows, starts[sampled] - begin).astype(np.float32)
    alone = np.zeros(len(starts), dtype=bool)
    if task.mode == "auto":
        screen = task.screen if share is None else float(np.quantile(logits, 1 - share))
        alone = logits >= screen
        near = np.flatnonzero(alone)
        logits[near] = predict_logits(model, windows, starts[near] - begin)
    return _arrays(starts, logits, alone, np.stack([rough, exact], axis=1))


def _arrays(
    starts: NDArray[np.int64],
    logits: NDArray[np.float32],
    alone: NDArray[np.bool_],
    sampled: NDArray[np.float32],
) -> Arrays:
    return {"start": starts, "logit": logits, "alone": alone, "sampled": sampled}


def _slide(
    slider: Slider,
    codes: Codes,
    begin: int,
    origin: int,
    starts: NDArray[np.int64],
    output: int,
) -> NDArray[np.float32]:
    """Sliding logits, shape ``(window,)``: only of the stretches that hold a wanted window."""
    logits = np.empty(len(starts), dtype=np.float32)
    offset = starts - origin
    each = slider.span // slider.step
    # Windows off the slider's grid have one of their own, shifted.
    for phase in np.unique(offset % slider.step).tolist():
        mine = np.flatnonzero(offset % slider.step == phase)
        index = offset[mine] // slider.step
        blocks = np.unique(index // each)
        gaps = np.flatnonzero(np.diff(blocks) > 1) + 1
        for group in np.split(blocks, gaps):
            first, count = int(group[0]) * each, len(group) * each
            at = origin + phase + first * slider.step - begin
            found = slider.logits(codes, at, count)[output]
            here = (index >= first) & (index < first + count)
            logits[mine[here]] = found[index[here] - first]
    return logits


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

    model, slider = _load(task.run, task.output, task.device, task.mode)
    length = model.config.length
    rng = np.random.default_rng(decoys.seed)
    peaks = []
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        found_codes = [
            read_codes(genome, chrom, start, start + decoys.size) for chrom, start in decoys.places
        ]
    for codes in dinucleotide_shuffle(np.stack(found_codes), rng):
        starts = np.arange(0, decoys.size - length + 1, task.stride, dtype=np.int64)
        starts = starts[few_unknown(codes, starts, length)]
        found = score_windows(model, slider, codes, 0, 0, starts, task, _DECOY_SHARE)
        line = np.full(decoys.size // task.stride + 2, -np.inf)
        line[1 + found["start"] // task.stride] = found["logit"]
        where, _ = find_peaks(line, distance=max(1, length // 2 // task.stride))
        peaks.append(line[where])
    bases = np.array([len(decoys.places) * decoys.size])
    return {"peak": np.concatenate(peaks).astype(np.float32), "n_bases": bases}
