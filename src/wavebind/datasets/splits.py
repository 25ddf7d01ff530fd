"""Train, valid and test: by chromosome, never at random.

Neighbouring windows share sequence, so a random split would put almost the same window on both
sides of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError

__all__ = ["PARTS", "BlockSplit", "ChromosomeSplit", "check_parts"]

#: The parts in the order in which they are reported and coded (0, 1, 2).
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class ChromosomeSplit:
    """Which chromosomes are held out.

    Attributes
    ----------
    test, valid : tuple of str
        Chromosome names; all others are for training. ``22`` and ``chr22`` are the same.
    """

    test: tuple[str, ...] = ("chr2",)
    valid: tuple[str, ...] = ("chr8", "chr20")

    def __post_init__(self) -> None:
        for name, chroms in (("test", self.test), ("valid", self.valid)):
            if not chroms:
                raise InputError(f"no {name} chromosome is given; name at least one")
        both = {_bare(c) for c in self.test} & {_bare(c) for c in self.valid}
        if both:
            raise InputError(
                f"chromosome {', '.join(sorted(both))} is named for test and for valid; a "
                f"chromosome belongs to one part only"
            )

    def part(self, chrom: str) -> str:
        """The part that the windows of a chromosome belong to."""
        bare = _bare(chrom)
        if bare in {_bare(c) for c in self.test}:
            return "test"
        if bare in {_bare(c) for c in self.valid}:
            return "valid"
        return "train"

    def parts(
        self, chrom: str, start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.int8]:
        """The part of each window of a chromosome, as an index into :data:`PARTS`.

        Returns
        -------
        numpy.ndarray
            ``int8``, shape ``(window,)``.
        """
        del end
        return np.full(len(start), PARTS.index(self.part(chrom)), dtype=np.int8)


#: Of every five blocks three are for training, one for validation and one for the test.
_PATTERN = ("train", "train", "valid", "train", "test")


@dataclass(frozen=True)
class BlockSplit:
    """Contiguous blocks of a chromosome, with a gap between those of different parts.

    Blocks are counted from the start of each chromosome and belong, in turn, to train, train,
    valid, train and test. For genomes of too few chromosomes to hold any of them out.

    Attributes
    ----------
    size : int
        Of a block, in base pairs.
    gap : int
        Base pairs between two blocks of different parts in which no window lies.
    """

    size: int = 1_000_000
    gap: int = 10_000

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"block size {self.size} bp is not positive")
        if not 0 <= self.gap < self.size:
            raise InputError(
                f"block gap {self.gap:,} bp does not fit into blocks of {self.size:,} bp; choose "
                f"a smaller gap or larger blocks"
            )

    def parts(
        self, chrom: str, start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.int8]:
        """The part of each window, as an index into :data:`PARTS`; -1 within a gap.

        Parameters
        ----------
        chrom : str
            Makes no difference: blocks lie alike on every chromosome.
        start, end : numpy.ndarray
            0-based, half-open, shape ``(window,)``.

        Returns
        -------
        numpy.ndarray
            ``int8``, shape ``(window,)``.
        """
        del chrom
        pattern = np.array([PARTS.index(name) for name in _PATTERN], dtype=np.int8)
        margin = (self.gap + 1) // 2
        block = (start // self.size).astype(np.int64)
        found = pattern[block % len(pattern)]
        before = pattern[((start - margin) // self.size) % len(pattern)]
        after = pattern[((end - 1 + margin) // self.size) % len(pattern)]
        # The first block has none before it.
        before = np.where(start < margin, found, before)
        return np.where((before == found) & (after == found), found, np.int8(-1))


def _bare(chrom: str) -> str:
    return chrom[3:] if chrom.lower().startswith("chr") else chrom


def check_parts(counts: Mapping[tuple[str, int], int], name: str, remedy: str) -> None:
    """Refuse a labelled set in which a class or a part is missing.

    Parameters
    ----------
    counts : mapping
        Number of windows by part and label.
    name : str
        What the message calls the set.
    remedy : str
        What the message advises where a part lacks a class.

    Raises
    ------
    InputError
        If a class has no window at all, or none in one of the three parts.
    """
    words = {0: "unbound (label 0)", 1: "bound (label 1)"}
    for label, word in words.items():
        if not sum(counts.get((part, label), 0) for part in PARTS):
            raise InputError(
                f"{name}: there is no {word} window; training needs windows of both classes"
            )
    for part in PARTS:
        for label, word in words.items():
            if not counts.get((part, label), 0):
                found = ", ".join(
                    f"{p} {counts.get((p, 1), 0):,} bound and {counts.get((p, 0), 0):,} unbound"
                    for p in PARTS
                )
                raise InputError(
                    f"{name}: the {part} split has no {word} window (found: {found}); {remedy}"
                )
