"""Variants held against a genome: which alleles can be scored, and why the others cannot."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.genome.genomes import Genome, match_chromosomes
from wavebind.genome.sequences import UNKNOWN, Codes, to_codes, to_letters
from wavebind.genome.tiles import read_codes
from wavebind.genome.vcf import Genotype, VcfRecord, is_sequence
from wavebind.variants.alleles import Edit
from wavebind.variants.effects import Change
from wavebind.variants.normalise import (
    Spelling,
    allele_kind,
    left_aligned,
    symbolic_change,
    trimmed,
)

__all__ = ["REASONS", "CheckedRecord", "VariantChecker", "with_neighbours"]

#: Why an allele is not scored, in words for people.
REASONS = {
    "symbolic": "symbolic alleles of a kind that is not scored (<INS>, <CNV> and the like)",
    "star": "alleles * (deleted by another record)",
    "any": "alleles that stand for any other (<NON_REF>, <*>)",
    "breakend": "breakends",
    "no_end": "alleles <DEL>, <DUP> or <INV> without END or SVLEN, or not on the genome",
    "ambiguous": "ambiguous alleles (with letters as N or R)",
    "missing": "alleles written as -, 0 or . in place of bases ('bcftools norm' or the program "
    "that wrote them can write the base before them)",
    "unreadable": "alleles that are no allele of a VCF",
    "ref_mismatch": "alleles of records whose REF is not what the genome has there",
    "no_chromosome": "alleles on chromosomes that the genome does not have",
    "beyond_chromosome": "alleles beyond the end of their chromosome",
    "too_long": "alleles of records with a REF or ALT that is too long",
    "same": "alleles that are the reference",
    "unknown_bases": "alleles among too many unknown bases",
}
#: Records whose REF could be compared, before their share of mismatches is judged.
_ENOUGH = 20
#: Share of the mismatches that must have one cause before it is named.
_MOST = 0.8
_BLOCK, _BEFORE = 2**18, 2**12
_MAX_NEIGHBOURS = 1000


@dataclass(frozen=True)
class CheckedRecord:
    """A record and what can be scored of it.

    Attributes
    ----------
    record : VcfRecord
    changes : tuple of Change or None
        One an ALT; None where it cannot be scored.
    reasons : tuple of str
        One an ALT; empty where it can, else a key of :data:`REASONS`.
    """

    record: VcfRecord
    changes: tuple[Change | None, ...]
    reasons: tuple[str, ...]


class VariantChecker:
    """Compares records with a genome, a block of which is held.

    Parameters
    ----------
    genome : Genome
        Open.
    max_allele : int
        Longest REF or ALT that is scored, in base pairs.
    path : pathlib.Path
        Of the VCF, for messages.
    """

    def __init__(self, genome: Genome, max_allele: int, path: Path) -> None:
        self._genome, self._max, self._path = genome, max_allele, path
        #: Records on chromosomes that the genome does not have, by their names.
        self.unknown_names: Counter[str] = Counter()
        #: Mismatched records whose ALT the genome has, or whose REF it has beside POS.
        self.n_swapped = 0
        self.n_beside = {-1: 0, 1: 0}
        self._names: dict[str, str | None] = {}
        self._chrom, self._start = "", 0
        self._codes = to_codes("")
        self.n_records = 0
        self.n_compared = 0
        self.n_mismatched = 0
        self.first_mismatch = ""
        #: Line of the first record that lies before the one above it; 0 if none does.
        self.unsorted = 0
        self._last = ("", -1)
        self._seen: set[str] = set()

    def check(self, record: VcfRecord, neighbours: tuple[Edit, ...] = ()) -> CheckedRecord:
        """What of a record can be scored."""
        self.n_records += 1
        self._note_order(record)
        reason = self._reason(record)
        name = self._names[record.chrom] or ""
        found = [
            reason or self._change(record, name, i, neighbours) for i in range(len(record.alts))
        ]
        changes = tuple(None if isinstance(item, str) else item for item in found)
        reasons = tuple(item if isinstance(item, str) else "" for item in found)
        return CheckedRecord(record, changes, reasons)

    def _change(
        self, record: VcfRecord, chrom: str, index: int, neighbours: tuple[Edit, ...]
    ) -> Change | str:
        """An allele in its one form, or why it cannot be scored."""
        alt = record.alts[index]
        kind = allele_kind(alt)

        def reference(start: int, end: int) -> Codes:
            return self._reference(chrom, start, min(end, self._genome.lengths[chrom]))

        if kind == "sized":
            found = symbolic_change(record, index, self._max, reference)
            if isinstance(found, str):
                return found
        elif kind != "bases":
            return kind
        elif len(alt) > self._max:
            return "too_long"
        else:
            found = Spelling(record.position, record.ref, alt)
        short = trimmed(found)
        if not short.ref and not short.alt:
            return "same"
        moved = left_aligned(short, reference)
        # To the left of a neighbour the same letters would be another change.
        if any(n.end >= moved.position and n.position <= short.position for n in neighbours):
            moved = short
        return Change(chrom, moved.position, moved.ref, moved.alt, neighbours)

    def _note_order(self, record: VcfRecord) -> None:
        chrom, position = self._last
        back = record.chrom == chrom and record.position < position
        again = record.chrom != chrom and record.chrom in self._seen
        if (back or again) and not self.unsorted:
            self.unsorted = record.line
        self._seen.add(record.chrom)
        self._last = (record.chrom, record.position)

    def _reason(self, record: VcfRecord) -> str:
        if record.chrom not in self._names:
            self._names.update(match_chromosomes([record.chrom], self._genome))
        name = self._names[record.chrom]
        if name is None:
            self.unknown_names[record.chrom] += 1
            return "no_chromosome"
        if record.ref == "-":
            return "missing"
        end = record.position + len(record.ref)
        # POS 0 stands for the telomere: no base is there.
        if record.position < 0 or end > self._genome.lengths[name]:
            return "beyond_chromosome"
        if len(record.ref) > self._max:
            return "too_long"
        found = self._reference(name, record.position, end)
        wanted = to_codes(record.ref)
        known = found != UNKNOWN
        if not known.any():
            return "unknown_bases"
        if (wanted == UNKNOWN).any():
            return "ambiguous"
        self.n_compared += 1
        if (found[known] != wanted[known]).any():
            self.n_mismatched += 1
            self.first_mismatch = self.first_mismatch or f"line {record.line}"
            self._note_mismatch(record, name)
            return "ref_mismatch"
        return ""

    def _note_mismatch(self, record: VcfRecord, chrom: str) -> None:
        """Count what a mismatch may come from: alleles that were swapped, POS that is off."""
        length = self._genome.lengths[chrom]

        def has(start: int, letters: str) -> bool:
            end = start + len(letters)
            if start < 0 or end > length:
                return False
            return to_letters(self._reference(chrom, start, end)) == letters

        self.n_swapped += any(has(record.position, alt) for alt in record.alts if is_sequence(alt))
        for step in self.n_beside:
            self.n_beside[step] += has(record.position + step, record.ref)

    def _reference(self, chrom: str, start: int, end: int) -> Codes:
        """Codes of a stretch, read a block at a time: sorted records lie close together."""
        inside = chrom == self._chrom and self._start <= start
        if not inside or end > self._start + len(self._codes):
            # Some bases before it, too: a repeat is looked through to its left end.
            self._chrom, self._start = chrom, max(start - _BEFORE, 0)
            stop = min(max(start + _BLOCK, end), self._genome.lengths[chrom])
            self._codes = read_codes(self._genome, chrom, self._start, stop)
        return self._codes[start - self._start : end - self._start]

    def _cause(self) -> str:
        """What most of the mismatches come from. By chance a base matches one time in four."""
        most = _MOST * self.n_mismatched
        if self.n_swapped > most:
            return (
                f"ALT is what the genome has in {self.n_swapped:,} of {self.n_mismatched:,}: "
                f"swapped? 'bcftools norm --check-ref s' sets them right"
            )
        for step, word in ((1, "after"), (-1, "before")):
            if self.n_beside[step] > most:
                return (
                    f"REF is what the genome has one base {word} POS in {self.n_beside[step]:,} of "
                    f"{self.n_mismatched:,}: is POS off by one? A VCF counts from 1"
                )
        return (
            "wrong genome build? Give the genome that the variants were called on, or lift them "
            "over"
        )

    def unknown_words(self) -> str:
        """Names of chromosomes that the genome does not have, with their records."""
        named = ", ".join(f"{name} ({n:,})" for name, n in self.unknown_names.most_common(10))
        more = len(self.unknown_names) - 10
        return named + (f" and {more:,} more" if more > 0 else "")

    @property
    def chromosomes(self) -> dict[str, int | None]:
        """Length of each chromosome that was met; None where the genome does not have it."""
        lengths = self._genome.lengths
        return {a: None if b is None else lengths[b] for a, b in self._names.items()}

    def raise_if_wrong(self) -> None:
        """Raise an :class:`InputError` if the file is of another genome, or nothing matches it."""
        if self.n_compared >= _ENOUGH and self.n_mismatched > self.n_compared / 2:
            raise InputError(
                f"{self._path}: REF differs from {self._genome.path} in {self.n_mismatched:,} of "
                f"{self.n_compared:,} records, the first at {self.first_mismatch}; {self._cause()}"
            )
        if self._names and not any(self._names.values()):
            mine, theirs = list(self._names), list(self._genome.lengths)
            raise InputError(
                f"{self._path}: none of its chromosomes ({', '.join(mine[:5])}) is in "
                f"{self._genome.path}, which has {', '.join(theirs[:5])}; wrong genome?"
            )


def with_neighbours(
    records: Iterable[VcfRecord], reach: int, path: Path
) -> Iterator[tuple[VcfRecord, tuple[Edit, ...]]]:
    """Records with what else lies on the same haplotype of the sample nearby.

    Of a heterozygous record that is the haplotype with its ALT; unphased neighbours count where
    they are homozygous, because then they lie on both.

    Parameters
    ----------
    records : iterable of VcfRecord
        With genotypes, sorted.
    reach : int
        How far a neighbour may begin or end, in base pairs.
    path : pathlib.Path
        For messages.

    Yields
    ------
    tuple of VcfRecord and tuple of Edit

    Raises
    ------
    InputError
        If the records are not sorted.
    """
    held: deque[VcfRecord] = deque()
    waiting: deque[VcfRecord] = deque()
    last = ("", -1)

    def ready(record: VcfRecord) -> tuple[VcfRecord, tuple[Edit, ...]]:
        edits = []
        for other in held:
            near = abs(other.position - record.position) <= reach + max(
                len(other.ref), len(record.ref)
            )
            if other is not record and other.chrom == record.chrom and near:
                allele = _shared_allele(record, other)
                if allele:
                    # What REF and ALT share is no change: a substitution and an insertion that
                    # are anchored at one base do not overlap.
                    short = trimmed(Spelling(other.position, other.ref, allele))
                    edits.append(Edit(short.position, len(short.ref), short.alt))
        return record, tuple(edits[:_MAX_NEIGHBOURS])

    for record in records:
        chrom, position = last
        if record.chrom == chrom and record.position < position:
            raise InputError(
                f"{path} line {record.line}: lies before the record above it; haplotypes need a "
                f"sorted file ('bcftools sort')"
            )
        last = (record.chrom, record.position)
        while waiting and (
            waiting[0].chrom != record.chrom
            or record.position > waiting[0].position + len(waiting[0].ref) + reach
        ):
            yield ready(waiting.popleft())
        oldest = waiting[0] if waiting else record
        while held and (
            held[0].chrom != oldest.chrom
            or held[0].position + len(held[0].ref) + reach < oldest.position
        ):
            held.popleft()
        held.append(record)
        waiting.append(record)
    while waiting:
        yield ready(waiting.popleft())


def _shared_allele(record: VcfRecord, other: VcfRecord) -> str:
    """The ALT of `other` on the haplotype that has the ALT of `record`; empty if it is REF."""
    mine, theirs = record.genotype, other.genotype
    if theirs is None or other.ref == "-":
        return ""
    same = len(set(theirs.alleles)) == 1
    index = theirs.alleles[0] if same else _phased_allele(mine, theirs)
    if index < 1 or not is_sequence(other.alts[index - 1]):
        return ""
    return other.alts[index - 1]


def _phased_allele(mine: Genotype | None, theirs: Genotype) -> int:
    if mine is None or not (mine.phased and theirs.phased):
        return -1
    if mine.phase_set != theirs.phase_set:
        return -1
    carrying = [h for h, allele in enumerate(mine.alleles) if allele > 0]
    # Where both haplotypes have an ALT, or none has, the neighbours of neither are taken.
    if len(carrying) != 1 or carrying[0] >= len(theirs.alleles):
        return -1
    return theirs.alleles[carrying[0]]
