"""Train, valid and test: by chromosome, never at random.

Neighbouring windows share sequence, so a random split would put almost the same window on both
sides of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wavebind.errors import InputError

__all__ = ["PARTS", "ChromosomeSplit", "check_parts"]

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
