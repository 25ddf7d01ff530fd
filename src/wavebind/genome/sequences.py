"""Nucleotides as codes, and FASTA files as records.

A code is one byte a base: A C G T = 0 1 2 3, everything else 4. Lower case is upper case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines

__all__ = [
    "MAX_UNKNOWN",
    "Codes",
    "FastaRecord",
    "LetterCheck",
    "Locus",
    "gc_fraction",
    "letter_codes",
    "lower_fraction",
    "onehot",
    "parse_locus",
    "read_fasta",
    "reverse_complement",
    "to_codes",
    "to_letters",
]

Codes = NDArray[np.uint8]

#: The code of a base that is not known.
UNKNOWN = 4
_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
#: The IUPAC letters that stand for several bases (Cornish-Bowden 1985, Nucleic Acids Res. 13:3021).
_AMBIGUOUS = b"NRYSWKMBDHV"
_INVALID = 255


def _letter_table() -> Codes:
    table = np.full(256, _INVALID, dtype=np.uint8)
    for code, letter in enumerate(b"ACGT"):
        table[letter] = table[letter + 32] = code
    for letter in _AMBIGUOUS:
        table[letter] = table[letter + 32] = UNKNOWN
    return table


_TABLE = _letter_table()
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


@dataclass
class LetterCheck:
    """Counts the letters that are not nucleotides over a whole input.

    A single message then tells how many there are and where the first one stands, however many
    records the input has.
    """

    count: int = 0
    first: str = ""
    letters: set[str] = field(default_factory=set)

    def add(self, codes: Codes, raw: bytes, place: str) -> Codes:
        """Note the invalid letters of one sequence and return its codes with 4 in their place."""
        bad = np.flatnonzero(codes == _INVALID)
        if bad.size:
            if not self.count:
                self.first = f"{chr(raw[bad[0]])!r} at {place}, base {int(bad[0]) + 1}"
            self.count += int(bad.size)
            self.letters |= {chr(raw[i]) for i in bad[:1000]}
            codes = np.where(codes == _INVALID, np.uint8(UNKNOWN), codes)
        return codes

    def raise_if_any(self, name: str) -> None:
        """Raise an :class:`InputError` if any letter was not a nucleotide."""
        if self.count:
            found = " ".join(repr(x) for x in sorted(self.letters)[:8])
            raise InputError(
                f"{name}: {self.count:,} letters are not nucleotides ({found}); the first is "
                f"{self.first}. Sequences may hold A C G T, N and the IUPAC ambiguity letters"
            )


def to_codes(sequence: str | bytes, check: LetterCheck | None = None, place: str = "") -> Codes:
    """Letters to codes.

    Parameters
    ----------
    sequence : str or bytes
        Nucleotide letters, either case.
    check : LetterCheck, optional
        Where invalid letters are counted; without it the first one raises.
    place : str
        How a message names this sequence.

    Returns
    -------
    numpy.ndarray
        ``uint8``, shape ``(position,)``.

    Raises
    ------
    InputError
        If a letter is not a nucleotide and no `check` is given.
    """
    # Letters outside ASCII become '?', which is as invalid as they are.
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    codes = _TABLE[np.frombuffer(raw, dtype=np.uint8)]
    collect = check if check is not None else LetterCheck()
    codes = collect.add(codes, raw, place or "the sequence")
    if check is None:
        collect.raise_if_any(place or "the sequence")
    return codes


def letter_codes(letters: NDArray[np.uint8]) -> Codes:
    """ASCII letters, of any shape, to codes; what is not a nucleotide becomes 4.

    Parameters
    ----------
    letters : numpy.ndarray
        ``uint8``, already checked, as :meth:`wavebind.genome.genomes.Genome.letters` returns them.
    """
    return np.minimum(_TABLE[letters], np.uint8(UNKNOWN))


_NOT_LOWER = bytes(b for b in range(256) if not 97 <= b <= 122)


def lower_fraction(sequence: str) -> float:
    """Fraction of lower-case letters, which stand for repeats in a soft-masked sequence."""
    return len(sequence.encode("ascii", "replace").translate(None, _NOT_LOWER)) / len(sequence)


def to_letters(codes: Codes) -> str:
    """Codes to upper-case letters; code 4 becomes ``N``."""
    return _LETTERS[codes].tobytes().decode("ascii")


def reverse_complement(codes: Codes) -> Codes:
    """The other strand, read in its own direction.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(..., position)``.
    """
    return np.ascontiguousarray(_COMPLEMENT[codes][..., ::-1])


def gc_fraction(codes: Codes) -> NDArray[np.float64]:
    """Fraction of G and C among the known bases of each window.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``float64``, shape ``(window,)``; 0.5 where no base is known.
    """
    known = (codes < UNKNOWN).sum(axis=1)
    gc = ((codes == 1) | (codes == 2)).sum(axis=1)
    return np.where(known > 0, gc / np.maximum(known, 1), 0.5)


@dataclass(frozen=True)
class Locus:
    """A place on a chromosome, 0-based and half-open."""

    chrom: str
    start: int
    end: int


#: chr1:1-200, also as bedtools (name::chr1:1-200(+)), samtools (chr1:1-200/rc) and UCSC's table
#: browser (hg38_dna range=chr1:1-200 strand=+) write it.
_LOCUS = re.compile(
    r"^(?:.*::|.*\brange=)?([^\s:=]+):(\d{1,12})-(\d{1,12})(?:\([+-.]\)|/rc|\s.*)?$"
)


def parse_locus(name: str, length: int) -> Locus | None:
    """Read ``chrom:start-end`` from the header of a FASTA record.

    ``bedtools getfasta`` writes such names 0-based and half-open, ``samtools faidx`` 1-based and
    closed; the length of the sequence tells which of the two it is.

    Returns
    -------
    Locus or None
        None where the name is not of that form or fits neither convention.
    """
    match = _LOCUS.match(name)
    if not match:
        return None
    start, end = int(match[2]), int(match[3])
    if end - start == length:
        return Locus(match[1], start, end)
    if end - start + 1 == length and start >= 1:
        return Locus(match[1], start - 1, end)
    return None


@dataclass(frozen=True)
class FastaRecord:
    """One record.

    Attributes
    ----------
    name : str
        The first word of its header.
    header : str
        All of it.
    codes : numpy.ndarray
        ``uint8``, shape ``(position,)``.
    line : int
        The line of its header.
    repeat : float
        Fraction of its letters that are lower case, which is to say soft-masked.
    """

    name: str
    codes: Codes
    line: int
    repeat: float
    header: str = ""

    @property
    def locus(self) -> Locus | None:
        """Where it lies, by its name or the rest of its header; None where they do not say."""
        return parse_locus(self.name, len(self.codes)) or parse_locus(self.header, len(self.codes))


def read_fasta(path: Path) -> Iterator[FastaRecord]:
    """Stream the records of a FASTA file, plain or gzipped.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    FastaRecord
        In the order of the file.

    Raises
    ------
    InputError
        If the file is missing, empty or not text, or has no record. If it has sequence before the
        first header or a record without sequence. After the last record, if any letter was not a
        nucleotide.
    """
    check = LetterCheck()
    name, header, header_line = "", "", 0
    parts: list[str] = []
    n_records = 0

    def finish() -> FastaRecord:
        sequence = "".join(parts)
        if not sequence:
            raise InputError(f"{path} line {header_line}: record {name!r} has no sequence")
        place = f"record {name!r} (line {header_line})"
        return FastaRecord(
            name, to_codes(sequence, check, place), header_line, lower_fraction(sequence), header
        )

    for number, line in read_lines(path, latin_1=True):
        text = line.strip()
        if text.startswith(">"):
            if n_records:
                yield finish()
            words = text[1:].split(maxsplit=1)
            header = text[1:].strip()
            name = words[0] if words else f"record_{n_records + 1}"
            header_line, parts = number, []
            n_records += 1
        elif text:
            if not n_records:
                raise InputError(
                    f"{path} line {number}: found sequence before the first header; a FASTA "
                    f"record begins with a line '>name'"
                )
            parts.append(text)
    if not n_records:
        raise InputError(f"{path}: no FASTA record found; a record begins with a line '>name'")
    yield finish()
    check.raise_if_any(str(path))


#: A window with more unknown bases than this fraction is dropped.
MAX_UNKNOWN = 0.10


def onehot(codes: Codes) -> NDArray[np.int8]:
    """One-hot windows.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.

    Returns
    -------
    numpy.ndarray
        ``int8``, shape ``(window, 4, position)``, bases A, C, G, T; zero where a base is unknown.
    """
    return np.stack([codes == base for base in range(4)], axis=1).astype(np.int8)
