"""A run along a genome, and on variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from wavebind.api.dataset import audit_dataset
from wavebind.api.frames import PathLike, regions_file, variants_file
from wavebind.api.scratch import scratch_folder
from wavebind.api.settings import GivenSettings, ScanSettings, VariantSettings
from wavebind.core.errors import InputError
from wavebind.core.events import Advanced, Message, OnEvent, StageStarted, ignore
from wavebind.core.filekinds import is_device
from wavebind.core.files import require_new, send
from wavebind.core.settings import with_values
from wavebind.core.shards import Shard, chunks_folder
from wavebind.core.workers import WorkerPool
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.writing import DatasetSummary
from wavebind.models import load_model
from wavebind.models.rundir import RunDir
from wavebind.models.shipped import copy_shipped
from wavebind.models.targets import target_card
from wavebind.scan.genome import ScanSummary, scan_genome
from wavebind.scan.merge import merge_parts
from wavebind.scan.settings import ScanConfig, ScanJob, bigwig_path, peaks_path
from wavebind.variants.score import choose_motifs, score_variants
from wavebind.variants.settings import VariantConfig, VariantJob, VariantSummary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["merge", "scan", "scan_words", "variant_words", "variants"]

#: Columns of a narrowPeak, and what they are called in a table of called sites.
SITE_COLUMNS = (
    "chrom", "start", "end", "name", "score", "strand", "logit", "p", "q", "summit",
)  # fmt: skip

C = TypeVar("C")


def _config(kind: type[C], settings: Any) -> C:
    """The part of some settings that decides the result."""
    return kind(**{field.name: getattr(settings, field.name) for field in fields(kind)})  # type: ignore[arg-type]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _share(shard: str | None) -> Shard | None:
    return None if shard is None else Shard.parse(shard)


def _share_done(shard: str | None, out: Path) -> Message:
    return Message(
        f"share {shard} done: {chunks_folder(out)}; when all are, join them with "
        f"'wavebind merge {out}'"
    )


def scan(
    run: Path,
    genome: PathLike,
    *,
    out: PathLike | None = None,
    peaks: PathLike | None = None,
    regions: PathLike | pd.DataFrame | None = None,
    stride: int | None = None,
    threshold: float | None = None,
    false_positives: float | None = None,
    target: str | None = None,
    workers: int | None = None,
    shard: str | None = None,
    force: bool = False,
    length: int | None = None,
    device: str = "auto",
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> pd.DataFrame | None:
    """See :meth:`wavebind.api.run.Run.scan`."""
    for path in (out, peaks):
        if path is not None:
            require_new(Path(path), force)
    given = {
        "stride": stride,
        "threshold": threshold,
        "false_positives": false_positives,
        "length": length,
    }
    chosen = with_values(with_values(ScanSettings(), settings), _given(given))
    with scratch_folder() as folder:
        bigwig = folder / "scores.bw" if out is None else bigwig_path(Path(out))
        # A table is wanted in any case, unless only a file was asked for.
        sites = folder / "sites.narrowPeak" if peaks is None and out is None else peaks
        if peaks is not None:
            peaks_path(Path(peaks))
        job = ScanJob(
            run=str(RunDir(run).require_model().path.absolute()),
            genome=str(Path(genome).absolute()),
            out=str(bigwig.absolute()),
            peaks=None if sites is None else str(Path(sites).absolute()),
            regions=None
            if regions is None
            else str(regions_file(regions, folder, "regions").absolute()),
            output=target,
            device=device,
            config=_config(ScanConfig, chosen),
        )
        summary = scan_genome(
            job,
            shard=_share(shard),
            pool=WorkerPool(workers=workers, dask=chosen.dask),
            note=lambda text: on_event(Message(text)),
            total=lambda name, n: on_event(StageStarted(name, n)),
            progress=lambda n: on_event(Advanced(n)),
        )
        if summary is None:
            on_event(_share_done(shard, bigwig))
            return None
        for line in scan_words(summary, None if out is None else bigwig, peaks):
            on_event(Message(line))
        return None if sites is None else _sites(Path(sites), job)


def _sites(path: Path, job: ScanJob) -> pd.DataFrame:
    import pandas as pd

    if path.stat().st_size == 0:
        return pd.DataFrame(columns=list(SITE_COLUMNS))
    frame = pd.read_csv(path, sep="\t", header=None, names=list(SITE_COLUMNS))
    # As in the table: a place on the chromosome, a probability, a q-value.
    frame["summit"] += frame["start"]
    card = target_card(load_model(RunDir(Path(job.run)).require_model().model)[1], job.output)
    if job.config.prevalence is not None:
        card = card.at_prevalence(job.config.prevalence)
    logits = frame["logit"].to_numpy(dtype=np.float64)
    frame[card.quantity] = card.probabilities(logits)
    frame["q"] = (10.0 ** -frame["q"].astype(float)).where(frame["q"] >= 0)
    return frame.drop(columns=["score", "strand", "p"])


def scan_words(summary: ScanSummary, out: Path | None, peaks: PathLike | None) -> Iterator[str]:
    """What a scan did, in sentences."""
    s = summary
    yield (
        f"{s.n_windows - s.n_unknown:,} windows every {s.stride} bp scored; {s.n_unknown:,} left "
        f"out because more than 10 % of their bases are unknown"
    )
    yield (
        f"{s.n_calls:,} sites at a {s.quantity} of {s.threshold:.4g} or more, "
        f"{s.n_calls / (s.n_bases / 1e6):.3g} a Mb"
    )
    yield _against_chance(s)
    if s.quantity == "probability" and s.prevalence is not None:
        yield (
            f"the probabilities assume that {s.prevalence:.3g} of the windows are bound, as in "
            f"validation; along a genome far fewer are: --set prevalence=... gives what you expect"
        )
    written = [str(path) for path in (out, peaks) if path is not None]
    if written:
        yield f"written: {', '.join(written)}"


def _against_chance(s: ScanSummary) -> str:
    """Whether the calls are more than shuffled sequence has."""
    if s.decoy_calls is None:
        return (
            "not known whether these are more than chance calls; --set count_decoys=true counts "
            "the sites of shuffled sequence"
        )
    from scipy.stats import poisson_means_test

    chance, n_bases = s.decoy_calls
    rate = f"shuffled sequence has {1e6 * chance / n_bases:.3g} a Mb ({chance:,} in {n_bases:,} bp)"
    p = float(
        poisson_means_test(s.n_calls, s.n_bases, chance, n_bases, alternative="greater").pvalue
    )
    if p < 0.05:
        return f"more than chance calls: {rate}"
    return f"NOT clearly more than chance calls: {rate} (p {p:.2g})"


def variants(
    run: Path,
    variants: PathLike | pd.DataFrame,
    genome: PathLike,
    *,
    out: PathLike | None = None,
    motif: str | None = None,
    null: str | None = None,
    haplotypes: bool = False,
    sample: str | None = None,
    target: str | None = None,
    workers: int | None = None,
    shard: str | None = None,
    force: bool = False,
    length: int | None = None,
    device: str = "auto",
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> pd.DataFrame | None:
    """See :meth:`wavebind.api.run.Run.score_variants`."""
    if out is not None:
        require_new(Path(out), force)
    if null not in (None, "shuffled", "none"):
        null = str(Path(null).absolute())
    given = {"null": null, "haplotypes": haplotypes or None, "sample": sample, "length": length}
    # The options first: a sample among the settings needs the haplotypes.
    chosen = with_values(with_values(VariantSettings(), _given(given)), settings)
    if chosen.common is not None:
        copy_shipped(run)
        regions = chosen.common_regions
        chosen = replace(
            chosen,
            common=str(Path(chosen.common).absolute()),
            common_regions=None if regions is None else str(Path(regions).absolute()),
        )
    with scratch_folder() as folder:
        written = folder / "scored.tsv" if out is None else Path(out)
        device_out = None
        if out is not None and is_device(written):
            if shard is not None:
                raise InputError(f"{out}: is a device or a pipe, and shares need a file")
            device_out, written = written, folder / "scored.vcf"
        job = VariantJob(
            run=str(RunDir(run).require_model().path.absolute()),
            vcf=str(variants_file(variants, folder).absolute()),
            genome=str(Path(genome).absolute()),
            out=str(written.absolute()),
            motifs=choose_motifs(run, motif),
            output=target,
            device=device,
            config=_config(VariantConfig, chosen),
        )
        if motif is None and job.motifs is not None:
            on_event(Message(f"motif hits are of those that the run has learnt: {job.motifs}"))
        summary = score_variants(
            job,
            shard=_share(shard),
            pool=WorkerPool(workers=workers, dask=chosen.dask),
            note=lambda text: on_event(Message(text)),
            total=lambda name, n: on_event(StageStarted(name, n)),
            progress=lambda n: on_event(Advanced(n)),
        )
        if summary is None:
            on_event(_share_done(shard, written))
            return None
        if device_out is not None:
            send(written, device_out)
        for line in variant_words(summary, None if out is None else Path(out)):
            on_event(Message(line))
        return _effects(written) if out is None else None


def _effects(path: Path) -> pd.DataFrame:
    import pandas as pd

    words = ("chrom", "id", "ref", "alt", "label", "status", "verdict", "motif")
    kinds = dict.fromkeys(words, str)
    return pd.read_csv(path, sep="\t", dtype=kinds, na_values=["."], keep_default_na=False)


def variant_words(summary: VariantSummary, out: Path | None) -> Iterator[str]:
    """What became of the variants, in sentences."""
    s = summary
    yield from s.notes
    yield f"{s.n_scored:,} of {s.n_alleles:,} alleles of {s.n_records:,} records scored"
    for reason, n in s.left_out.items():
        yield f"left out: {n:,} {reason}"
    if s.unsorted:
        yield (
            f"the records are not sorted (line {s.unsorted} is the first out of order); their "
            f"order was kept. 'bcftools sort' sorts them"
        )
    yield "; ".join(f"{n:,} {verdict}" for verdict, n in s.verdicts.items()) or "no verdict"
    if out is not None:
        yield f"written: {out}"


def merge(out: PathLike, *, on_event: OnEvent = ignore) -> Dataset | None:
    """Join the shares of a scan, of scored variants or of a dataset.

    Parameters
    ----------
    out : path
        Of the work that was done in shares.
    on_event : callable

    Returns
    -------
    Dataset or None
        The dataset, where it was one.
    """
    path = Path(out)
    summary = merge_parts(path)
    if isinstance(summary, DatasetSummary):
        audit_dataset(path, on_event=on_event)
        return open_dataset(path)
    if isinstance(summary, ScanSummary):
        words = scan_words(summary, path, summary.peaks)
    else:
        words = variant_words(summary, path)
    for line in words:
        on_event(Message(line))
    return None
