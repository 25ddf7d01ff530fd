"""FASTA genomes: looked through once, unpacked where they are gzipped, and read by an index."""

from __future__ import annotations

import gzip
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.filekinds import HEAD, check_kind
from wavebind.core.files import MAX_LINE, replace_file

__all__ = ["CHUNK", "FastaIndex", "checked_chunks", "unpack"]

#: Bytes that are read at once.
CHUNK = 2**24


def checked_chunks(stream: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[bytes]:
    """Chunks of a FASTA file; raises where it cannot be one, before anything large is held."""
    line, tail = 1, 0
    first = True
    widths = _LineWidths(path)
    while chunk := stream.read(CHUNK):
        if first:
            check_kind(path, chunk[:HEAD])
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
        widths.add(chunk, ends, lengths, line)
        tail = int(lengths[-1])
        line += len(ends)
        yield chunk
    widths.finish(line)


class _LineWidths:
    """Refuses a line of sequence that is longer than the one before it in the same record.

    An index counts bases by the length of a record's first line. What lies behind a longer line
    would be read from another place. pyfaidx sees the other kinds of ragged lines.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Of the last whole line: its length, and whether it was a header.
        self._length, self._header = 0, True
        #: Of the line that goes on in the next chunk.
        self._open_length, self._open_header = 0, False

    def add(
        self, chunk: bytes, ends: NDArray[np.int64], lengths: NDArray[np.int64], line: int
    ) -> None:
        letters = np.frombuffer(chunk, dtype=np.uint8)
        begins = np.concatenate([[0], ends + 1])
        inside = begins < len(letters)
        header = np.zeros(len(begins), dtype=bool)
        header[inside] = letters[begins[inside]] == ord(">")
        if self._open_length:
            header[0] = self._open_header
        whole = len(ends)
        before = np.concatenate([[self._length], lengths[:whole]])
        was_header = np.concatenate([[self._header], header[:whole]])
        self._compare(before[:-1], was_header[:-1], lengths[:whole], header[:whole], line)
        self._length, self._header = int(before[-1]), bool(was_header[-1])
        self._open_length, self._open_header = int(lengths[-1]), bool(header[-1])

    def finish(self, line: int) -> None:
        """The last line, which need not end in a line feed."""
        if self._open_length:
            self._compare(
                np.array([self._length]),
                np.array([self._header]),
                np.array([self._open_length]),
                np.array([self._open_header]),
                line,
            )

    def _compare(
        self,
        before: NDArray[np.int64],
        was_header: NDArray[np.bool_],
        lengths: NDArray[np.int64],
        header: NDArray[np.bool_],
        line: int,
    ) -> None:
        longer = ~was_header & ~header & (lengths > before) & (before > 0)
        if longer.any():
            at = int(np.argmax(longer))
            raise InputError(
                f"{self._path} line {line + at}: has {lengths[at]:,} letters and the line before "
                f"it {before[at]:,}; the lines of a FASTA record have one length, the last may be "
                f"shorter ('seqtk seq -l 60' makes them so)"
            )


def unpack(path: Path, out: Path, step: Callable[[int], None]) -> None:
    """Unpack a gzipped FASTA file that passes the checks of :func:`checked_chunks`."""
    done = 0
    try:
        with replace_file(out) as temporary, temporary.open("wb") as target:
            with gzip.open(path, "rb") as stream:
                for chunk in checked_chunks(stream, path):
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


class FastaIndex:
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
        """Letters of a stretch, 0-based and half-open."""
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
        """Close the file."""
        self._faidx.close()
