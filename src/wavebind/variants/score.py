"""What variants do to binding: every allele of a VCF against the reference."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file, sha256
from wavebind.core.settings import Settings, to_dict
from wavebind.core.shards import ChunkStore, Shard, chunks_folder
from wavebind.core.workers import WorkerPool, run_chunks, silent
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.vcf import VcfHeader, read_header, read_records
from wavebind.models import load_model
from wavebind.models.rundir import RunDir
from wavebind.variants.checks import REASONS, CheckedRecord, VariantChecker, with_neighbours
from wavebind.variants.effects import (
    Change,
    EffectTask,
    read_motifs,
    score_changes,
    score_shuffled,
)
from wavebind.variants.files import VariantWriter
from wavebind.variants.verdicts import Effect, NullScores, judge

__all__ = [
    "VariantConfig",
    "VariantJob",
    "VariantSummary",
    "choose_motifs",
    "merge_variants",
    "score_variants",
]

#: Records of a piece, and shuffled or common alleles of one.
_RECORDS, _NULLS = 64, 32


@dataclass(frozen=True)
class VariantConfig(Settings):
    """How variants are scored.

    Attributes
    ----------
    step : int
        Base pairs between the windows that see an allele.
    null : str
        What an effect is held against: ``shuffled``, the path of a VCF of common variants, or
        ``none``.
    n_null : int
        Effects of the null, of substitutions and of changes of length each.
    alpha : float
        A p-value at or below which an effect is said to be one.
    max_allele : int
        Longest REF or ALT that is scored, in base pairs.
    haplotypes : bool
        Whether each allele is put among the sample's other alleles on the same haplotype.
    sample : str or None
        Which sample; the first by default.
    prevalence : float or None
        Fraction of bound windows to expect, for the probabilities.
    seed : int
        Decides the shuffles and which variants they are of.
    """

    step: Annotated[int, Field(ge=1)] = 10
    null: str = "shuffled"
    n_null: Annotated[int, Field(ge=19, le=1_000_000)] = 1000
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    max_allele: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    haplotypes: bool = False
    sample: str | None = None
    prevalence: float | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sample is not None and not self.haplotypes:
            raise InputError("a sample is looked at for its haplotypes only; add --haplotypes")


@dataclass(frozen=True)
class VariantJob:
    """Everything that decides the scores of a VCF, and where they go.

    Attributes
    ----------
    run, vcf, genome, out : str
        Paths. The output is a table where its name ends in ``.tsv`` or ``.tsv.gz``, otherwise a
        VCF, bgzipped where its name ends in ``.gz``.
    motifs : str or None
        MEME file, or a matrix of JASPAR as :func:`wavebind.motifs.jaspar.find_motif` knows it,
        whose best hits are given.
    output : str or None
        Of a model of several outputs; the first by default.
    device : str
    config : VariantConfig
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    run: str
    vcf: str
    genome: str
    out: str
    motifs: str | None = None
    output: str | None = None
    device: str = "auto"
    config: VariantConfig = field(default_factory=VariantConfig)


@dataclass(frozen=True)
class VariantSummary:
    """What became of the variants.

    Attributes
    ----------
    n_records, n_alleles, n_scored : int
    left_out : dict
        How many alleles were not scored, by reason in words.
    verdicts : dict
        How many alleles have each verdict.
    unsorted : int
        Line of the first record that lies before the one above it; 0 if none does.
    """

    n_records: int
    n_alleles: int
    n_scored: int
    left_out: dict[str, int]
    verdicts: dict[str, int]
    unsorted: int


