"""``wavebind scan`` and ``wavebind merge``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavebind.cli.console import (
    Dask,
    Device,
    Output,
    ShardOption,
    Workers,
    note,
    progress_bar,
    share_done,
    sharing,
)

if TYPE_CHECKING:
    from wavebind.scan.genome import ScanSummary

__all__ = ["register", "say_scan"]


class Mode(StrEnum):
    """How windows are scored."""

    auto = "auto"
    windows = "windows"
    sliding = "sliding"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="scan",
        epilog="Example: wavebind scan run hg38.fa --out scores.bw --peaks sites.narrowPeak",
    )(scan)


def scan(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    genome: Annotated[
        Path, typer.Argument(metavar="GENOME", help="FASTA, gzipped in any way or not, or 2bit.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The bigWig of probabilities.")],
    peaks: Annotated[
        Path | None, typer.Option(help="Called sites, as narrowPeak with summits.")
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(help="BED or narrowPeak file: only windows whose middle lies in these."),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            help="Base pairs between two windows. (default: 10, or the multiple of the network's "
            "own step below it)"
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="windows: each by itself, as in training. sliding: overlapping windows share "
            "their work, many times faster, near the same. auto: sliding, then by itself what "
            "comes near the threshold."
        ),
    ] = Mode.auto,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Probability at or above which a site is called. (default: the model's, chosen on "
            "valid)"
        ),
    ] = None,
    false_positives: Annotated[
        float | None,
        typer.Option(
            help="Instead of a threshold: how many sites a megabase may be called in shuffled "
            "sequence."
        ),
    ] = None,
    decoys: Annotated[
        float | None,
        typer.Option(
            help="Megabases of shuffled sequence to scan, for --false-positives and q-values. "
            "(default: 5 with --false-positives, else none)"
        ),
    ] = None,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Fraction of bound windows to expect along the genome, for the probabilities; the "
            "model's threshold moves with it. (default: that of the validation split)"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the shuffles.")] = 0,
    output: Output = None,
    workers: Workers = None,
    dask: Dask = None,
    shard: ShardOption = None,
    device: Device = "auto",
) -> None:
    """Score a genome: probabilities along it, both strands averaged, and called sites."""
    from wavebind.scan.genome import scan_genome
    from wavebind.scan.settings import ScanConfig, ScanJob

    config = ScanConfig(
        stride=stride,
        mode=mode.value,
        threshold=threshold,
        false_positives=false_positives,
        decoys=5.0 if decoys is None else decoys,
        count_decoys=decoys is not None,
        prevalence=prevalence,
        seed=seed,
    )
    job = ScanJob(
        run=str(run.absolute()),
        genome=str(genome.absolute()),
        out=str(out.absolute()),
        peaks=None if peaks is None else str(peaks.absolute()),
        regions=None if regions is None else str(regions.absolute()),
        output=output,
        device=device,
        config=config,
    )
    share, pool = sharing(workers, dask, shard)
    with progress_bar("scanning, bases", None) as advance:
        summary = scan_genome(
            job, shard=share, pool=pool, note=note, total=advance.total, progress=advance
        )
    if summary is None:
        share_done(shard, out)
    else:
        say_scan(summary, out)


def say_scan(summary: ScanSummary, out: Path) -> None:
    """What a scan did, on stderr."""
    s = summary
    note(
        f"{s.n_windows - s.n_unknown:,} windows every {s.stride} bp scored; {s.n_unknown:,} left "
        f"out because more than 10 % of their bases are unknown"
    )
    if s.sample:
        note(
            f"sliding against windows by themselves, {s.sample['n']:,.0f} of them: correlation "
            f"{s.sample['correlation']:.4f}, half of the logits within {s.sample['median']:.2f}, "
            f"99 % within {s.sample['p99']:.2f}"
        )
        if s.n_alone:
            note(
                f"{s.n_alone:,} windows near the threshold or above were scored by themselves; of "
                f"{s.sample['n_called']:,.0f} sampled calls the first pass would have missed "
                f"{s.sample['n_missed']:,.0f}"
            )
    rate = "" if s.decoy_rate is None else f"; shuffled sequence has {s.decoy_rate:.3g} a Mb"
    note(
        f"{s.n_calls:,} sites at a {s.quantity} of {s.threshold:.4g} or more, "
        f"{s.n_calls / (s.n_bases / 1e6):.3g} a Mb{rate}"
    )
    note(f"written: {out}" + (f", {s.peaks}" if s.peaks else ""))
