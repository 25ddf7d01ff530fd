"""Bound windows from peak files: placed on the genome, centred, merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.genomes import Genome, match_chromosomes
from wavebind.genome.intervals import IntervalFile, overlapping, read_interval_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Placed",
    "bound_windows",
    "not_overlapping",
    "place_on_genome",
    "touching",
    "windows_around",
]

DROP_EDGE = "window leaves the chromosome"
DROP_EXCLUDED = "window overlaps an excluded region"
DROP_MERGED = "window overlaps that of a stronger summit"
DROP_CHROMOSOME = "peak on a chromosome that was not asked for"
DROP_BEYOND = "peak ends beyond its chromosome"
#: So many lines, or this share of them, may end beyond their chromosome before the build is
#: doubted: callers write such lines at the ends of chromosomes.
_FEW_BEYOND, _SHARE_BEYOND = 3, 0.01


@dataclass
class Placed:
    """Intervals of several files under the genome's chromosome names.

    Attributes
    ----------
    table : pandas.DataFrame
        ``chrom``, ``start``, ``end``, ``summit``, ``score``, ``source`` (the file's name without
        its endings).
    notes : list of str
        What a person should know: names of chromosomes that were matched.
    dropped : dict
        Number of intervals by the reason for which they were left out.
    """

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)


def place_on_genome(
    paths: Sequence[Path],
    genome: Genome,
    *,
    centre: str | None = "summit",
    chroms: Sequence[str] = (),
    strict: bool = True,
    length: int | None = None,
) -> Placed:
    """Read interval files and give their chromosomes the genome's names.

    Parameters
    ----------
    paths : sequence of pathlib.Path
        BED or narrowPeak.
    genome : Genome
    centre : {"summit", "middle", "any"}, optional
        See :func:`wavebind.genome.intervals.read_intervals`. None where the intervals are regions,
        whose summits are not asked for.
    chroms : sequence of str
        Only intervals on these chromosomes; all of them if empty.
    strict : bool
        Whether a chromosome that the genome lacks is an error; otherwise its intervals are
        counted and left out.
    length : int, optional
        Of the windows to come, in base pairs: a note says where the intervals are much wider and
        only their middles are known.

    Raises
    ------
    InputError
        If a file breaks a rule, a chromosome is not in the genome, or more than a few intervals
        end beyond their chromosome.
    """
    import pandas as pd

    wanted = set(match_chromosomes(chroms, genome).values()) if chroms else None
    if wanted is not None and None in wanted:
        lost = [c for c, name in match_chromosomes(chroms, genome).items() if name is None]
        raise InputError(f"{genome.path}: has no chromosome {', '.join(lost)}; {_has(genome)}")
    tables, notes = [], []
    dropped: dict[str, int] = {}
    for path in paths:
        found = read_interval_file(path, centre=centre or "middle")
        table = found.table
        if centre:
            notes += _reading_notes(path, found, length)
        names = match_chromosomes(table["chrom"].unique(), genome)
        renamed = {a: b for a, b in names.items() if b is not None and a != b}
        if renamed:
            a, b = next(iter(renamed.items()))
            notes.append(
                f"{path}: {len(renamed)} chromosome name{'s' * (len(renamed) > 1)} matched to "
                f"the genome's ({a} is {b} there)"
            )
        table["chrom"] = table["chrom"].map(names).astype(object)
        missing = table["chrom"].isna().to_numpy()
        if missing.any() and strict and wanted is None:
            row = table[missing].iloc[0]
            name = next(a for a, b in names.items() if b is None)
            raise InputError(
                f"{path} line {row['line']}: the genome {genome.path} has no chromosome {name!r} "
                f"({int(missing.sum()):,} of {len(table):,} lines are on such); {_has(genome)}. "
                f"Give the genome that the peaks were called on, or name the chromosomes to use "
                f"with --set chroms=..."
            )
        keep = ~missing
        if wanted is not None:
            keep &= table["chrom"].isin(wanted).to_numpy()
        if missing.any() and not strict:
            name = next(a for a, b in names.items() if b is None)
            notes.append(
                f"{path}: {int(missing.sum()):,} of {len(table):,} lines left out, on chromosomes "
                f"that the genome does not have ({name} is the first)"
            )
        if not keep.all() and strict:
            dropped[DROP_CHROMOSOME] = dropped.get(DROP_CHROMOSOME, 0) + int((~keep).sum())
        table = table[keep]
        lengths = table["chrom"].map(genome.lengths).to_numpy(dtype=np.int64)
        table, note = _without_beyond(path, table, lengths, genome)
        if note:
            notes.append(note)
            dropped[DROP_BEYOND] = dropped.get(DROP_BEYOND, 0) + len(lengths) - len(table)
        table = table.drop(columns="line")
        table["source"] = _stem(path)
        tables.append(table)
    return Placed(pd.concat(tables, ignore_index=True), notes, dropped)


def _reading_notes(path: Path, found: IntervalFile, length: int | None) -> list[str]:
    notes = [f"{path}: {found.words()}"]
    width = float((found.table["end"] - found.table["start"]).median())
    if length is not None and not found.called and width > 2 * length:
        notes.append(
            f"{path}: half of its intervals are {width:,.0f} bp or more, and windows have "
            f"{length} bp: a middle may be far from the site; give a file with summits if there "
            f"is one"
        )
    return notes


def _without_beyond(
    path: Path, table: pd.DataFrame, lengths: NDArray[Any], genome: Genome
) -> tuple[pd.DataFrame, str]:
    """Without the intervals that end beyond their chromosome, and what is to be said of these."""
    beyond = table["end"].to_numpy() > lengths
    n = int(beyond.sum())
    if not n:
        return table, ""
    row, length = table[beyond].iloc[0], lengths[beyond][0]
    where = (
        f"{path} line {row['line']}: {row['chrom']}:{row['start']}-{row['end']} ends beyond the "
        f"chromosome, which has {length:,} bp in {genome.path}"
    )
    if n > max(_FEW_BEYOND, _SHARE_BEYOND * len(table)) or 10 * n > len(table):
        raise InputError(
            f"{where} ({n:,} of {len(table):,} lines do); wrong genome build? Give the genome "
            f"that the peaks were called on"
        )
    return table[~beyond], f"{where}; left out, as {n:,} of {len(table):,} lines"


def _has(genome: Genome) -> str:
    names = list(genome.lengths)
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"it has {', '.join(names[:5])}{more}"


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".bed", ".narrowPeak", ".broadPeak"):
        name = name.removesuffix(ending)
    return name or path.name


def windows_around(table: pd.DataFrame, length: int, genome: Genome) -> tuple[pd.DataFrame, int]:
    """Windows of one length around the summits, and how many left their chromosome.

    Returns
    -------
    tuple of pandas.DataFrame and int
        The table with ``start`` and ``end`` of the windows.
    """
    start = table["summit"].to_numpy() - length // 2
    lengths = table["chrom"].map(genome.lengths).to_numpy(dtype=np.int64)
    inside = (start >= 0) & (start + length <= lengths)
    windows = table.assign(start=start, end=start + length)[inside]
    return windows.reset_index(drop=True), int((~inside).sum())


def not_overlapping(
    table: pd.DataFrame, priority: NDArray[np.float64] | None = None
) -> pd.DataFrame:
    """Of windows that overlap, the one with the highest priority; the earlier one on a tie.

    Windows are taken from the highest priority down, each unless it overlaps one that was taken.

    Parameters
    ----------
    table : pandas.DataFrame
        ``chrom``, ``start``, ``end``.
    priority : numpy.ndarray, optional
        Shape ``(window,)``; by default the score, NaN last.

    Returns
    -------
    pandas.DataFrame
        Those that are left, sorted by chromosome and start.
    """
    import bioframe

    if not len(table):
        return table
    rank = table["score"].to_numpy() if priority is None else priority
    rank = np.where(np.isnan(rank), -np.inf, rank)
    order = table.reset_index(drop=True).assign(_rank=rank)
    order = bioframe.sort_bedframe(order).reset_index(drop=True)
    cluster = bioframe.cluster(order, min_dist=None)["cluster"].to_numpy()
    # Clusters follow the order of the windows, so each is one stretch of rows.
    edges = np.flatnonzero(np.diff(cluster)) + 1
    keep = np.ones(len(order), dtype=bool)
    starts, ends, ranks = (order[c].to_numpy() for c in ("start", "end", "_rank"))
    for a, b in zip(np.r_[0, edges], np.r_[edges, len(order)], strict=True):
        if b - a == 1:
            continue
        taken: list[int] = []
        for i in sorted(range(a, b), key=lambda i: (-ranks[i], i)):
            if all(starts[i] >= ends[j] or starts[j] >= ends[i] for j in taken):
                taken.append(i)
            else:
                keep[i] = False
    left: pd.DataFrame = order[keep].drop(columns="_rank").reset_index(drop=True)
    return left


def bound_windows(
    peaks: Placed, length: int, genome: Genome, exclude: pd.DataFrame | None = None
) -> Placed:
    """Windows around the summits of peaks, one for each group that overlaps.

    Parameters
    ----------
    peaks : Placed
    length : int
        Of a window, in base pairs.
    genome : Genome
    exclude : pandas.DataFrame, optional
        Regions that no window may touch, as :func:`wavebind.genome.intervals.merged` gives them.

    Raises
    ------
    InputError
        If no window is left.
    """
    dropped = dict(peaks.dropped)
    table, n_edge = windows_around(peaks.table, length, genome)
    if n_edge:
        dropped[DROP_EDGE] = n_edge
    if exclude is not None and len(exclude):
        bad = touching(table, exclude)
        if bad.any():
            dropped[DROP_EXCLUDED] = int(bad.sum())
        table = table[~bad].reset_index(drop=True)
    single = not_overlapping(table)
    if len(single) < len(table):
        dropped[DROP_MERGED] = len(table) - len(single)
    if not len(single):
        found = "; ".join(f"{n:,} {why}" for why, n in dropped.items())
        raise InputError(f"no bound window is left of {len(peaks.table):,} peaks ({found})")
    return Placed(single, list(peaks.notes), dropped)


def touching(table: pd.DataFrame, regions: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows share a base with any of the regions, shape ``(row,)``."""
    found = np.zeros(len(table), dtype=bool)
    chrom, start, end = (table[c].to_numpy() for c in ("chrom", "start", "end"))
    for name in dict.fromkeys(chrom):
        here = chrom == name
        found[here] = overlapping(name, start[here], end[here], regions)
    return found
