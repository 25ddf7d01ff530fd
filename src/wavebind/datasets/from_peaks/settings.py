"""How a dataset is made from peaks."""

from __future__ import annotations

from dataclasses import dataclass, field

from wavebind.core.errors import InputError
from wavebind.datasets.from_peaks.backgrounds import BackgroundConfig
from wavebind.datasets.splits import BlockSplit, ChromosomeSplit

__all__ = ["PeakDatasetConfig"]

MAX_LENGTH = 1_000_000


@dataclass(frozen=True)
class PeakDatasetConfig:
    """How a dataset is made from peaks.

    Attributes
    ----------
    length : int
        Of every window, in base pairs.
    top : int or None
        Only so many bound windows, the strongest.
    centre : {"summit", "middle"}
        Where a narrowPeak's window is centred.
    chroms : tuple of str
        Only these chromosomes; all if empty.
    background : BackgroundConfig
    split : ChromosomeSplit or BlockSplit
    seed : int
    """

    length: int = 200
    top: int | None = None
    centre: str = "summit"
    chroms: tuple[str, ...] = ()
    background: BackgroundConfig = field(default_factory=BackgroundConfig)
    split: ChromosomeSplit | BlockSplit = field(default_factory=ChromosomeSplit)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 4 <= self.length <= MAX_LENGTH:
            raise InputError(f"length {self.length} bp is not between 4 and {MAX_LENGTH:,}")
        if self.top is not None and self.top < 1:
            raise InputError(f"top {self.top} is not a positive number of windows")
        if isinstance(self.split, BlockSplit) and self.length >= self.split.size:
            raise InputError(
                f"windows of {self.length:,} bp do not fit into blocks of {self.split.size:,} bp; "
                f"raise split.block_size"
            )
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative")
