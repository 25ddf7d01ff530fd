"""A scan of one chromosome against its ChIP-seq peaks, beside a matrix on the same bases.

The chromosome is cut into bins of the length of a window. A bin is bound if the summit of a peak
of any file lies in it, and unbound if no peak touches it; bins that a peak merely touches, and bins
with unknown bases, are left out. The score of a bin is the highest probability of the windows
whose middle lies in it, read from the bigWig of 'wavebind scan', and, for the matrix, the best hit
(both strands, FIMO's log-odds) whose middle lies in it. Both are ranked over all known sequence and
inside open chromatin alone. Intervals are of resampled stretches of 100 bins, which lie together.

A scanner of matrices, lightmotif, is timed on the chromosome where it is installed. Then one
stretch is scored window by window and as the scan does it, in float32 and in the precision
of the scan: how far logits are apart, and which sites are called.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import one_thread
from wavebind.core.memory import keep_memory
from wavebind.genome.genomes import open_genome
from wavebind.genome.intervals import merged, overlapping
from wavebind.genome.peaks import place_on_genome
from wavebind.genome.sequences import UNKNOWN, Codes, letter_codes
from wavebind.genome.tiles import few_unknown
from wavebind.metrics.binary import Ranked
from wavebind.models import Classifier, ModelCard, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.stretches import StretchScorer
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.pwms import best_hits
from wavebind.scan.sites import call_sites

RECALLS = (0.5, 0.8)
STRETCH = 100


def figures(labels: NDArray[np.int8], scores: NDArray[np.float64]) -> dict[str, list[float]]:
    """AUPRC and precision at fixed recall, each with its 95 % interval."""
    ranked = Ranked(labels, scores)

    def all_of(weights: NDArray[np.float64]) -> list[float]:
        true, false = ranked.counts(weights)
        precision = true / np.maximum(true + false, 1e-12)
        recall = true / true[-1]
        auprc = float(np.sum(np.diff(np.append(0.0, recall)) * precision))
        return [auprc, *(float(precision[np.searchsorted(recall, r)]) for r in RECALLS)]

    rng = np.random.default_rng(0)
    group = np.arange(len(labels)) // STRETCH
    n = int(group[-1]) + 1
    draws = [
        all_of(np.bincount(rng.integers(0, n, n), minlength=n)[group].astype(float))
        for _ in range(200)
    ]
    low, high = np.percentile(draws, [2.5, 97.5], axis=0)
    names = ["AUPRC", *(f"precision at recall {r:g}" for r in RECALLS)]
    values = all_of(np.ones(len(labels)))
    return {
        name: [v, float(a), float(b)]
        for name, v, a, b in zip(names, values, low, high, strict=True)
    }


def bins_of(
    codes: Codes, chrom: str, peaks: Any, open_regions: Any, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.bool_]]:
    """Starts of the bins that count, whether each is bound, and whether it is open."""
    starts = np.arange(0, len(codes) - length + 1, length, dtype=np.int64)
    unknown = np.add.reduceat(codes == UNKNOWN, starts)[: len(starts)]
    here = peaks[peaks["chrom"].to_numpy() == chrom]
    bound = np.zeros(len(starts), dtype=bool)
    bound[np.minimum(here["summit"].to_numpy() // length, len(starts) - 1)] = True
    touched = overlapping(chrom, starts, starts + length, merged([peaks]))
    keep = (unknown == 0) & (bound | ~touched)
    middle = starts[keep] + length // 2
    is_open = overlapping(chrom, middle, middle + 1, open_regions)
    return starts[keep], bound[keep].astype(np.int8), is_open


def track_scores(path: Path, chrom: str, starts: NDArray[np.int64], length: int) -> Any:
    """The highest value of a bigWig in each bin."""
    import pyBigWig

    with pyBigWig.open(str(path)) as track:
        end = int(starts[-1]) + length
        values = track.values(chrom, 0, end, numpy=True)
    found = np.nan_to_num(values, nan=0.0)[starts[:, None] + np.arange(length)].max(axis=1)
    return found.astype(np.float64)


def matrix_scores(codes: Codes, starts: NDArray[np.int64], length: int, name: str) -> Any:
    """The best hit whose middle lies in each bin, in bits."""
    motif = find_motif(name)
    reach = motif.width // 2
    padded = np.concatenate([np.full(reach, UNKNOWN, np.uint8), codes])
    padded = np.concatenate([padded, np.full(motif.width, UNKNOWN, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, length + motif.width - 1)
    found = [
        best_hits(windows[starts[at : at + 20_000]], [motif]).score[:, 0]
        for at in range(0, len(starts), 20_000)
    ]
    return np.concatenate(found)


def race_of_matrices(letters: bytes, name: str) -> dict[str, float]:
    """For scale: one matrix on both strands by lightmotif, a fast scanner of matrices."""
    try:
        import lightmotif
    except ImportError:
        print("lightmotif is not there (pip install lightmotif), so it is not timed")
        return {}
    motif = find_motif(name)
    counts = lightmotif.CountMatrix(
        {base: motif.counts[:, i].round().astype(int).tolist() for i, base in enumerate("ACGT")}
    )
    forward = counts.normalize(0.1).log_odds()
    known = sum(letters.upper().count(base) for base in b"ACGT")
    began = time.process_time()
    stretch = lightmotif.stripe(letters.decode("ascii").upper())
    hits = sum(
        1
        for matrix in (forward, forward.reverse_complement())
        for _ in lightmotif.scan(matrix, stretch, threshold=matrix.score(1e-4))
    )
    seconds = time.process_time() - began
    print(
        f"lightmotif, {name}, every base and both strands, one thread: {hits:,} hits at p < 1e-4, "
        f"{seconds:.2f} s, {known / 1e6 / seconds:.1f} Mb known a second"
    )
    return {"hits": hits, "seconds": seconds, "Mb/s": known / 1e6 / seconds}


def main() -> None:
    """Scan, compare with window by window, compare with peaks, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run, made with 'wavebind train'")
    parser.add_argument("genome", type=Path)
    parser.add_argument("--chrom", default="chr22")
    parser.add_argument("--peaks", type=Path, nargs="+", required=True)
    parser.add_argument("--open", type=Path, required=True, help="BED file of open chromatin")
    parser.add_argument("--motif", default="MA0139.1")
    parser.add_argument("--out", type=Path, default=Path("scan.bw"))
    parser.add_argument("--stride", type=int, default=8)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--sample", type=int, default=2000, help="windows to time by themselves")
    parser.add_argument(
        "--region", default=None, help="START-END of the stretch that is scored both ways"
    )
    parser.add_argument(
        "--keep", action="store_true", help="take --out as it lies there, from an earlier scan"
    )
    options = parser.parse_args()
    keep_memory()

    with open_genome(options.genome) as genome:
        letters = genome.letters(options.chrom)
        codes = letter_codes(letters)
        peaks = place_on_genome(options.peaks, genome).table
        regions = merged([place_on_genome([options.open], genome, strict=False).table])
    model, card = load_model(options.run / "model.safetensors")
    length = card.model.length
    found: dict[str, Any] = {}
    if not options.keep:
        found["scan"] = _scan(options, codes)
    found["one thread"] = [
        race(model, codes, stride, options.sample) for stride in (4, options.stride)
    ]
    found["lightmotif"] = race_of_matrices(bytes(letters), options.motif)
    starts, labels, is_open = bins_of(codes, options.chrom, peaks, regions, length)
    scores = {
        "wavebind scan": track_scores(options.out, options.chrom, starts, length),
        options.motif: matrix_scores(codes, starts, length, options.motif),
    }
    for place, mask in (("all known", np.ones(len(starts), dtype=bool)), ("open", is_open)):
        print(f"{place}: {mask.sum():,} bins of {length} bp, {labels[mask].sum():,} bound")
        for name, values in scores.items():
            found[f"{place}, {name}"] = figures(labels[mask], values[mask])
            cells = [
                f"{metric} {v:.3f} ({a:.3f}-{b:.3f})"
                for metric, (v, a, b) in found[f"{place}, {name}"].items()
            ]
            print(f"  {name:<16}{'   '.join(cells)}")
    if options.region:
        low, high = map(int, options.region.split("-"))
        found["both ways"] = both_ways(model, card, codes, low, high, options.stride)
    options.out.with_suffix(".json").write_text(json.dumps(found, indent=2))


