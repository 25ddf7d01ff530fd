"""Genomes: FASTA, gzipped in any way or not, and 2bit.

Coordinates are 0-based and half-open. Sequence is read a stretch or a chromosome at a time; a
genome is never held as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wavebind.core.cache import cache_folder, spare_folder
from wavebind.core.errors import InputError, WritingError
from wavebind.core.filekinds import refuse_pipe
from wavebind.core.files import check_readable, sha256
from wavebind.genome.fastaindex import CHUNK, FastaIndex, checked_chunks, unpack
from wavebind.genome.sequences import LetterCheck, to_codes
from wavebind.genome.twobit import TWOBIT, TwoBit

__all__ = ["Genome", "match_chromosomes", "open_genome"]

Letters = NDArray[np.uint8]


class _Source(Protocol):
    lengths: dict[str, int]

    def fetch(self, chrom: str, start: int, end: int) -> bytes: ...

    def close(self) -> None: ...


class Genome:
    """A genome that is open for reading; a context manager.

    Attributes
    ----------
    path : pathlib.Path
        The file as it was given.
    checksum : str
        SHA-256 of that file.
    lengths : dict
        Length of each chromosome in base pairs, in the order of the file.
    """

    def __init__(self, path: Path, checksum: str, source: _Source) -> None:
        self.path = path
        self.checksum = checksum
        self.lengths = source.lengths
        self._source = source

    @cached_property
    def by_bare_name(self) -> dict[str, tuple[str, ...]]:
        """Names of chromosomes by :func:`bare_name`."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self.lengths:
            bare = bare_name(name)
            found[bare] = (*found.get(bare, ()), name)
        return found

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def letters(self, chrom: str, start: int = 0, end: int | None = None) -> Letters:
        """A stretch of a chromosome as it stands in the file, lower case where soft-masked.

        Parameters
        ----------
        chrom : str
            One of `lengths`.
        start, end : int
            0-based, half-open; the whole chromosome by default.

        Returns
        -------
        numpy.ndarray
            ``uint8``, shape ``(position,)``, ASCII letters.

        Raises
        ------
        InputError
            If the stretch leaves the chromosome, holds letters that are not nucleotides, or the
            file cannot be read.
        """
        if chrom not in self.lengths:
            raise InputError(f"{self.path}: has no chromosome {chrom!r}")
        length = self.lengths[chrom]
        stop = length if end is None else end
        if not 0 <= start <= stop <= length:
            raise InputError(
                f"{self.path}: {chrom}:{start}-{stop} leaves the chromosome, which has "
                f"{length:,} bp"
            )
        found = np.empty(stop - start, dtype=np.uint8)
        check = LetterCheck()
        for at in range(start, stop, CHUNK):
            raw = self._source.fetch(chrom, at, min(at + CHUNK, stop))
            if len(raw) != min(at + CHUNK, stop) - at:
                raise InputError(
                    f"{self.path}: {chrom} ends after base {at + len(raw):,} of {length:,}; the "
                    f"file is damaged or was changed while it was read"
                )
            to_codes(raw, check, f"{chrom}, counted from base {at:,}")
            found[at - start : at - start + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
        check.raise_if_any(str(self.path))
        return found


def open_genome(
    path: Path,
    *,
    cache: Path | None = None,
    checksum: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Genome:
    """Open a genome.

    Parameters
    ----------
    path : pathlib.Path
        FASTA, plain or gzipped (bgzip or not), or 2bit; its first bytes tell which.
    cache : pathlib.Path, optional
        Where the index of a FASTA file, and what is unpacked from a gzipped one, is kept. Both lie
        under the SHA-256 of the file: a changed file is never read through an old index. By
        default :func:`wavebind.core.cache.cache_folder`.
    checksum : str, optional
        SHA-256 of the file where it was just computed, as by the process that hands out the work.
    progress : callable, optional
        Called with the number of bytes unpacked or looked through since the last call.

    Returns
    -------
    Genome

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format, holds no sequence, holds a name
        twice, or its lines differ in length.
    """
    check_readable(path)
    refuse_pipe(path, "a genome is read at any place")
    try:
        checksum = checksum or sha256(path)
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(head) == 4 and TWOBIT in struct.unpack("<I", head) + struct.unpack(">I", head):
        return Genome(path, checksum, TwoBit(path))
    step = progress or (lambda _: None)
    packed = head[:2] == b"\x1f\x8b"
    try:
        return _through_index(path, checksum, packed, (cache or cache_folder()) / "genomes", step)
    except WritingError as error:
        if cache is not None:
            raise
        return _through_index(path, checksum, packed, spare_folder(str(error)) / "genomes", step)


def _through_index(
    path: Path, checksum: str, packed: bool, folder: Path, step: Callable[[int], None]
) -> Genome:
    """Open a FASTA file, with its index and what is unpacked of it in a folder."""
    plain = path
    # The number is that of the checks: an index that was made with fewer is not used.
    index = folder / f"{checksum}.2.fai"
    if packed:
        plain = folder / f"{checksum}.fa"
    if packed and not plain.is_file():
        unpack(path, plain, step)
    elif not index.is_file():
        with plain.open("rb") as stream:
            for chunk in checked_chunks(stream, path):
                step(len(chunk))
    return Genome(path, checksum, FastaIndex(path, plain, index))


def match_chromosomes(wanted: Iterable[str], genome: Genome) -> dict[str, str | None]:
    """The genome's name for each chromosome.

    ``22``, ``chr22``, ``Chr22`` and ``CHR22``, ``1`` and ``chr01``, ``MT`` and ``chrM`` are one,
    where the genome has one of these alone; blanks around a name do not count.

    Parameters
    ----------
    wanted : iterable of str
    genome : Genome

    Returns
    -------
    dict
        None where the genome has no such chromosome.
    """
    return {name: _match(name, genome) for name in wanted}


def _match(name: str, genome: Genome) -> str | None:
    if name in genome.lengths:
        return name
    alike = genome.by_bare_name.get(bare_name(name), ())
    # Where the genome has several that are alike, as 'chr1' and 'Chr1', none of them is guessed.
    return alike[0] if len(alike) == 1 else None


def bare_name(name: str) -> str:
    """What is left of a chromosome's name without what people write differently."""
    bare = name.strip().lower().removeprefix("chr")
    bare = bare.lstrip("0") or bare
    return "m" if bare == "mt" else bare
