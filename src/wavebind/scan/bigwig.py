"""A bigWig that is whole or an error.

The library that writes the format says little of a full disk, and may end the process over it. It
works in a process of its own here, and what it wrote is read back.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.files import NOT_WHOLE
from wavebind.core.processes import end_with_parent, starting_processes

__all__ = ["BigWigWriter", "is_whole"]

_MAGIC = b"\x26\xfc\x8f\x88"


class BigWigWriter:
    """Writes a bigWig; a context manager.

    Parameters
    ----------
    path : pathlib.Path
    lengths : mapping of str to int
        Of the chromosomes, in the order of what will be added.

    Raises
    ------
    OSError
        On leaving the block, or within it, if the file cannot be written to its end.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int]) -> None:
        self._path = path
        self._n_bases = 0
        self._last = ("", 0, 0.0)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_write, args=(theirs, str(path), list(lengths.items())), daemon=True
        )
        with starting_processes():
            self._process.start()
        theirs.close()

    def __enter__(self) -> BigWigWriter:
        return self

    def add(self, chrom: str, start: int, step: int, values: NDArray[np.float64]) -> None:
        """Add values that follow one another, each over `step` bases.

        Parameters
        ----------
        chrom : str
        start : int
            First base of the first value, 0-based; behind all that was added before.
        step : int
        values : numpy.ndarray
            ``float64``, shape ``(value,)``.
        """
        self._send((chrom, start, step, values))
        self._n_bases += step * len(values)
        self._last = (chrom, start + step * (len(values) - 1), float(values[-1]))

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is not None:
                self._process.terminate()
                return
            self._send(None)
            done = False
            with contextlib.suppress(EOFError, OSError):
                done = self._pipe.recv() == "done"
            self._process.join()
            if not done or not is_whole(self._path, self._n_bases, self._last):
                raise OSError(errno.EIO, NOT_WHOLE)
        finally:
            self._process.join()
            self._pipe.close()

    def _send(self, message: Any) -> None:
        try:
            self._pipe.send(message)
        except OSError as error:
            raise OSError(errno.EIO, NOT_WHOLE) from error


def _write(pipe: Connection, path: str, lengths: list[tuple[str, int]]) -> None:
    """Runs in a process of its own; it may be ended by the library at any call."""
    import pyBigWig

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    # The library talks of what goes wrong on stderr; here that is known by what it left.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    track = pyBigWig.open(path, "w")
    track.addHeader(lengths)
    while (message := pipe.recv()) is not None:
        chrom, start, step, values = message
        track.addEntries(chrom, start, values=values.tolist(), span=step, step=step)
    track.close()
    pipe.send("done")


def is_whole(path: Path, n_bases: int, last: tuple[str, int, float]) -> bool:
    """Whether a bigWig can be read, has so many bases, and has its last value where it belongs.

    Parameters
    ----------
    path : pathlib.Path
    n_bases : int
        That have a value.
    last : tuple of str, int and float
        Chromosome, first base and value of the last interval that was written.
    """
    import pyBigWig

    with path.open("rb") as stream:
        # The first bytes of the format stand at its end, too.
        stream.seek(-min(4, path.stat().st_size), 2)
        if stream.read() != _MAGIC:
            return False
    try:
        track = pyBigWig.open(str(path))
    except RuntimeError:
        return False
    try:
        if int(track.header()["nBasesCovered"]) != n_bases:
            return False
        chrom, start, value = last
        if not chrom:
            return True
        found = track.values(chrom, start, start + 1)
        return bool(np.isclose(found[0], value, rtol=1e-6, atol=0))
    except RuntimeError:
        return False
    finally:
        track.close()
