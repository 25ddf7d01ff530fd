"""Where else a factor would bind: probabilities along a genome, and called sites."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file, sha256
from wavebind.core.settings import Settings, to_dict
from wavebind.core.shards import Arrays, ChunkStore, Shard, chunks_folder
from wavebind.core.workers import WorkerPool, run_chunks, silent
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.intervals import merged
from wavebind.genome.peaks import place_on_genome
from wavebind.genome.tiles import Tile, few_unknown, read_codes, runs, tiles_of
from wavebind.models import load_model
from wavebind.models.rundir import RunDir
from wavebind.scan.sites import (
    Call,
    call_sites,
    decoy_rate,
    decoy_threshold,
    q_values,
    write_narrowpeak,
)
from wavebind.scan.tile_scores import (
    MODES,
    Decoys,
    ScanTask,
    make_slider,
    score_decoys,
    score_tile,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScanConfig", "ScanJob", "ScanSummary", "merge_scan", "scan_genome"]

#: Bases of a tile, about: a few megabytes of work and of result.
_TILE = 2**19
#: Bases of a shuffled stretch, at least, and of all that are in a piece, about.
_DECOY, _DECOY_PIECE = 2_000, 250_000
_DECOY_TRIES = 50
#: Significant digits of a probability in the track.
_DIGITS = 4


@dataclass(frozen=True)
class ScanConfig(Settings):
    """How a genome is scanned.

    Attributes
    ----------
    stride : int or None
        Base pairs between two windows; by default 10, or the multiple of what the network steps by
        that comes nearest below.
    mode : {"auto", "windows", "sliding"}
        See :mod:`wavebind.scan.tile_scores`.
    threshold : float or None
        Probability at or above which a window is called; by default the model's, chosen on valid.
        Of a model that predicts numbers, a number; by default the median of its training values.
    false_positives : float or None
        Instead: sites a megabase that may be called in shuffled sequence.
    decoys : float
        Megabases of shuffled sequence; used where `false_positives` is given, or `count_decoys`.
    count_decoys : bool
        Whether to scan shuffled sequence, for q-values, with a given threshold too.
    prevalence : float or None
        Fraction of bound windows to expect, for the probabilities.
    screen : float
        In mode ``auto``, windows whose sliding logit is at most this far below the threshold are
        scored by themselves.
    seed : int
        Decides the shuffles.
    """

    stride: Annotated[int, Field(ge=1)] | None = None
    mode: str = "auto"
    threshold: float | None = None
    false_positives: Annotated[float, Field(gt=0)] | None = None
    decoys: Annotated[float, Field(ge=0.01, le=10_000)] = 5.0
    count_decoys: bool = False
    prevalence: float | None = None
    screen: Annotated[float, Field(ge=0, le=1000)] = 3.0
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in MODES:
            raise InputError(f"mode {self.mode!r} is not known; choose one of: {', '.join(MODES)}")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise InputError(f"threshold must be a number; found {self.threshold!r}")
        if self.threshold is not None and self.false_positives is not None:
            raise InputError("give a threshold or a rate of false positives, not both")

    @property
    def uses_decoys(self) -> bool:
        """Whether shuffled sequence is scanned."""
        return self.count_decoys or self.false_positives is not None


@dataclass(frozen=True)
class ScanJob:
    """Everything that decides a scan, and where it goes.

    Attributes
    ----------
    run, genome : str
        Paths.
    out : str
        The bigWig.
    peaks : str or None
        The narrowPeak.
    regions : str or None
        BED file: windows whose middle lies there.
    output : str or None
        Of a model of several outputs; the first by default.
    device : str
    config : ScanConfig
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    run: str
    genome: str
    out: str
    peaks: str | None = None
    regions: str | None = None
    output: str | None = None
    device: str = "auto"
    config: ScanConfig = field(default_factory=ScanConfig)