def _scan(options: argparse.Namespace, codes: Codes) -> dict[str, float]:
    known = float((codes != UNKNOWN).sum())
    words = [sys.executable, "-m", "wavebind", "scan", options.run, options.genome]
    words += ["--out", options.out, "--stride", options.stride]
    words += ["--peaks", options.out.with_suffix(".narrowPeak")]
    words += [] if options.workers is None else ["--workers", options.workers]
    began = time.monotonic()
    subprocess.run([str(w) for w in words], check=True, stdout=sys.stderr)  # noqa: S603
    seconds = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024

    print(
        f"{known / 1e6:.1f} Mb known, stride {options.stride}: {seconds:.0f} s, "
        f"{known / 1e6 / seconds:.3f} Mb/s, {memory:.0f} MB a process at most"
    )
    return {"known Mb": known / 1e6, "seconds": seconds, "MB": memory}


def race(model: Classifier, codes: Codes, stride: int, n_windows: int) -> dict[str, float]:
    """Windows by themselves, and a stretch at once, on the same known bases, by one thread."""
    scorer = StretchScorer(model)
    size = min(400_000, len(codes))
    total = np.concatenate([[0], np.cumsum(codes != UNKNOWN)])
    first = int(np.argmax(total[size:] - total[:-size]))
    stretch = codes[first : first + size]
    starts = np.arange(0, size - scorer.length + 1, stride)
    sample = starts[:: max(1, len(starts) // n_windows)]
    windows = np.lib.stride_tricks.sliding_window_view(stretch, scorer.length)
    with one_thread():
        predict_logits(model, windows, sample[:512])
        began = time.process_time()
        predict_logits(model, windows, sample)
        alone = (time.process_time() - began) / len(sample) / stride
        scorer.logits(stretch, starts[: len(starts) // 10])
        began = time.process_time()
        scorer.logits(stretch, starts)
        shared = (time.process_time() - began) / size
    print(
        f"one thread, stride {stride}: windows by themselves {1e-6 / alone:.4f} Mb/s, a stretch "
        f"{1e-6 / shared:.4f} Mb/s: {alone / shared:.1f} times as fast"
    )
    return {"stride": stride, "windows, Mb/s": 1e-6 / alone, "stretch, Mb/s": 1e-6 / shared}


def both_ways(
    model: Classifier, card: ModelCard, codes: Codes, low: int, high: int, stride: int
) -> dict[str, Any]:
    """A stretch window by window in float32, against the scan's way in either precision."""
    length = card.model.length
    starts = np.arange(low, high - length + 1, stride)
    starts = starts[few_unknown(codes, starts, length)]
    windows = np.lib.stride_tricks.sliding_window_view(codes, length)
    threshold = float(card.calibration[0].logits(np.array([card.threshold]))[0])
    alone = predict_logits(model, windows, starts, bf16=False).astype(np.float32)
    found: dict[str, Any] = {"windows": len(starts)}
    for name, bf16 in (("float32", False), ("default precision", True)):
        logits = StretchScorer(model, bf16=bf16).logits(codes, starts)
        apart = np.abs(logits - alone)
        changed = int(((logits >= threshold) != (alone >= threshold)).sum())
        calls = int((alone >= threshold).sum())
        quantiles = np.quantile(apart, [0.5, 0.99, 1.0]).tolist()
        ours, theirs = (
            call_sites("c", starts + length // 2, x, threshold, stride=stride, gap=length // 2)
            for x in (logits, alone)
        )
        summits = {site.summit for site in ours} ^ {site.summit for site in theirs}
        found[name] = {
            "apart, median, 99 %, most": quantiles,
            "windows called otherwise, of calls": [changed, calls],
            "sites": [[site.start, site.end, site.summit] for site in ours],
            "sites of windows": [[site.start, site.end, site.summit] for site in theirs],
        }
        print(
            f"{len(starts):,} windows, {name}: logits apart by {quantiles[0]:.1e} in the middle, "
            f"{quantiles[1]:.1e} at 99 %, {quantiles[2]:.1e} at most; {changed} of {calls} called "
            f"windows otherwise; {len(ours)} sites, {len(theirs)} by windows, {len(summits)} "
            f"summits in one alone"
        )
    return found


if __name__ == "__main__":
    main()
