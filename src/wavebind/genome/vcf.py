"""Variants in VCF files: read line by line, and written back with nothing lost.

The specification: https://samtools.github.io/hts-specs/VCFv4.4.pdf. Only the fixed columns and, on
request, the genotype of one sample are looked at; everything else passes through as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines

__all__ = [
    "Genotype",
    "VcfHeader",
    "VcfRecord",
    "ends_whole",
    "info_values",
    "is_sequence",
    "read_header",
    "read_records",
    "with_info",
]

#: Longest line that is read: a record of half a million samples.
MAX_LINE = 2**26
_FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_BASES = re.compile(r"[ACGTNRYSWKMBDHVacgtnryswkmbdhv]+")
_CONTIG = re.compile(r"##contig=<.*?\bID=([^,>]+)")
_CONTIG_LENGTH = re.compile(r"##contig=<.*?\blength=(\d{1,12})\b")
_GENOTYPE = re.compile(r"(\d+|\.)(?:([|/])(\d+|\.))?")
_MAX_HEADER = 1_000_000
#: The last block of a whole bgzip file (SAMv1.pdf, section 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass(frozen=True)
class VcfHeader:
    """The lines before the records.

    Attributes
    ----------
    lines : tuple of str
        Those that begin with ``##``.
    columns : str
        The line that begins with ``#CHROM``.
    """

    lines: tuple[str, ...]
    columns: str

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples."""
        return tuple(self.columns.split("\t")[9:])

    @property
    def contigs(self) -> frozenset[str]:
        """Chromosomes that the header declares."""
        return frozenset(m[1] for line in self.lines if (m := _CONTIG.match(line)))

    @property
    def contig_lengths(self) -> dict[str, int]:
        """Lengths of the chromosomes for which the header declares one."""
        found = {}
        for line in self.lines:
            name, length = _CONTIG.match(line), _CONTIG_LENGTH.match(line)
            if name and length:
                found[name[1]] = int(length[1])
        return found


@dataclass(frozen=True)
class Genotype:
    """Alleles of one sample: 0 the reference, 1 the first of ALT, -1 unknown.

    Attributes
    ----------
    alleles : tuple of int
        One a haplotype.
    phased : bool
        Whether they lie on the haplotypes in this order.
    phase_set : str
        Records are phased against one another within the same set.
    """

    alleles: tuple[int, ...]
    phased: bool
    phase_set: str = ""


@dataclass(frozen=True)
class VcfRecord:
    """One line.

    Attributes
    ----------
    line : int
        From 1.
    text : str
        As it stands in the file.
    chrom : str
    position : int
        0-based.
    identifier : str
    ref : str
        Upper case; ``-`` where the file has it for no bases, which VCF does not know.
    alts : tuple of str
        Upper case where it is a sequence; empty if there is none.
    genotype : Genotype or None
        Of the sample that was asked for.
    """

    line: int
    text: str
    chrom: str
    position: int
    identifier: str
    ref: str
    alts: tuple[str, ...]
    genotype: Genotype | None = None


def is_sequence(allele: str) -> bool:
    """Whether an allele is given by its bases: not ``*``, ``<DEL>``, a breakend or missing."""
    return bool(_BASES.fullmatch(allele))


def read_header(path: Path) -> VcfHeader:
    """Read what stands before the records.

    Raises
    ------
    InputError
        If the file is missing, not VCF, a truncated bgzip file, or has no header.
    """
    _check_whole(path)
    lines: list[str] = []
    for number, line in read_lines(path, max_line=MAX_LINE):
        if line.startswith("##"):
            if number == 1 and not line.startswith("##fileformat=VCF"):
                break
            lines.append(line)
            if len(lines) > _MAX_HEADER:
                raise InputError(f"{path}: has more than {_MAX_HEADER:,} lines of header")
            continue
        if lines and line.startswith("#CHROM"):
            columns = tuple(line.split("\t"))
            if columns[:8] != _FIXED:
                raise InputError(
                    f"{path} line {number}: the columns of a VCF are {' '.join(_FIXED)}, "
                    f"tab-separated; found {line[:100]!r}"
                )
            return VcfHeader(tuple(lines), line)
        break
    raise InputError(
        f"{path}: has no VCF header (a first line ##fileformat=VCFv4.2, and one that begins with "
        f"#CHROM before the records); take it from the file this one was cut from, with "
        f"'bcftools reheader' or 'bcftools view -h'"
    )


