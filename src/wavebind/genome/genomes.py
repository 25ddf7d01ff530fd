"""Genomes: FASTA, gzipped in any way or not, and 2bit.

Coordinates are 0-based and half-open. Sequence is read a stretch or a chromosome at a time; a
genome is never held as a whole.
"""

from __future__ import annotations

import contextlib
import gzip
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wavebind.core.cache import cache_folder
from wavebind.core.errors import InputError
from wavebind.core.files import MAX_LINE, check_readable, replace_file, sha256
from wavebind.genome.sequences import LetterCheck, to_codes

__all__ = ["Genome", "match_chromosomes", "open_genome"]

Letters = NDArray[np.uint8]

_CHUNK = 2**24
#: First four bytes of a 2bit file, in either byte order
#: (https://genome.ucsc.edu/FAQ/FAQformat.html#format7).
_TWOBIT = 0x1A412743
_MAX_CHROMOSOMES = 10_000_000


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
        for at in range(start, stop, _CHUNK):
            raw = self._source.fetch(chrom, at, min(at + _CHUNK, stop))
            if len(raw) != min(at + _CHUNK, stop) - at:
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
    try:
        checksum = checksum or sha256(path)
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(head) == 4 and _TWOBIT in struct.unpack("<I", head) + struct.unpack(">I", head):
        return Genome(path, checksum, _TwoBit(path))
    folder = (cache or cache_folder()) / "genomes"
    plain = path
    step = progress or (lambda _: None)
    if head[:2] == b"\x1f\x8b":
        plain = folder / f"{checksum}.fa"
        if not plain.is_file():
            _unpack(path, plain, step)
    elif not (folder / f"{checksum}.fai").is_file():
        with path.open("rb") as stream:
            for chunk in _checked(stream, path):
                step(len(chunk))
    return Genome(path, checksum, _Fasta(path, plain, folder / f"{checksum}.fai"))


def match_chromosomes(wanted: Iterable[str], genome: Genome) -> dict[str, str | None]:
    """The genome's name for each chromosome: ``22`` and ``chr22``, ``MT`` and ``chrM`` are one.

    Parameters
    ----------
    wanted : iterable of str
    genome : Genome

    Returns
    -------
    dict
        None where the genome has no such chromosome.
    """
    found: dict[str, str | None] = {}
    for name in wanted:
        bare = name[3:] if name.startswith("chr") else name
        mito = {"M": "MT", "MT": "M"}.get(bare)
        choices = [name, f"chr{bare}", bare, *((f"chr{mito}", mito) if mito else ())]
        found[name] = next((c for c in choices if c in genome.lengths), None)
    return found


def _checked(stream: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[bytes]:
    """Chunks of a FASTA file; raises where it cannot be one, before anything large is held."""
    line, tail = 1, 0
    first = True
    while chunk := stream.read(_CHUNK):
        if first and not chunk.lstrip().startswith((b">", b";")):
            raise InputError(
                f"{path}: is neither FASTA (it does not begin with '>') nor 2bit; give a genome "
                f"as FASTA, plain or gzipped, or as 2bit"
            )
        first = False
        if b"\0" in chunk:
            raise InputError(f"{path} near line {line}: holds zero bytes; it is not a FASTA file")
        ends = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == 10)
        stops = np.concatenate([ends, [len(chunk)]]) if len(ends) else np.array([len(chunk)])
        lengths = np.diff(stops, prepend=-1) - 1
        lengths[0] += tail
        if lengths.max() > MAX_LINE:
            worst = line + int(np.argmax(lengths > MAX_LINE))
            raise InputError(f"{path} line {worst}: longer than {MAX_LINE:,} characters")
        tail = int(lengths[-1])
        line += len(ends)
        yield chunk


def _unpack(path: Path, out: Path, step: Callable[[int], None]) -> None:
    done = 0
    try:
        with replace_file(out) as temporary, temporary.open("wb") as target:
            with gzip.open(path, "rb") as stream:
                for chunk in _checked(stream, path):
                    target.write(chunk)
                    done += len(chunk)
                    step(len(chunk))
            if not done:
                raise InputError(f"{path}: holds nothing when unpacked")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} after byte {done:,} of its text: the gzip data ends or breaks here "
            f"({error}); copy or download the file again"
        ) from error


