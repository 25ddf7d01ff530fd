"""Files that are not what they are taken for, told by their first bytes.

The numbers are those of the formats' own documents: bigWig and bigBed (Kent et al. 2010,
Bioinformatics 26:2204), zstd (RFC 8878), xz (xz-file-format 1.2), and so on.
"""

from __future__ import annotations

import stat
from pathlib import Path

from wavebind.core.errors import InputError

__all__ = ["HEAD", "check_kind", "is_device", "is_pipe", "refuse_pipe"]

#: So many bytes tell what a file is.
HEAD = 16

_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x26\xfc\x8f\x88", "a bigWig", "turn it into text with 'bigWigToBedGraph'"),
    (b"\x88\x8f\xfc\x26", "a bigWig", "turn it into text with 'bigWigToBedGraph'"),
    (b"\xeb\xf2\x89\x87", "a bigBed", "turn it into BED with 'bigBedToBed'"),
    (b"\x87\x89\xf2\xeb", "a bigBed", "turn it into BED with 'bigBedToBed'"),
    (b"BZh", "packed with bzip2", "unpack it with 'bunzip2'"),
    (b"\xfd7zXZ\x00", "packed with xz", "unpack it with 'unxz'"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it with 'unzstd'"),
    (b"\x04\x22\x4d\x18", "packed with lz4", "unpack it with 'unlz4'"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with '7z x'"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save it as text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook", "save it as tab-separated text"),
    (b"\x43\x27\x41\x1a", "a 2bit genome", "a genome goes to --genome"),
    (b"\x1a\x41\x27\x43", "a 2bit genome", "a genome goes to --genome"),
    (b"BAM\x01", "a BAM file", "call peaks or variants from it first"),
    (b"CRAM", "a CRAM file", "call peaks or variants from it first"),
    (b"BCF\x02", "a BCF file", "turn it into VCF with 'bcftools view'"),
    (b"BCF\x04", "a BCF file", "turn it into VCF with 'bcftools view'"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "give a text file"),
    (b"PAR1", "a Parquet file", "save it as tab-separated text"),
    (b"SQLite format 3", "an SQLite database", "save the table as tab-separated text"),
    (b"%PDF", "a PDF", "give a text file"),
    (b"\x93NUMPY", "a numpy array", "give a text file"),
)


def check_kind(path: Path, head: bytes) -> None:
    """Raise an :class:`InputError` where the first bytes are those of a known binary file.

    Parameters
    ----------
    path : pathlib.Path
        For the message.
    head : bytes
        At least :data:`HEAD` bytes from the beginning, unpacked if the file is gzipped.
    """
    for magic, what, remedy in _KINDS:
        if head.startswith(magic):
            raise InputError(f"{path}: is {what}, and text is needed here; {remedy}")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{path}: is text in UTF-16; save it as UTF-8 ('iconv -f UTF-16 -t UTF-8')"
        )


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, a terminal or another thing that can be read only once."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_device(path: Path) -> bool:
    """Whether an output goes to a device or a pipe, which nothing may take the place of.

    ``/dev/stdout`` is one even where it was redirected to a file.
    """
    whole = str(path.absolute())
    inside = whole.startswith(("/dev/", "/proc/")) and "/shm/" not in whole[:9]
    return inside or is_pipe(path)


def refuse_pipe(path: Path, why: str) -> None:
    """Raise an :class:`InputError` where a path can be read only once.

    Parameters
    ----------
    path : pathlib.Path
    why : str
        What needs to read it again, as in "a genome is read at random places".
    """
    if is_pipe(path):
        raise InputError(
            f"{path}: is a pipe, which can be read only once, and {why}; write it to a file first"
        )
