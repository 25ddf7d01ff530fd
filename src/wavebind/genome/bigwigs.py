"""bigWig files from anywhere, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wavebind.core.errors import InputError
from wavebind.core.files import check_readable

__all__ = ["name_in_track", "open_bigwig"]


@contextmanager
def open_bigwig(path: Path) -> Iterator[Any]:
    """Open a bigWig.

    Parameters
    ----------
    path : pathlib.Path

    Yields
    ------
    pyBigWig.bigWigFile

    Raises
    ------
    InputError
        If it is not a bigWig, or is found to be damaged while it is read.
    """
    import pyBigWig

    check_readable(path)
    try:
        file = pyBigWig.open(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as bigWig ({error})") from error
    if file is None or not file.isBigWig():
        raise InputError(f"{path}: is not a bigWig; 'bedGraphToBigWig' makes one of a bedGraph")
    try:
        yield file
    except RuntimeError as error:
        raise InputError(f"{path}: is damaged ({error})") from error
    finally:
        file.close()


def name_in_track(chrom: str, sizes: Mapping[str, int]) -> str | None:
    """What a bigWig calls a chromosome, with or without ``chr``; None where it has none of it.

    Parameters
    ----------
    chrom : str
    sizes : mapping
        What ``chroms()`` of the file gives.
    """
    bare = chrom.removeprefix("chr")
    return next((name for name in (chrom, bare, f"chr{bare}") if name in sizes), None)