class _Plan:
    """The work laid out: the same for every worker, shard and merge."""

    def __init__(self, job: VariantJob) -> None:
        self.job, config = job, job.config
        run = RunDir(Path(job.run)).require_model()
        model, card = load_model(run.model)
        self.length = card.model.length
        if config.step > self.length:
            raise InputError(
                f"a step of {config.step} bp is longer than a window, {self.length} bp"
            )
        self.which = card.output(job.output)
        self.card = card if config.prevalence is None else card.at_prevalence(config.prevalence)
        del model
        self.motifs = read_motifs(job.motifs)
        self.header = read_header(Path(job.vcf))
        self.sample = _sample(job, self.header)
        self.genome: Genome = open_genome(Path(job.genome))
        with self.genome:
            #: Length of each chromosome of the VCF; None where the genome does not have it.
            self.chromosomes: dict[str, int | None] = {}
            self.summary, chosen = self._survey(Path(job.vcf), sampling=config.null == "shuffled")
            if config.null not in ("shuffled", "none"):
                read_header(Path(config.null))
                _, chosen = self._survey(Path(config.null), sampling=True)
                if not chosen:
                    raise InputError(f"{config.null}: holds no allele that can be scored")
        self.nulls = [
            (kind, changes)
            for kind, all_changes in sorted(chosen.items())
            for changes in _groups(all_changes, _NULLS)
        ]
        self.n_pieces = -(-self.summary.n_records // _RECORDS)
        self.store = ChunkStore(chunks_folder(Path(job.out)), self._description(run))

    def _description(self, run: RunDir) -> dict[str, Any]:
        job = self.job
        null = job.config.null
        return {
            "command": "variants",
            "job": to_dict(job),
            "model": sha256(run.model),
            "vcf": sha256(Path(job.vcf)),
            "genome": self.genome.checksum,
            "motifs": [[m.label, m.counts.tolist()] for m in self.motifs],
            "null": None if null in ("shuffled", "none") else sha256(Path(null)),
        }

    def checked(self, path: Path, checker: VariantChecker) -> Iterator[CheckedRecord]:
        """Records of a VCF with what can be scored of them; the genome must be open."""
        mine = path == Path(self.job.vcf)
        records = read_records(path, self.sample if mine else None)
        if mine and self.job.config.haplotypes:
            for record, neighbours in with_neighbours(records, self.length, path):
                yield checker.check(record, neighbours)
        else:
            for record in records:
                yield checker.check(record)

    def checker(self, path: Path) -> VariantChecker:
        """A checker of a file's records."""
        return VariantChecker(self.genome, self.job.config.max_allele, path)

    def _survey(
        self, path: Path, *, sampling: bool
    ) -> tuple[VariantSummary, dict[str, list[Change]]]:
        """Count, refuse what is of another genome, and draw alleles for the null."""
        checker = self.checker(path)
        left_out: Counter[str] = Counter()
        n_alleles = 0
        draws = {kind: _Reservoir(self.job.config.n_null, self.job.config.seed) for kind in KINDS}
        for item in self.checked(path, checker):
            n_alleles += len(item.changes)
            left_out.update(reason for reason in item.reasons if reason)
            for change in item.changes:
                if sampling and change is not None:
                    draws[_kind(change)].offer(change)
        checker.raise_if_wrong()
        if path == Path(self.job.vcf):
            self.chromosomes = checker.chromosomes
        if not checker.n_records:
            raise InputError(f"{path}: holds no record")
        n_scored = n_alleles - sum(left_out.values())
        summary = VariantSummary(
            checker.n_records, n_alleles, n_scored, dict(left_out), {}, checker.unsorted
        )
        return summary, {kind: draw.filled() for kind, draw in draws.items() if draw.items}

    def task(self) -> EffectTask:
        """What workers must know."""
        job = self.job
        return EffectTask(
            job.run,
            job.genome,
            self.genome.checksum,
            job.config.step,
            job.motifs,
            job.config.seed,
            job.output,
            job.device,
        )

    def pieces(self, share: Shard) -> Iterator[tuple[int, tuple[Change, ...]]]:
        """The records in groups, numbered after the null; read as the work goes on."""
        path = Path(self.job.vcf)
        with open_genome(Path(self.job.genome), checksum=self.genome.checksum) as genome:
            self.genome = genome
            items = self.checked(path, self.checker(path))
            number = len(self.nulls)
            while group := list(islice(items, _RECORDS)):
                if share.has(number):
                    yield number, tuple(c for item in group for c in item.changes if c is not None)
                number += 1


#: Alleles of one length, and those that change it: their effects differ by nature.
KINDS = ("substitution", "length")


def _kind(change: Change) -> str:
    return KINDS[len(change.ref) != len(change.alt)]


class _Reservoir:
    """A uniform sample of a stream (Vitter 1985, ACM Trans. Math. Softw. 11:37)."""

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._seen = size, 0
        self._rng = np.random.default_rng([seed, 2])
        self.items: list[Change] = []

    def offer(self, item: Change) -> None:
        self._seen += 1
        if len(self.items) < self._size:
            self.items.append(item)
        elif (at := int(self._rng.integers(self._seen))) < self._size:
            self.items[at] = item

    def filled(self) -> list[Change]:
        """As many as were asked for, each as often as needed."""
        return [self.items[i % len(self.items)] for i in range(self._size)]


def _groups(items: list[Change], size: int) -> Iterator[tuple[Change, ...]]:
    for at in range(0, len(items), size):
        yield tuple(items[at : at + size])


def _sample(job: VariantJob, header: VcfHeader) -> int | None:
    if not job.config.haplotypes:
        return None
    if not header.samples:
        raise InputError(f"{job.vcf}: has no samples, so no haplotypes; leave out --haplotypes")
    name = job.config.sample or header.samples[0]
    if name not in header.samples:
        raise InputError(
            f"{job.vcf}: has no sample {name!r}; it has {', '.join(header.samples[:5])}"
        )
    return header.samples.index(name)


def choose_motifs(run: Path, motif: str | None) -> str | None:
    """The motifs whose hits are given: those named, or those that the run's model has learnt.

    Returns
    -------
    str or None
        A MEME file or the name of a matrix; None where neither is there.
    """
    if motif is None:
        found = RunDir(run).motifs / "motifs.meme"
        return str(found.absolute()) if found.is_file() else None
    path = Path(motif)
    return str(path.absolute()) if path.is_file() else motif


def score_variants(
    job: VariantJob,
    *,
    shard: Shard | None = None,
    pool: WorkerPool | None = None,
    total: Callable[[int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> VariantSummary | None:
    """Score every allele of a VCF, and write the VCF or table.

    Work that is done is kept beside the output, in ``OUT.parts``, until that is whole: the same
    call again continues where it stopped.

    Parameters
    ----------
    job : VariantJob
    shard : Shard, optional
        Do this share of the work only; :func:`merge_variants` joins the shares.
    pool : WorkerPool, optional
        Who does the work.
    total, progress : callable, optional
        Called once with the number of alleles to come, and then with those done since the last
        call.

    Returns
    -------
    VariantSummary or None
        None of a share.

    Raises
    ------
    InputError
        If an input cannot be used, most REF alleles are not those of the genome, or the output
        cannot be written.
    """
    share, workers = shard or Shard(), pool or WorkerPool()
    plan = _Plan(job)
    step = progress or silent
    nulls = [(i, item) for i, item in enumerate(plan.nulls) if share.has(i)]
    if total:
        total(sum(len(c) for _, (_, c) in nulls) + plan.summary.n_scored // share.count)
    task = plan.task()
    if job.config.null == "shuffled":
        run_chunks(
            partial(score_shuffled, task),
            ((i, (i, changes)) for i, (_, changes) in nulls),
            plan.store,
            workers,
            lambda piece: step(len(piece[1])),
        )
    else:
        run_chunks(
            partial(score_changes, task),
            ((i, changes) for i, (_, changes) in nulls),
            plan.store,
            workers,
            lambda changes: step(len(changes)),
        )
    run_chunks(
        partial(score_changes, task),
        plan.pieces(share),
        plan.store,
        workers,
        lambda changes: step(len(changes)),
    )
    return _assemble(plan) if share.count == 1 else None


def merge_variants(job: VariantJob) -> VariantSummary:
    """Join the shares of scored variants.

    Raises
    ------
    InputError
        If a piece is missing, or an input is not what it was.
    """
    return _assemble(_Plan(job))


def _assemble(plan: _Plan) -> VariantSummary:
    """Write the output from the pieces, in the order of the file."""
    null = NullScores.of(
        (kind, plan.store.read(i)["logit"]) for i, (kind, _) in enumerate(plan.nulls)
    )
    left_out = Counter(plan.summary.left_out)
    verdicts: Counter[str] = Counter()
    out, config = Path(plan.job.out), plan.job.config
    threshold = plan.card.thresholds[plan.which]
    labels = [motif.label for motif in plan.motifs]
    with replace_file(out) as temporary, contextlib.ExitStack() as stack:
        writer = stack.enter_context(VariantWriter(temporary, out.name, plan.header, labels))
        genome = stack.enter_context(
            open_genome(Path(plan.job.genome), checksum=plan.genome.checksum)
        )
        plan.genome = genome
        path = Path(plan.job.vcf)
        items = plan.checked(path, plan.checker(path))
        writer.write_header(plan.chromosomes, plan.job.run, plan.store.fingerprint)
        number = len(plan.nulls)
        while group := list(islice(items, _RECORDS)):
            found = plan.store.read(number)
            number += 1
            at = 0
            for item in group:
                effects: list[Effect | None] = []
                reasons = list(item.reasons)
                for i, change in enumerate(item.changes):
                    if change is None:
                        effects.append(None)
                        continue
                    logits = found["logit"][at].astype(np.float64)
                    if np.isfinite(logits[:2]).all():
                        probabilities = plan.card.probabilities(logits, plan.which)
                        effect = judge(
                            logits,
                            probabilities,
                            threshold,
                            null.p_value(_kind(change), logits),
                            config.alpha,
                            int(found["motif"][at]),
                            found["hit"][at],
                        )
                        verdicts[effect.verdict] += 1
                        effects.append(effect)
                    else:
                        reasons[i] = "unknown_bases"
                        left_out["unknown_bases"] += 1
                        effects.append(None)
                    at += 1
                writer.write(item.record, effects, reasons)
    plan.store.remove()
    s = plan.summary
    return VariantSummary(
        s.n_records,
        s.n_alleles,
        s.n_alleles - sum(left_out.values()),
        {REASONS[reason]: n for reason, n in left_out.items()},
        dict(verdicts),
        s.unsorted,
    )
