"""The windows that were chosen, read from the genome as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.datasets.from_peaks.backgrounds import shortfall
from wavebind.datasets.from_peaks.settings import PeakDatasetConfig
from wavebind.datasets.splits import PARTS
from wavebind.datasets.tables import LabelledWindow
from wavebind.genome.composition import sequence_hash
from wavebind.genome.genomes import Genome
from wavebind.genome.sequences import letter_codes
from wavebind.genome.shuffling import dinucleotide_shuffle

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["PeakWindows"]

_BATCH = 4096
_SHUFFLE_TRIES = 20
COLUMNS = ("start", "end", "label", "part", "source", "score", "repeat")


@dataclass
class PeakWindows:
    """The windows of a dataset, chosen; their sequences are still to be read.

    Attributes
    ----------
    table : pandas.DataFrame
        ``chrom``, ``start``, ``end``, ``label``, ``part`` (index into ``PARTS``), ``score``,
        ``source``, ``repeat`` (soft-masked fraction), sorted along the genome.
    shuffled : dict
        For each part, how many shuffled windows are made.
    forbidden : pandas.DataFrame
        What no unbound window touches: peaks and bound windows with the gap around them, and
        excluded regions.
    notes : list of str
    dropped : dict
    """

    table: pd.DataFrame
    shuffled: dict[str, int]
    forbidden: pd.DataFrame
    notes: list[str]
    dropped: dict[str, int]
    genome: Genome
    config: PeakDatasetConfig

    def __len__(self) -> int:
        return len(self.table) + sum(self.shuffled.values())

    def read(self) -> Iterator[LabelledWindow]:
        """Read the sequences, a chromosome at a time; shuffled windows follow their chromosome.

        Yields
        ------
        LabelledWindow

        Raises
        ------
        InputError
            If a part has too few sequences that can be shuffled.
        """
        rng = np.random.default_rng([self.config.seed, 1])
        length = self.config.length
        shuffler = _Shuffler(self.table, self.shuffled, rng)
        chrom = self.table["chrom"].to_numpy()
        for name in dict.fromkeys(chrom):
            letters = self.genome.letters(name)
            views = np.lib.stride_tricks.sliding_window_view(letters, length)
            rows = np.flatnonzero(chrom == name)
            for at in range(0, len(rows), _BATCH):
                here = self.table.iloc[rows[at : at + _BATCH]]
                codes = letter_codes(views[here["start"].to_numpy()])
                columns = [here[c].tolist() for c in COLUMNS]
                for window, row in zip(codes, zip(*columns, strict=True), strict=True):
                    start, end, label, part, source, score, repeat = row
                    yield LabelledWindow(
                        codes=window,
                        label=label,
                        part=PARTS[part],
                        chrom=name,
                        start=start,
                        end=end,
                        place=f"{name}:{start}-{end}",
                        source=source,
                        score=score,
                        repeat=repeat,
                    )
                if self.shuffled:
                    yield from shuffler.of(here, codes)
        shuffler.check()


class _Shuffler:
    """Shuffled copies of the bound windows, as many in each part as were asked for.

    What one window cannot give, because it has no other arrangement, the following ones do.
    """

    def __init__(
        self, table: pd.DataFrame, wanted: dict[str, int], rng: np.random.Generator
    ) -> None:
        self._rng = rng
        self._wanted = wanted
        self._made = dict.fromkeys(wanted, 0)
        bound = table["label"].to_numpy() == 1
        parts = table["part"].to_numpy()
        self._n_bound = {p: int((bound & (parts == PARTS.index(p))).sum()) for p in wanted}
        self._done = dict.fromkeys(wanted, 0)
        # A shuffle must be no bound window, and no other shuffle.
        self._seen = set(table["key"].to_numpy().tolist())

    def of(self, rows: pd.DataFrame, codes: NDArray[np.uint8]) -> Iterator[LabelledWindow]:
        for part in self._wanted:
            mask = (rows["label"].to_numpy() == 1) & (rows["part"].to_numpy() == PARTS.index(part))
            if not mask.any():
                continue
            self._done[part] += int(mask.sum())
            # As many as are due by now, which makes good what earlier windows could not give.
            due = round(self._wanted[part] * self._done[part] / self._n_bound[part])
            origins = np.flatnonzero(mask)
            for _ in range(_SHUFFLE_TRIES):
                missing = due - self._made[part]
                if missing <= 0:
                    break
                whole = np.tile(self._rng.permutation(origins), -(-missing // len(origins)))
                picked = whole[:missing]
                shuffled = dinucleotide_shuffle(codes[picked], self._rng)
                for window, key, i in zip(
                    shuffled, sequence_hash(shuffled).tolist(), picked, strict=True
                ):
                    if key in self._seen:
                        continue
                    self._seen.add(key)
                    self._made[part] += 1
                    row = rows.iloc[i]
                    yield LabelledWindow(
                        codes=window,
                        label=0,
                        part=part,
                        chrom=str(row["chrom"]),
                        start=-1,
                        end=-1,
                        place=f"a shuffle of {row['chrom']}:{row['start']}-{row['end']}",
                        source="shuffle",
                    )

    def check(self) -> None:
        for part, wanted in self._wanted.items():
            if self._made[part] < wanted:
                raise shortfall(
                    "shuffle",
                    part,
                    wanted,
                    self._made[part],
                    " (the other arrangements of the bound windows are used up)",
                )