class _Fasta:
    """A plain FASTA file, read through an index by pyfaidx."""

    def __init__(self, name: Path, path: Path, index: Path) -> None:
        import pyfaidx

        self._name = name
        try:
            if not index.is_file():
                with replace_file(index) as temporary:
                    temporary.unlink()  # pyfaidx makes an index only where there is none
                    pyfaidx.Faidx(str(path), indexname=str(temporary)).close()
            with warnings.catch_warnings():
                # The index is called by the checksum of the file: a copy of it may be younger.
                warnings.filterwarnings("ignore", "Index file .* is older than", RuntimeWarning)
                self._faidx = pyfaidx.Faidx(str(path), indexname=str(index), rebuild=False)
        except InputError:
            raise
        except (pyfaidx.FastaIndexingError, ValueError, UnicodeDecodeError, OSError) as error:
            raise InputError(
                f"{name}: cannot be indexed ({error}); a FASTA genome has unique names, and lines "
                f"of one length within a chromosome ('seqtk seq -l 60' makes them so)"
            ) from error
        self.lengths = {str(k): int(v.rlen) for k, v in self._faidx.index.items()}
        if not any(self.lengths.values()):
            raise InputError(f"{name}: the genome holds no sequence")

    def fetch(self, chrom: str, start: int, end: int) -> bytes:
        import pyfaidx

        if start == end:
            return b""
        try:
            return str(self._faidx.fetch(chrom, start + 1, end).seq).encode("ascii", "replace")
        except (pyfaidx.FetchError, OSError, ValueError) as error:
            raise InputError(
                f"{self._name}: {chrom}:{start}-{end} cannot be read ({error})"
            ) from error

    def close(self) -> None:
        self._faidx.close()


class _TwoBit:
    """A 2bit file, read by py2bit once its tables were found to lie within the file."""

    def __init__(self, path: Path) -> None:
        import py2bit

        _check_twobit(path)
        self._name = path
        try:
            self._file: Any = py2bit.open(str(path), True)
            self.lengths = {str(k): int(v) for k, v in self._file.chroms().items()}
        except RuntimeError as error:
            raise InputError(f"{path}: cannot be read as 2bit ({error})") from error

    def fetch(self, chrom: str, start: int, end: int) -> bytes:
        if start == end:
            return b""
        try:
            return str(self._file.sequence(chrom, start, end)).encode("ascii", "replace")
        except RuntimeError as error:
            raise InputError(
                f"{self._name}: {chrom}:{start}-{end} cannot be read ({error})"
            ) from error

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._file.close()


def _check_twobit(path: Path) -> None:
    """Refuse a 2bit file whose tables point outside it: the C reader would trust them."""
    size = path.stat().st_size

    def damaged(what: str) -> InputError:
        return InputError(f"{path}: the 2bit file is damaged ({what}); copy or download it again")

    with path.open("rb") as stream:

        def numbers(count: int, what: str) -> tuple[int, ...]:
            raw = stream.read(4 * count)
            if len(raw) < 4 * count:
                raise damaged(f"it ends within {what}")
            return struct.unpack(f"{order}{count}I", raw)

        order = "<"
        if numbers(1, "its header")[0] != _TWOBIT:
            raise InputError(
                f"{path}: a 2bit file in the byte order of another machine; convert it with "
                f"'twoBitToFa'"
            )
        version, count, _ = numbers(3, "its header")
        if version != 0:
            raise InputError(f"{path}: version {version} of 2bit is not known; version 0 is")
        if not 0 < count <= _MAX_CHROMOSOMES:
            raise damaged(f"it counts {count:,} sequences")
        offsets: dict[bytes, int] = {}
        for _ in range(count):
            n = stream.read(1)
            name = stream.read(n[0]) if n else b""
            if not n or len(name) < n[0]:
                raise damaged("it ends within its index")
            if name in offsets:
                raise InputError(
                    f"{path}: holds the chromosome {name.decode(errors='replace')!r} twice"
                )
            offsets[name] = numbers(1, "its index")[0]
        for name, offset in offsets.items():
            place = f"the record of {name.decode(errors='replace')!r}"
            stream.seek(offset)
            length = numbers(1, place)[0]
            for _ in range(2):
                blocks = numbers(1, place)[0]
                if stream.tell() + 8 * blocks > size:
                    raise damaged(f"{place} has {blocks:,} blocks and the file too few bytes")
                raw = np.fromfile(stream, dtype="<u4", count=2 * blocks).astype(np.int64)
                if blocks and (raw[:blocks] + raw[blocks:]).max() > length:
                    raise damaged(f"{place} has a block beyond its end")
            numbers(1, place)
            if stream.tell() + (length + 3) // 4 > size:
                raise damaged(f"{place} needs more bytes than the file has")
