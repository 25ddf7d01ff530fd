"""The sequence of each allele in its surroundings, and the windows that see it.

A window's place is that of its first base, counted from the first base of the allele. Where a
variant changes the length, the bases after it move; the windows of an allele are those of its own
sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.genome.sequences import Codes, to_codes

__all__ = ["Edit", "allele_sequence", "window_offsets"]


@dataclass(frozen=True)
class Edit:
    """A change of the reference.

    Attributes
    ----------
    position : int
        First base that is replaced, 0-based.
    n_replaced : int
        Bases of the reference that go.
    sequence : str
        What comes in their place.
    """

    position: int
    n_replaced: int
    sequence: str

    @property
    def end(self) -> int:
        """The base after the last that is replaced."""
        return self.position + self.n_replaced


def allele_sequence(
    codes: Codes, origin: int, edit: Edit, flank: int, neighbours: Sequence[Edit] = ()
) -> Codes:
    """An allele with `flank` bases to either side.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(base,)``: the reference from base `origin` on, far enough to either side
        for the flanks, with what `neighbours` remove added.
    origin : int
    edit : Edit
        The allele; for the reference itself, one that replaces bases by themselves.
    flank : int
    neighbours : sequence of Edit
        Further changes on the same haplotype; those that overlap `edit`, or one another, are passed
        over.

    Returns
    -------
    numpy.ndarray
        ``uint8``, shape ``(2 * flank + len(edit.sequence),)``.
    """
    # Of changes that end at one base the insertion stands behind what is replaced.
    left = codes[: edit.position - origin]
    right = codes[edit.end - origin :]
    limit = edit.position
    before = [n for n in neighbours if n.end <= edit.position]
    for other in sorted(before, key=lambda n: (-n.end, -n.position)):
        if other.end <= limit and other.position >= origin:
            at = other.position - origin
            left = np.concatenate(
                [left[:at], to_codes(other.sequence), left[at + other.n_replaced :]]
            )
            limit = other.position
    moved, limit = edit.end, edit.end
    after = [n for n in neighbours if n.position >= edit.end and n.end > edit.position]
    for other in sorted(after, key=lambda n: (n.position, n.end)):
        at = other.position - moved
        if other.position >= limit and at + other.n_replaced <= len(right):
            right = np.concatenate(
                [right[:at], to_codes(other.sequence), right[at + other.n_replaced :]]
            )
            moved += other.n_replaced - len(other.sequence)
            limit = other.end
    middle = to_codes(edit.sequence)
    return np.concatenate([left[len(left) - flank :], middle, right[:flank]])


def window_offsets(n_allele: int, length: int, step: int) -> NDArray[np.int64]:
    """Where the windows that see an allele begin, relative to its first base.

    Parameters
    ----------
    n_allele : int
        Bases of the allele.
    length : int
        Of a window.
    step : int
        From one window to the next.

    Returns
    -------
    numpy.ndarray
        ``int64``, shape ``(window,)``, rising. They hold a base of the allele and lie a multiple
        of `step` from the window that has the allele in its middle. That one is among them.
    """
    centred = n_allele // 2 - length // 2
    lowest, highest = 1 - length, n_allele - 1
    below, above = (centred - lowest) // step, (highest - centred) // step
    return centred + step * np.arange(-below, above + 1, dtype=np.int64)
