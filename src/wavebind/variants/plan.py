"""The scoring of a VCF laid out: the same for every worker, shard and merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.filekinds import refuse_pipe
from wavebind.core.files import sha256
from wavebind.core.settings import to_dict
from wavebind.core.shards import ChunkStore, Shard, chunks_folder
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.vcf import VcfHeader, read_header, read_records
from wavebind.models import load_model
from wavebind.models.prediction import length_card
from wavebind.models.rundir import RunDir
from wavebind.models.targets import ALL, target_card
from wavebind.variants.checks import REASONS, CheckedRecord, VariantChecker, with_neighbours
from wavebind.variants.effects import (
    Change,
    EffectTask,
    read_motifs,
)
from wavebind.variants.files import output_kind
from wavebind.variants.reservoir import Reservoir
from wavebind.variants.settings import VariantJob, VariantSummary

__all__ = ["KINDS", "VariantPlan", "kind_of", "require_scored"]

#: Alleles of one length, and those that change it: their effects differ by nature.
KINDS = ("substitution", "length")
#: Records of a chunk, and shuffled or common alleles of one.
RECORDS_A_CHUNK, _NULLS_A_CHUNK = 64, 32
#: Effects of the null by default: a single allele does not need the p-value of a thousand.
_LEAST_NULLS, _MOST_NULLS, _NULLS_AN_ALLELE = 200, 1000, 20


class VariantPlan:
    """The work laid out: the same for every worker, shard and merge."""

    def __init__(self, job: VariantJob) -> None:
        self.job, config = job, job.config
        run = RunDir(Path(job.run)).require_model()
        card = length_card(load_model(run.model)[1], config.length)
        self.length = card.model.length
        #: Columns that only some jobs have; see :data:`wavebind.variants.files.MORE`.
        self.more: tuple[str, ...] = ()
        if config.common is not None:
            self.more = ("common_percentile",)
        if card.quantity == "score":
            self.more = (*self.more, "delta_svm")
        if config.step > self.length:
            raise InputError(
                f"a step of {config.step} bp is longer than a window, {self.length} bp"
            )
        if config.prevalence is not None:
            card = card.at_prevalence(config.prevalence)
        outputs = card.model.outputs if job.output == ALL else (job.output,)
        #: Of each output that is scored.
        self.cards = [target_card(card, name) for name in outputs]
        self.motifs = read_motifs(job.motifs)
        for path in (job.vcf, *(() if config.null in ("shuffled", "none") else (config.null,))):
            refuse_pipe(Path(path), "variants are gone through several times")
        kind = output_kind(Path(job.out).name)
        if job.output == ALL and kind != "table":
            raise InputError(
                f"{job.out}: effects on every output are a table with a row for each; end its name "
                f"in .tsv or .tsv.gz, or choose one with --target"
            )
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
            for changes in _groups(all_changes, _NULLS_A_CHUNK)
        ]
        self.n_pieces = -(-self.summary.n_records // RECORDS_A_CHUNK)
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
        most = self.job.config.n_null or _MOST_NULLS
        draws: dict[str, Reservoir[Change]] = {
            kind: Reservoir(most, self.job.config.seed) for kind in KINDS
        }
        for item in self.checked(path, checker):
            n_alleles += len(item.changes)
            left_out.update(reason for reason in item.reasons if reason)
            for change in item.changes:
                if sampling and change is not None:
                    draws[kind_of(change)].offer(change)
        checker.raise_if_wrong()
        if not checker.n_records:
            raise InputError(f"{path}: holds no record")
        notes: list[str] = []
        if checker.unknown_names:
            notes.append(
                f"{path}: records on chromosomes that the genome does not have: "
                f"{checker.unknown_words()}"
            )
        if path == Path(self.job.vcf):
            self.chromosomes = checker.chromosomes
            notes += self._other_lengths()
        summary = VariantSummary(
            checker.n_records,
            n_alleles,
            n_alleles - sum(left_out.values()),
            dict(left_out),
            {},
            checker.unsorted,
            tuple(notes),
        )
        if path == Path(self.job.vcf):
            require_scored(path, summary)
        return summary, {
            kind: _filled(draw, self.job.config.n_null)
            for kind, draw in draws.items()
            if draw.items
        }

    @property
    def n_nulls(self) -> int:
        """Alleles of the null distribution."""
        return sum(len(changes) for _, changes in self.nulls)

    @property
    def smallest_null(self) -> int:
        """Alleles of the kind that has fewest."""
        sizes = Counter[str]()
        for kind, changes in self.nulls:
            sizes[kind] += len(changes)
        return min(sizes.values(), default=0)

    def _other_lengths(self) -> list[str]:
        """Chromosomes whose length in the header is not that of the genome."""
        declared = self.header.contig_lengths
        other = [
            f"{name} has {declared[name]:,} bp there and {length:,} here"
            for name, length in self.chromosomes.items()
            if length is not None and declared.get(name, length) != length
        ]
        if not other:
            return []
        more = f" and {len(other) - 5:,} more" if len(other) > 5 else ""
        return [
            f"{self.job.vcf}: its header has other lengths of chromosomes than {self.job.genome}: "
            f"{'; '.join(other[:5])}{more}. Another genome build? REF was compared"
        ]

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
            job.config.length,
        )

    def chunks(self, share: Shard) -> Iterator[tuple[int, tuple[Change, ...]]]:
        """The records in groups, numbered after the null; read as the work goes on."""
        path = Path(self.job.vcf)
        with open_genome(Path(self.job.genome), checksum=self.genome.checksum) as genome:
            self.genome = genome
            items = self.checked(path, self.checker(path))
            number = len(self.nulls)
            while group := list(islice(items, RECORDS_A_CHUNK)):
                if share.has(number):
                    yield number, tuple(c for item in group for c in item.changes if c is not None)
                number += 1


def require_scored(path: Path, summary: VariantSummary) -> None:
    """Raise an :class:`InputError` if no allele can be scored, which says why."""
    if summary.n_scored:
        return
    why = "; ".join(f"{n:,} {REASONS[reason]}" for reason, n in summary.left_out.items())
    raise InputError(
        f"{path}: none of {summary.n_alleles:,} alleles of {summary.n_records:,} records can be "
        f"scored ({why or 'no record has an ALT'})"
    )


def kind_of(change: Change) -> str:
    """One of :data:`KINDS`."""
    return KINDS[len(change.ref) != len(change.alt)]


def _filled(draw: Reservoir[Change], wanted: int | None) -> list[Change]:
    """As many as were asked for, or as the file is worth; each as often as needed."""
    size = wanted or min(_MOST_NULLS, max(_LEAST_NULLS, _NULLS_AN_ALLELE * draw.n_seen))
    return [draw.items[i % len(draw.items)] for i in range(size)]


def _groups(items: list[Change], size: int) -> Iterator[tuple[Change, ...]]:
    for at in range(0, len(items), size):
        yield tuple(items[at : at + size])


def _sample(job: VariantJob, header: VcfHeader) -> int | None:
    if not job.config.haplotypes:
        return None
    if not header.samples:
        raise InputError(
            f"{job.vcf}: has no samples, so no haplotypes; leave out --set haplotypes=true"
        )
    name = job.config.sample or header.samples[0]
    if name not in header.samples:
        raise InputError(
            f"{job.vcf}: has no sample {name!r}; it has {', '.join(header.samples[:5])}"
        )
    return header.samples.index(name)
