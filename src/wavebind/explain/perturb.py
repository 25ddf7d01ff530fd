"""What a motif does: set into backgrounds, shuffled away, or set beside another one.

Names and meaning are those of tangermeme (Schreiber 2025, bioRxiv): :func:`marginalize`,
:func:`ablate` and :func:`space`. All logits are means of both strands, in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes, to_letters
from wavebind.models import Classifier
from wavebind.models.prediction import predict_logits
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.pwms import Motif, read_meme

__all__ = [
    "Spacing",
    "ablate",
    "consensus",
    "marginalize",
    "other_strand",
    "read_pattern",
    "shuffle_letters",
    "space",
    "substitute",
]

Floats = NDArray[np.float64]

_LETTERS = {"A": 0, "C": 1, "G": 2, "T": 3, "N": 4}
_MAX_WIDTH = 200


def read_pattern(name: str) -> tuple[str, str, Motif | None]:
    """The letters that a motif stands for.

    Parameters
    ----------
    name : str
        A MEME file, whose first motif is taken; a matrix of JASPAR by identifier or factor; or the
        letters themselves, where N keeps the base that is there.

    Returns
    -------
    tuple of str, str and Motif or None
        The letters, upper case; a name for people; and the matrix, where there is one.

    Raises
    ------
    InputError
        If it is none of these.
    """
    path = Path(name)
    if path.is_file() or len(path.parts) > 1:
        motif = read_meme(path)[0]
        return consensus(motif), motif.label, motif
    try:
        motif = find_motif(name)
    except InputError:
        letters = name.upper()
        if len(letters) >= 4 and set(letters) <= set(_LETTERS):
            return letters, letters, None
        raise InputError(
            f"motif {name!r} is neither a MEME file, nor in JASPAR CORE vertebrates, nor letters; "
            f"give MA0139.1, CTCF, a file, or 4 letters or more of A, C, G, T and N"
        ) from None
    return consensus(motif), motif.label, motif


def consensus(motif: Motif) -> str:
    """The base with the largest count at each position of a matrix."""
    return to_letters(motif.counts.argmax(axis=1).astype(np.uint8))


def other_strand(letters: str) -> str:
    """Letters read on the other strand."""
    return letters.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def shuffle_letters(letters: str, rng: np.random.Generator) -> str:
    """The same letters in another order: a motif that is none, of the same composition.

    Raises
    ------
    InputError
        If every order is the same.
    """
    if len(set(letters)) < 2:
        raise InputError(f"motif {letters!r} has one letter alone, so that no shuffle differs")
    while (shuffled := "".join(rng.permutation(list(letters)))) == letters:
        continue
    return shuffled


def substitute(codes: Codes, letters: str, start: int | None = None) -> Codes:
    """Windows with letters in place of their own.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    letters : str
        A, C, G, T; where N stands the window keeps its base.
    start : int, optional
        Position of the first letter; by default the letters stand in the middle.

    Returns
    -------
    numpy.ndarray
        ``uint8``, the same shape.

    Raises
    ------
    InputError
        If they do not fit into the window.
    """
    length = codes.shape[1]
    at = length // 2 - len(letters) // 2 if start is None else start
    if at < 0 or at + len(letters) > length:
        raise InputError(
            f"{len(letters)} letters from position {at} on do not fit into windows of {length} bp"
        )
    found = codes.copy()
    for i, letter in enumerate(letters, at):
        if letter != "N":
            found[:, i] = _LETTERS[letter]
    return found


def _logits(model: Classifier, codes: Codes) -> Floats:
    return predict_logits(model, codes, bf16=False)


def marginalize(
    model: Classifier, codes: Codes, letters: str, start: int | None = None
) -> tuple[Floats, Floats]:
    """Logits of windows as they are, and with a motif set in.

    Parameters
    ----------
    model : Classifier
        With one output.
    codes, letters, start
        As for :func:`substitute`.

    Returns
    -------
    tuple of numpy.ndarray
        Before and after, both ``float64``, shape ``(window,)``.
    """
    return _logits(model, codes), _logits(model, substitute(codes, letters, start))


def ablate(
    model: Classifier,
    codes: Codes,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    rng: np.random.Generator,
    n: int = 20,
    progress: Callable[[int], None] | None = None,
) -> tuple[Floats, Floats]:
    """Logits of windows as they are, and with a stretch of each shuffled.

    Parameters
    ----------
    model : Classifier
        With one output.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    starts, ends : numpy.ndarray
        ``int64``, shape ``(window,)``: the stretch of each window, half-open.
    rng : numpy.random.Generator
    n : int
        Shuffles of each window.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    tuple of numpy.ndarray
        Before, ``float64``, shape ``(window,)``, and after, ``(window, n)``.
    """
    before = _logits(model, codes)
    after = np.empty((len(codes), n))
    for i, (row, start, end) in enumerate(zip(codes, starts, ends, strict=True)):
        shuffled = np.repeat(row[None], n, axis=0)
        shuffled[:, start:end] = rng.permuted(shuffled[:, start:end], axis=1)
        after[i] = _logits(model, shuffled)
        if progress:
            progress(1)
    return before, after


@dataclass(frozen=True)
class Spacing:
    """Logits with two motifs at some distances.

    Attributes
    ----------
    distances : numpy.ndarray
        ``int64``, shape ``(distance,)``: base pairs between the end of the first motif and the
        beginning of the second.
    both, first, second : numpy.ndarray
        ``float64``, shape ``(window, distance)``: with both motifs, and with each alone at the
        place that it has there.
    none : numpy.ndarray
        ``float64``, shape ``(window,)``: with neither.
    """

    distances: NDArray[np.int64]
    both: Floats
    first: Floats
    second: Floats
    none: Floats

    @property
    def interaction(self) -> Floats:
        """What both do beyond the sum of what each does, ``(window, distance)``."""
        return self.both - self.first - self.second + self.none[:, None]


def space(
    model: Classifier,
    codes: Codes,
    first: str,
    second: str,
    distances: Sequence[int],
    progress: Callable[[int], None] | None = None,
) -> Spacing:
    """Logits with two motifs set into windows at every distance; the pair stands in the middle.

    Parameters
    ----------
    model : Classifier
        With one output.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    first, second : str
        Letters; the first stands on the left.
    distances : sequence of int
        Base pairs between them.
    progress : callable, optional
        Called with 1 for every distance.

    Raises
    ------
    InputError
        If a pair does not fit into the window.
    """
    shape = len(codes), len(distances)
    both, left, right = np.empty(shape), np.empty(shape), np.empty(shape)
    for j, distance in enumerate(distances):
        start = codes.shape[1] // 2 - (len(first) + distance + len(second)) // 2
        behind = start + len(first) + distance
        alone = substitute(codes, first, start)
        left[:, j] = _logits(model, alone)
        right[:, j] = _logits(model, substitute(codes, second, behind))
        both[:, j] = _logits(model, substitute(alone, second, behind))
        if progress:
            progress(1)
    return Spacing(np.array(distances, dtype=np.int64), both, left, right, _logits(model, codes))
