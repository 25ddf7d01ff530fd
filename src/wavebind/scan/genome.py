"""Where else a factor would bind: probabilities along a genome, and called sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import one_thread
from wavebind.core.errors import InputError
from wavebind.core.files import replace_file
from wavebind.core.shards import Arrays, Arrivals, Shard
from wavebind.core.workers import WorkerPool, run_chunks, silent
from wavebind.genome.tiles import Tile
from wavebind.models.prediction import load_selected, predict_logits
from wavebind.scan.plan import ScanPlan
from wavebind.scan.settings import ScanJob
from wavebind.scan.sites import Call, call_sites, decoy_rate, q_values, write_narrowpeak
from wavebind.scan.tile_scores import score_decoys, score_tiles
from wavebind.scan.track import write_track

__all__ = ["ScanSummary", "merge_scan", "scan_genome"]

#: Windows that are timed where each is scored by itself.
_TIMED = 32


@dataclass(frozen=True)
class ScanSummary:
    """What a scan did.

    Attributes
    ----------
    n_windows, n_unknown : int
        Windows of the grid; left out because too many bases are unknown.
    stride, threshold : int and float
        As they were used; the threshold is a probability, or what the model predicts in its place.
    n_calls : int
    decoy_rate : float or None
        Sites that chance calls a megabase at this threshold.
    n_bases : int
        That the scored windows stand for.
    decoy_calls : tuple of int, or None
        Sites that chance calls at this threshold, and the bases of shuffled sequence.
    prevalence : float or None
        Share of bound windows that the probabilities assume.
    quantity : str
        What was written: probabilities, or values.
    peaks : str or None
        Where the calls were written.
    """

    n_windows: int
    n_unknown: int
    stride: int
    threshold: float
    n_calls: int
    decoy_rate: float | None
    n_bases: int
    peaks: str | None
    quantity: str = "probability"
    decoy_calls: tuple[int, int] | None = None
    prevalence: float | None = None


def scan_genome(
    job: ScanJob,
    *,
    shard: Shard | None = None,
    pool: WorkerPool | None = None,
    note: Callable[[str], None] | None = None,
    total: Callable[[str, int], None] | None = None,
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
        Called for each stage with its name and the number of bases to come, and then with those
        done since the last call. Shuffled sequence is a stage of its own.

    Returns
    -------
    ScanSummary or None
        None of a share.

    Raises
    ------
    InputError
        If an input cannot be used, or the output cannot be written.
    """
    share, workers = shard or Shard(), (pool or WorkerPool()).on(job.device)
    plan = ScanPlan(job, None)
    for line in plan.notes:
        (note or silent)(line)
    chunks = [chunk for chunk in plan.chunks if share.has(chunk[0])]
    if not plan.step and note and not plan.store.n_done():
        note(_cost(plan, sum(_bases(tiles) for _, tiles in chunks) // plan.stride, workers))
    step, begin = progress or silent, total or silent
    with plan.store.claimed(share):
        with workers.started() as started:
            # Every share needs all decoys, because the threshold comes from them; they are few.
            if plan.decoys:
                n_decoys = sum(d.size * len(d.places) for d in plan.decoys)
                begin("scanning shuffled sequence, bases", n_decoys)
            run_chunks(
                partial(score_decoys, plan.task()),
                enumerate(plan.decoys),
                plan.store,
                started,
                lambda decoys: step(decoys.size * len(decoys.places)),
            )
            begin("scanning, bases", sum(map(_bases, (tiles for _, tiles in chunks))))
            score = partial(
                run_chunks, partial(score_tiles, plan.task()), chunks, plan.store, started
            )
            if share.count > 1:
                score(lambda tiles: step(_bases(tiles)))
                return None
            summary = _while_scored(plan, score, step)
        plan.store.remove()
        return summary


def merge_scan(job: ScanJob) -> ScanSummary:
    """Join the shares of a scan.

    Raises
    ------
    InputError
        If a chunk is missing, or an input is not what it was.
    """
    plan = ScanPlan(job, None)
    with plan.store.claimed(Shard()):
        summary = _assemble(plan, plan.store.read)
        plan.store.remove()
        return summary


def _while_scored(
    plan: ScanPlan,
    score: Callable[[Callable[[Sequence[Tile]], None]], None],
    step: Callable[[int], None],
) -> ScanSummary:
    """Write the outputs while the chunks are done; what was done before is read first."""
    arrivals = Arrivals(plan.store)
    with ThreadPoolExecutor(1, "writing") as writer:
        written = writer.submit(_assemble, plan, arrivals.read)

        def done(tiles: Sequence[Tile]) -> None:
            arrivals.tell()
            step(_bases(tiles))
            if written.done():
                # A full disk, say, is no reason to score to the end.
                written.result()

        try:
            score(done)
        finally:
            arrivals.stop()
        return written.result()


def _assemble(plan: ScanPlan, read: Callable[[int], Arrays]) -> ScanSummary:
    """Write the outputs from the chunks, in the order of the genome."""
    job, out = plan.job, Path(plan.job.out)
    threshold = plan.threshold()
    counts = np.zeros(2, dtype=np.int64)
    calls: list[Call] = []
    with replace_file(out) as temporary:
        write_track(temporary, plan, _chunks(plan, read, threshold, counts, calls))
        if counts[0] == counts[1]:
            raise InputError(
                f"{job.genome}: every one of {counts[0]:,} windows has too many unknown bases"
            )
    rates, decoy_calls = None, None
    q: NDArray[np.float64] | None = None
    n_bases = int(counts[0] - counts[1]) * plan.stride
    logits = np.array([call.logit for call in calls])
    if plan.decoys:
        decoys, n_decoy_bases = plan.decoy_logits()
        rates = float(decoy_rate(decoys, n_decoy_bases, np.array([threshold]))[0])
        decoy_calls = (round(rates * n_decoy_bases / 1e6), n_decoy_bases)
        q = q_values(logits, n_bases, decoys, n_decoy_bases)
    if job.peaks:
        probabilities = plan.probabilities(logits).tolist()
        rates_of_calls = None if q is None else q.tolist()
        with (
            replace_file(Path(job.peaks), streamable=True) as temporary,
            temporary.open("w", encoding="utf-8") as stream,
        ):
            if plan.card.quantity == "value" and probabilities:
                # The column has room for 0 to 1,000: shares of the highest.
                highest = max(probabilities)
                probabilities = [p / highest if highest > 0 else 0.0 for p in probabilities]
            write_narrowpeak(stream, calls, probabilities, rates_of_calls)
    return ScanSummary(
        n_windows=int(counts[0]),
        n_unknown=int(counts[1]),
        stride=plan.stride,
        threshold=float(plan.probabilities(np.array([threshold]))[0]),
        n_calls=len(calls),
        decoy_rate=rates,
        n_bases=n_bases,
        peaks=job.peaks,
        quantity=plan.card.quantity,
        decoy_calls=decoy_calls,
        prevalence=plan.card.calibration[0].prevalence if plan.card.calibration else None,
    )


def _chunks(
    plan: ScanPlan,
    read: Callable[[int], Arrays],
    threshold: float,
    counts: NDArray[np.int64],
    calls: list[Call],
) -> Iterator[tuple[str, Arrays]]:
    """Results in order; counts and calls are gathered on the way."""
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

    for number, tiles in plan.chunks:
        whole = read(number)
        counts += whole["counts"].sum(axis=0)
        ends = np.cumsum(whole["counts"][:, 0] - whole["counts"][:, 1])
        for tile, begin, end in zip(tiles, [0, *ends[:-1]], ends, strict=True):
            if tile.chrom != chrom:
                call()
                chrom = tile.chrom
            found = {name: whole[name][begin:end] for name in ("start", "logit")}
            above = found["logit"] >= threshold
            # Only what may be called is held: a chromosome has a hundred million windows.
            middles.append(found["start"][above] + plan.length // 2)
            logits.append(found["logit"][above])
            yield chrom, found
    call()


def _cost(plan: ScanPlan, n_windows: int, workers: WorkerPool) -> str:
    """What a scan takes whose windows share no work."""
    model, _ = load_selected(
        Path(plan.job.run), plan.job.device, plan.job.output, plan.job.config.length
    )
    codes = np.random.default_rng(0).integers(0, 4, (2 * _TIMED, plan.length)).astype(np.uint8)
    with one_thread():
        predict_logits(model, codes[:_TIMED])
        begun = time.perf_counter()
        predict_logits(model, codes[_TIMED:])
        seconds = (time.perf_counter() - begun) / _TIMED * n_windows / workers.size
    took = f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
    return (
        f"the network {model.config.backbone} scores every window by itself: {n_windows:,} windows "
        f"take about {took} here; a network that does not pad, as that of the recipe onehot, is "
        f"many times faster"
    )


def _bases(tiles: Sequence[Tile]) -> int:
    return sum(tile.end - tile.start for tile in tiles)
