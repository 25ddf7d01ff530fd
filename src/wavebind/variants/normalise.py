"""One form for each change, however a VCF spells it.

Bases that REF and ALT share are cut off, and what is inserted or deleted within a repeat is moved
to its left end: the normal form of Tan, Abecasis & Kang 2015, Bioinformatics 31:2202, but without
the base that a VCF needs before an empty allele.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wavebind.genome.sequences import UNKNOWN, Codes, reverse_complement, to_codes, to_letters
from wavebind.genome.vcf import VcfRecord, info_values

__all__ = ["Spelling", "allele_kind", "left_aligned", "symbolic_change", "trimmed"]

#: Gives the codes of a stretch of the record's chromosome, 0-based and half-open.
Reference = Callable[[int, int], Codes]

_BASES = re.compile(r"[ACGT]+")
_LETTERS = re.compile(r"[ACGTNRYSWKMBDHV]+")
_SYMBOLIC = re.compile(r"<(DEL|DUP|INV)(:[^<>]*)?>")
#: A repeat is looked through so far to the left, in base pairs.
_FARTHEST = 100_000
_BLOCK = 256


@dataclass(frozen=True)
class Spelling:
    """A change by what it replaces.

    Attributes
    ----------
    position : int
        First base that is replaced, 0-based.
    ref, alt : str
        Bases; either may be empty, not both.
    """

    position: int
    ref: str
    alt: str


def allele_kind(allele: str) -> str:
    """What an allele of a VCF is.

    Returns
    -------
    str
        ``bases``; ``ambiguous`` (with letters as N or R); ``star`` (deleted by another record);
        ``any`` (``<*>``, ``<NON_REF>``); ``breakend``; ``sized`` (``<DEL>``, ``<DUP>``, ``<INV>``);
        ``symbolic`` (any other in angle brackets); ``missing`` (``-``, ``0``, ``.``); or
        ``unreadable``.
    """
    if _BASES.fullmatch(allele):
        return "bases"
    if _LETTERS.fullmatch(allele):
        return "ambiguous"
    if allele == "*":
        return "star"
    if allele in ("<*>", "<NON_REF>", "<X>"):
        return "any"
    if "[" in allele or "]" in allele or (len(allele) > 1 and "." in (allele[0], allele[-1])):
        return "breakend"
    if _SYMBOLIC.fullmatch(allele):
        return "sized"
    if allele.startswith("<") and allele.endswith(">"):
        return "symbolic"
    return "missing" if allele in ("-", "0", ".") else "unreadable"


def trimmed(spelling: Spelling) -> Spelling:
    """Without the bases that both alleles end or begin with."""
    ref, alt = spelling.ref, spelling.alt
    n = min(len(ref), len(alt))
    end = 0
    while end < n and ref[-1 - end] == alt[-1 - end]:
        end += 1
    ref, alt, n = ref[: len(ref) - end], alt[: len(alt) - end], n - end
    start = 0
    while start < n and ref[start] == alt[start]:
        start += 1
    return Spelling(spelling.position + start, ref[start:], alt[start:])


def left_aligned(spelling: Spelling, reference: Reference) -> Spelling:
    """A trimmed insertion or deletion at the left end of its repeat; anything else as it is.

    Parameters
    ----------
    spelling : Spelling
        See :func:`trimmed`.
    reference : callable
    """
    letters = spelling.ref or spelling.alt
    if bool(spelling.ref) == bool(spelling.alt):
        return spelling
    codes = to_codes(letters)
    position, moved = spelling.position, 0
    before = reference(position, position)
    while position > 0 and moved < _FARTHEST:
        if not len(before):
            before = reference(max(position - _BLOCK, 0), position)
        # The allele's last base, once it was turned by as many bases as it was moved.
        last = codes[(len(codes) - 1 - moved) % len(codes)]
        if before[-1] != last or last == UNKNOWN:
            break
        before, position, moved = before[:-1], position - 1, moved + 1
    turned = to_letters(np.roll(codes, moved))
    return Spelling(position, turned if spelling.ref else "", turned if spelling.alt else "")


def symbolic_change(
    record: VcfRecord, index: int, longest: int, reference: Reference
) -> Spelling | str:
    """The bases of a ``<DEL>``, ``<DUP>`` or ``<INV>``.

    ``END`` of INFO tells where it ends, otherwise ``SVLEN``; the base at POS stands before it
    (VCFv4.4.pdf, section 3). A duplication is taken to be in tandem.

    Parameters
    ----------
    record : VcfRecord
    index : int
        Which of its alleles, from 0.
    longest : int
        The most bases that are looked at.
    reference : callable

    Returns
    -------
    Spelling or str
        Or why it cannot be told: ``no_end`` or ``too_long``.
    """
    kind = record.alts[index][1:4]
    start = record.position + 1
    end = _end(record, index)
    if end is None or end <= start:
        return "no_end"
    if end - start > longest:
        return "too_long"
    inside = reference(start, end)
    if len(inside) < end - start:
        return "no_end"
    letters = to_letters(inside)
    if kind == "DEL":
        return Spelling(start, letters, "")
    if kind == "DUP":
        return Spelling(start, "", letters)
    return Spelling(start, letters, to_letters(reverse_complement(inside)))


def _end(record: VcfRecord, index: int) -> int | None:
    """The base after the last one of a symbolic allele, 0-based."""
    found = info_values(record.text)
    end, sizes = found.get("END", ""), found.get("SVLEN", "").split(",")
    if end.isdigit() and len(end) < 13:
        return int(end)
    size = sizes[index if index < len(sizes) else 0].lstrip("+-")
    return record.position + 1 + int(size) if size.isdigit() and len(size) < 13 else None