def _check_whole(path: Path) -> None:
    """Refuse BCF, and a bgzip file whose last block is missing: its records just stop."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        head = stream.read(18)
        if head[:4] in (b"BCF\x02", b"BCF\x04"):
            raise InputError(f"{path}: is BCF; convert it with 'bcftools view -O z'")
    if head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC" and not ends_whole(path):
        raise InputError(
            f"{path}: the bgzip data ends without its last block, so the file is truncated; copy "
            f"or download it again"
        )


def ends_whole(path: Path) -> bool:
    """Whether a bgzip file has its last block."""
    with path.open("rb") as stream:
        stream.seek(-min(len(_BGZF_END), path.stat().st_size), 2)
        return stream.read() == _BGZF_END


def read_records(path: Path, sample: int | None = None) -> Iterator[VcfRecord]:
    """Stream the records.

    Parameters
    ----------
    path : pathlib.Path
        Plain, gzipped or bgzipped.
    sample : int, optional
        Whose genotype is read, from 0.

    Yields
    ------
    VcfRecord

    Raises
    ------
    InputError
        At the first line that is no record.
    """
    columns, blank = 0, 0
    for number, line in read_lines(path, max_line=MAX_LINE):
        if not line.strip():
            blank = blank or number
            continue
        # Blank lines at the end are as good as none.
        if blank:
            raise InputError(f"{path} line {blank}: is empty; a VCF has a record on each line")
        if line.startswith("#"):
            if line.startswith("#CHROM"):
                columns = line.count("\t") + 1
            continue
        yield _record(path, number, line, columns, sample)


def _record(path: Path, number: int, line: str, columns: int, sample: int | None) -> VcfRecord:
    place = f"{path} line {number}"
    found = line.count("\t") + 1
    if found != columns:
        raise InputError(
            f"{place}: has {found} tab-separated columns and the header names {columns}; is the "
            f"line cut short?"
        )
    chrom, pos, identifier, ref, alt = line.split("\t", 5)[:5]
    if not (pos.isascii() and pos.isdigit()) or len(pos) > 12:
        raise InputError(f"{place}: POS {pos[:40]!r} is not a whole number from 0 up")
    if not chrom.strip():
        raise InputError(f"{place}: CHROM is empty")
    if not is_sequence(ref) and ref != "-":
        raise InputError(f"{place}: REF {ref[:40]!r} is not a sequence of bases")
    alts = () if alt == "." else tuple(a.upper() if is_sequence(a) else a for a in alt.split(","))
    if "" in alts:
        raise InputError(f"{place}: ALT {alt[:40]!r} has an empty allele")
    genotype = None if sample is None else _genotype(place, line, sample, len(alts))
    return VcfRecord(number, line, chrom, int(pos) - 1, identifier, ref.upper(), alts, genotype)


def _genotype(place: str, line: str, sample: int, n_alts: int) -> Genotype | None:
    cells = line.split("\t")
    names, values = cells[8].split(":"), cells[9 + sample].split(":")
    fields = dict(zip(names, values, strict=False))
    if "GT" not in fields:
        return None
    found = _GENOTYPE.fullmatch(fields["GT"])
    if not found:
        raise InputError(
            f"{place}: the genotype {fields['GT'][:20]!r} is not of one or two haplotypes, as 0|1"
        )
    alleles = tuple(-1 if a == "." else int(a) for a in (found[1], found[3]) if a is not None)
    if max(alleles) > n_alts:
        raise InputError(
            f"{place}: the genotype {fields['GT']!r} names an allele that is not there"
        )
    phased = found[2] != "/" or alleles[0] == alleles[-1]
    # A missing phase set is none: writers give '.' where another record has the field.
    phase_set = fields.get("PS", "")
    return Genotype(alleles, phased, "" if phase_set == "." else phase_set)


def info_values(text: str) -> dict[str, str]:
    """The entries of INFO of a record's line; those without a value are empty.

    Parameters
    ----------
    text : str
    """
    entries = (entry.partition("=") for entry in text.split("\t", 8)[7].split(";"))
    return {key: value for key, _, value in entries}


def with_info(text: str, entries: str) -> str:
    """A record's line with entries added to its INFO column.

    Parameters
    ----------
    text : str
    entries : str
        ``KEY=value`` of each, separated by semicolons; what has those keys already is replaced.
    """
    cells = text.split("\t")
    keys = {entry.split("=", 1)[0] for entry in entries.split(";")}
    kept = [e for e in cells[7].split(";") if e != "." and e.split("=", 1)[0] not in keys]
    cells[7] = ";".join([*kept, entries] if entries else kept) or "."
    return "\t".join(cells)