@dataclass(frozen=True)
class ScanSummary:
    """What a scan did.

    Attributes
    ----------
    n_windows, n_unknown, n_alone : int
        Windows of the grid; left out because too many bases are unknown; scored by themselves.
    stride, threshold : int and float
        As they were used; the threshold is a probability, or what the model predicts in its place.
    n_calls : int
    decoy_rate : float or None
        Sites that chance calls a megabase at this threshold.
    sample : dict
        Of windows scored both ways: how many, their correlation, the quantiles of the distance in
        logits, and how many calls the screen would miss. Empty where nothing slides.
    n_bases : int
        That the scored windows stand for.
    quantity : str
        What was written: probabilities, or values.
    peaks : str or None
        Where the calls were written.
    """

    n_windows: int
    n_unknown: int
    n_alone: int
    stride: int
    threshold: float
    n_calls: int
    decoy_rate: float | None
    sample: dict[str, float]
    n_bases: int
    peaks: str | None
    quantity: str = "probability"


class _Plan:
    """A scan laid out: the same for every worker, shard and merge."""

    def __init__(self, job: ScanJob, progress: Callable[[int], None] | None) -> None:
        self.job, config = job, job.config
        run = RunDir(Path(job.run)).require_model()
        model, card = load_model(run.model)
        self.length = card.model.length
        self.which = card.output(job.output)
        self.card = card if config.prevalence is None else card.at_prevalence(config.prevalence)
        wanted = config.threshold
        if wanted is not None and card.quantity == "probability" and not 0 < wanted < 1:
            raise InputError(
                f"threshold must be between 0 and 1, as a probability is; found {wanted!r}"
            )
        slider = make_slider(model, config.mode)
        self.stride = config.stride or _default_stride(slider.step if slider else 1)
        if self.stride > self.length:
            raise InputError(
                f"a stride of {self.stride} bp leaves gaps between windows of {self.length} bp; "
                f"use {self.length} or less"
            )
        size = slider.span * max(1, round(_TILE / slider.span)) if slider else _TILE
        self.genome: Genome = open_genome(Path(job.genome), progress=progress)
        with self.genome:
            regions, self.notes = _regions(job, self.genome)
            self.tiles = tiles_of(self.genome, self.length, size, regions)
            if not self.tiles:
                raise InputError(
                    f"{job.regions or job.genome}: no window of {self.length} bp fits there"
                )
            self.decoys = self._decoys() if config.uses_decoys else []
        self.description = {
            "command": "scan",
            "job": to_dict(job),
            "model": sha256(run.model),
            "genome": self.genome.checksum,
            "regions": sha256(Path(job.regions)) if job.regions else None,
        }
        self.store = ChunkStore(chunks_folder(Path(job.out)), self.description)

    def _decoys(self) -> list[Decoys]:
        """Stretches that begin anywhere in the tiles, each base as likely, few of it unknown."""
        rng = np.random.default_rng([self.job.config.seed, 0])
        size = max(_DECOY, 4 * self.length)
        wanted = max(1, round(self.job.config.decoys * 1e6 / size))
        spans = [
            (tile.chrom, low - self.length // 2, high - self.length // 2)
            for tile in self.tiles
            for low, high in tile.regions
            or ((tile.start + self.length // 2, tile.end + self.length // 2),)
        ]
        weights = np.array([high - low for _, low, high in spans], dtype=np.float64)
        weights /= weights.sum()
        places: list[tuple[str, int]] = []
        for _ in range(_DECOY_TRIES * wanted):
            if len(places) == wanted:
                break
            chrom, low, high = spans[int(rng.choice(len(spans), p=weights))]
            start = int(rng.integers(low, high)) - size // 2
            codes = read_codes(self.genome, chrom, start, start + size)
            if few_unknown(codes, np.zeros(1, dtype=np.int64), size)[0]:
                places.append((chrom, start))
        if len(places) < wanted:
            raise InputError(
                f"{self.job.genome}: too few stretches of {size:,} known bases to shuffle "
                f"{self.job.config.decoys:g} Mb; ask for less (--decoys)"
            )
        each = max(1, _DECOY_PIECE // size)
        return [
            Decoys(tuple(places[i : i + each]), size, (self.job.config.seed, 1, i))
            for i in range(0, wanted, each)
        ]

    def threshold(self) -> float:
        """The logit at or above which a window is called; needs the decoys."""
        config = self.job.config
        if config.false_positives is not None:
            return decoy_threshold(*self.decoy_logits(), config.false_positives)
        probability = config.threshold
        if probability is None:
            probability = self.card.thresholds[self.which]
        return self.logit(probability)

    def logit(self, probability: float) -> float:
        """Of a probability."""
        line = self.card.calibration[self.which] if self.card.calibration else None
        if line is None:
            return float(np.log(probability) - np.log1p(-probability))
        return float(line.logits(np.array([probability]))[0])

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Of logits."""
        return self.card.probabilities(logits.astype(np.float64), self.which)

    def decoy_logits(self) -> tuple[NDArray[np.float32], int]:
        """Of the shuffled sequence, and its bases."""
        found = [self.store.read(i) for i in range(len(self.decoys))]
        peaks = np.concatenate([f["peak"] for f in found])
        return peaks, int(sum(f["n_bases"][0] for f in found))

    def task(self, screen: float) -> ScanTask:
        """What workers must know."""
        job = self.job
        return ScanTask(
            job.run,
            job.genome,
            self.genome.checksum,
            self.stride,
            job.config.mode,
            screen,
            job.output,
            job.device,
        )

    @property
    def pieces(self) -> list[tuple[int, Tile]]:
        """The tiles, numbered after the decoys."""
        return [(len(self.decoys) + i, tile) for i, tile in enumerate(self.tiles)]


def scan_genome(
    job: ScanJob,
    *,
    shard: Shard | None = None,
    pool: WorkerPool | None = None,
    note: Callable[[str], None] | None = None,
    total: Callable[[int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ScanSummary | None:
    """Score a genome, call sites, and write both.

    Work that is done is kept beside the output, in ``OUT.parts``, until that is whole: the same
    call again continues where it stopped.

    Parameters
    ----------
    job : ScanJob
    shard : Shard, optional
        Do this share of the work only; :func:`merge_scan` joins the shares.
    pool : WorkerPool, optional
        Who does the work.
    note : callable, optional
        Takes what a person should know.
    total, progress : callable, optional
        Called once with the number of bases to come, and then with those done since the last call.

    Returns
    -------
    ScanSummary or None
        None of a share.

    Raises
    ------
    InputError
        If an input cannot be used, or the output cannot be written.
    """
    share, workers = shard or Shard(), pool or WorkerPool()
    plan = _Plan(job, None)
    for line in plan.notes:
        (note or silent)(line)
    pieces = [piece for piece in plan.pieces if share.has(piece[0])]
    if total:
        n_decoys = sum(d.size * len(d.places) for d in plan.decoys)
        total(n_decoys + sum(tile.end - tile.start for _, tile in pieces))
    step = progress or silent
    # Every share needs all decoys, because the threshold comes from them; they are few.
    run_chunks(
        partial(score_decoys, plan.task(0.0)),
        enumerate(plan.decoys),
        plan.store,
        workers,
        lambda decoys: step(decoys.size * len(decoys.places)),
    )
    task = plan.task(plan.threshold() - job.config.screen)
    run_chunks(
        partial(score_tile, task),
        pieces,
        plan.store,
        workers,
        lambda tile: step(tile.end - tile.start),
    )
    return _assemble(plan) if share.count == 1 else None


def merge_scan(job: ScanJob) -> ScanSummary:
    """Join the shares of a scan.

    Raises
    ------
    InputError
        If a piece is missing, or an input is not what it was.
    """
    return _assemble(_Plan(job, None))


def _default_stride(step: int) -> int:
    return max(step, 10 // step * step)


def _regions(job: ScanJob, genome: Genome) -> tuple[pd.DataFrame | None, list[str]]:
    if job.regions is None:
        return None, []
    placed = place_on_genome([Path(job.regions)], genome, strict=False)
    if not len(placed.table):
        raise InputError(
            f"{job.regions}: none of its regions is on a chromosome of {job.genome}; wrong genome?"
        )
    return merged([placed.table]), list(placed.notes)


def _assemble(plan: _Plan) -> ScanSummary:
    """Write the outputs from the pieces, in the order of the genome."""
    job, out = plan.job, Path(plan.job.out)
    threshold = plan.threshold()
    counts = np.zeros(3, dtype=np.int64)
    sampled: list[NDArray[np.float32]] = []
    calls: list[Call] = []
    with replace_file(out) as temporary:
        _write_track(temporary, plan, _pieces(plan, threshold, counts, sampled, calls))
        if counts[0] == counts[1]:
            raise InputError(
                f"{job.genome}: every one of {counts[0]:,} windows has too many unknown bases"
            )
    rates = None
    q: NDArray[np.float64] | None = None
    n_bases = int(counts[0] - counts[1]) * plan.stride
    logits = np.array([call.logit for call in calls])
    if plan.decoys:
        decoys, n_decoy_bases = plan.decoy_logits()
        rates = float(decoy_rate(decoys, n_decoy_bases, np.array([threshold]))[0])
        q = q_values(logits, n_bases, decoys, n_decoy_bases)
    if job.peaks:
        probabilities = plan.probabilities(logits).tolist()
        rates_of_calls = None if q is None else q.tolist()
        with (
            replace_file(Path(job.peaks)) as temporary,
            temporary.open("w", encoding="utf-8") as stream,
        ):
            if plan.card.quantity == "value" and probabilities:
                # The column has room for 0 to 1,000: shares of the highest.
                highest = max(probabilities)
                probabilities = [p / highest if highest > 0 else 0.0 for p in probabilities]
            write_narrowpeak(stream, calls, probabilities, rates_of_calls)
    plan.store.remove()
    return ScanSummary(
        n_windows=int(counts[0]),
        n_unknown=int(counts[1]),
        n_alone=int(counts[2]),
        stride=plan.stride,
        threshold=float(plan.probabilities(np.array([threshold]))[0]),
        n_calls=len(calls),
        decoy_rate=rates,
        sample=_distance(sampled, threshold, job.config.screen),
        n_bases=n_bases,
        peaks=job.peaks,
        quantity=plan.card.quantity,
    )


def _pieces(
    plan: _Plan,
    threshold: float,
    counts: NDArray[np.int64],
    sampled: list[NDArray[np.float32]],
    calls: list[Call],
) -> Iterator[tuple[str, Arrays]]:
    """Results in order; counts, samples and calls are gathered on the way."""
    middles: list[NDArray[np.int64]] = []
    logits: list[NDArray[np.float32]] = []
    chrom = ""

    def call() -> None:
        if middles:
            calls.extend(
                call_sites(
                    chrom,
                    np.concatenate(middles),
                    np.concatenate(logits),
                    threshold,
                    stride=plan.stride,
                    gap=plan.length // 2,
                )
            )
        middles.clear()
        logits.clear()

    for number, tile in plan.pieces:
        found = plan.store.read(number)
        if tile.chrom != chrom:
            call()
            chrom = tile.chrom
        counts += [*found["counts"], int(found["alone"].sum())]
        sampled.append(found["sampled"])
        above = found["logit"] >= threshold
        # Only what may be called is held: a chromosome has a hundred million windows.
        middles.append(found["start"][above] + plan.length // 2)
        logits.append(found["logit"][above])
        yield chrom, found
    call()


def _write_track(path: Path, plan: _Plan, pieces: Iterator[tuple[str, Arrays]]) -> None:
    import pyBigWig

    track = pyBigWig.open(str(path), "w")
    try:
        used = {tile.chrom for tile in plan.tiles}
        track.addHeader([(n, s) for n, s in plan.genome.lengths.items() if n in used])
        offset = plan.length // 2 - plan.stride // 2
        for chrom, found in pieces:
            values = _significant(plan.probabilities(found["logit"]))
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


def _significant(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to a few significant digits, which packs to a third of the size."""
    scale = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.maximum(np.abs(values), 1e-30))))
    rounded: NDArray[np.float64] = np.round(values * scale) / scale
    return rounded


def _distance(
    sampled: list[NDArray[np.float32]], threshold: float, screen: float
) -> dict[str, float]:
    """How near sliding logits are to those of windows by themselves."""
    both = np.concatenate(sampled).astype(np.float64)
    if len(both) < 2:
        return {}
    rough, exact = both.T
    apart = np.abs(rough - exact)
    called = exact >= threshold
    return {
        "n": float(len(both)),
        "correlation": float(np.corrcoef(rough, exact)[0, 1]) if rough.std() * exact.std() else 1.0,
        "median": float(np.median(apart)),
        "p99": float(np.quantile(apart, 0.99)),
        "n_called": float(called.sum()),
        "n_missed": float((called & (rough < threshold - screen)).sum()),
    }
