"""Genomes in 2bit (https://genome.ucsc.edu/FAQ/FAQformat.html#format7)."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import numpy as np

from wavebind.core.errors import InputError

__all__ = ["TWOBIT", "TwoBit"]

#: First four bytes of a 2bit file, in either byte order.
TWOBIT = 0x1A412743
_MAX_CHROMOSOMES = 10_000_000


class TwoBit:
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
        """Letters of a stretch, 0-based and half-open."""
        if start == end:
            return b""
        try:
            return str(self._file.sequence(chrom, start, end)).encode("ascii", "replace")
        except RuntimeError as error:
            raise InputError(
                f"{self._name}: {chrom}:{start}-{end} cannot be read ({error})"
            ) from error

    def close(self) -> None:
        """Close the file."""
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
        if numbers(1, "its header")[0] != TWOBIT:
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
