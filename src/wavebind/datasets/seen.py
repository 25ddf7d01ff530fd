"""A sketch of the windows that a model was trained on, by which they are known again.

Of each stretch of 64 k-mers the one with the smallest hash is kept (minimizers: Roberts et al.
2004, Bioinformatics 20:3363). So windows that share 83 bases share one, on either strand. The
hashes lie in a Bloom filter (Bloom 1970, Commun. ACM 13:422). One that was put in is always found,
and another one rarely.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import check_readable, replace_file
from wavebind.datasets.dataset import Dataset
from wavebind.genome.composition import mixed
from wavebind.genome.kmers import hashed_kmers
from wavebind.genome.sequences import Codes

__all__ = ["SKETCH", "SeenWindows", "find_seen", "read_seen", "seen_words"]

#: The file of a sketch, in the folder of a model.
SKETCH = "seen.npy"
_FOLDER = Path(__file__).parent.parent / "resources" / "factors"

K = 20
#: K-mers of which the one with the smallest hash is kept.
STRETCH = 64
#: A window is known again that has this fraction of its minimizers in the sketch.
SHARED = 0.34
_BITS = 24
_CHUNK = 4096
_NONE = np.uint64(2**64 - 1)


@dataclass(frozen=True, eq=False)
class SeenWindows:
    """The sketch.

    Attributes
    ----------
    bits : numpy.ndarray
        ``uint8``, shape ``(byte,)``: the Bloom filter, eight bits a byte.
    """

    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, codes: Codes, indices: NDArray[np.int64]) -> SeenWindows:
        """The sketch of some windows.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(window, position)``.
        indices : numpy.ndarray
            ``int64``: which of them.
        """
        bits = np.zeros(2**_BITS, dtype=bool)
        for at in range(0, len(indices), _CHUNK):
            hashes = _minimizers(np.asarray(codes[indices[at : at + _CHUNK]]))
            for place in _places(hashes[hashes != _NONE]):
                bits[place] = True
        return cls(np.packbits(bits))

    def find(self, codes: Codes, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some windows share about half of their sequence, or more, with the sketch's.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(window, position)``.
        indices : numpy.ndarray
            ``int64``, shape ``(n,)``: which of them.

        Returns
        -------
        numpy.ndarray
            ``bool``, shape ``(n,)``.
        """
        found = np.zeros(len(indices), dtype=bool)
        bits = np.unpackbits(self.bits).astype(bool)
        for at in range(0, len(indices), _CHUNK):
            hashes = _minimizers(np.asarray(codes[indices[at : at + _CHUNK]]))
            there = hashes != _NONE
            known = there.copy()
            for place in _places(hashes):
                known &= bits[place]
            n = there.sum(axis=1)
            found[at : at + len(hashes)] = (n > 0) & (known.sum(axis=1) >= SHARED * n)
        return found

    def write(self, path: Path) -> None:
        """Write the sketch, which :func:`read_seen` reads."""
        with replace_file(path) as temporary, temporary.open("wb") as file:
            np.save(file, self.bits, allow_pickle=False)


def read_seen(path: Path) -> SeenWindows:
    """Read a sketch.

    Raises
    ------
    InputError
        If the file is missing or is not one.
    """
    check_readable(path)
    try:
        if path.stat().st_size > 2**_BITS:
            raise ValueError("it is too large")
        bits = np.load(path, allow_pickle=False)
        if bits.dtype != np.uint8 or bits.shape != (2**_BITS // 8,):
            raise ValueError(f"it holds {bits.dtype} of shape {bits.shape}")
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: is not a sketch of windows ({error})") from error
    return SeenWindows(bits)


def find_seen(data: Dataset, part: str) -> NDArray[np.bool_] | None:
    """Which windows of a part the package's model was trained on.

    Parameters
    ----------
    data : Dataset
    part : str

    Returns
    -------
    numpy.ndarray or None
        ``bool``, shape ``(window,)``, in the order of ``data.indices(part)``. None where the
        package has no sketch.
    """
    file = _FOLDER / SKETCH
    return read_seen(file).find(data.codes, data.indices(part)) if file.is_file() else None


def seen_words(part: str, seen: NDArray[np.bool_]) -> str:
    """How many windows of a part the package's model was trained on; empty for none."""
    if not seen.any():
        return ""
    return (
        f"{int(seen.sum()):,} of {len(seen):,} {part} windows ({seen.mean():.1%}) share about half "
        f"of their sequence or more with windows that the model factors was trained on; a training "
        f"that begins with it has seen them (--start none begins without)."
    )


def _minimizers(codes: Codes) -> NDArray[np.uint64]:
    """Distinct minimizers of each window, ``(window, place)``; the rest of a row is :data:`_NONE`.

    A window that is too short for a k-mer has none.
    """
    if codes.shape[1] < K:
        return np.full((len(codes), 1), _NONE)
    hashes, known = hashed_kmers(codes, K)
    hashes[~known] = _NONE
    width = min(STRETCH, hashes.shape[1])
    n = 1
    while 2 * n <= width:
        hashes = np.minimum(hashes[:, :-n], hashes[:, n:])
        n *= 2
    rest = width - n
    if rest:
        hashes = np.minimum(hashes[:, :-rest], hashes[:, rest:])
    hashes = np.sort(hashes, axis=1)
    hashes[:, 1:][hashes[:, 1:] == hashes[:, :-1]] = _NONE
    # The rows have few distinct ones; the columns beyond are empty.
    hashes = np.sort(hashes, axis=1)
    most = max(1, int((hashes != _NONE).sum(axis=1).max(initial=0)))
    return hashes[:, :most]


def _places(hashes: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
    """Places in the filter: the low digits, since the smallest of many has few high ones."""
    mask = np.uint64(2**_BITS - 1)
    return [hashes & mask, (hashes >> np.uint64(_BITS)) & mask, mixed(hashes) & mask]
