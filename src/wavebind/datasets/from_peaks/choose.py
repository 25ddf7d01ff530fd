"""From peaks and a genome to labelled windows.

The genome is gone through twice, a chromosome at a time. The first pass counts what the candidates
are made of, the second writes those that were chosen. Only numbers are kept in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.shards import Arrays
from wavebind.datasets.from_peaks.backgrounds import (
    KINDS,
    Tiling,
    accessible_candidates,
    choose,
    flank_candidates,
    flanks_each_side,
    genome_tiling,
    n_tilings,
    needed,
)
from wavebind.datasets.from_peaks.candidates import (
    FIELDS,
    ChromosomeCandidates,
    CountTask,
    count_letters,
)
from wavebind.datasets.from_peaks.settings import PeakDatasetConfig
from wavebind.datasets.from_peaks.windows import COLUMNS, PeakWindows
from wavebind.datasets.splits import PARTS, BlockSplit
from wavebind.datasets.writing import DROP_DUPLICATE, DROP_UNKNOWN
from wavebind.genome.genomes import Genome
from wavebind.genome.intervals import merged
from wavebind.genome.peaks import bound_windows, place_on_genome, touching
from wavebind.genome.sequences import MAX_UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Count", "Stages", "choose_windows", "silent"]

DROP_TOP = "weaker than the strongest that were asked for"
DROP_GAP = "window in the gap between two blocks"

#: Opens a progress bar: its name and total in, a context that gives the function to advance it.
Stages = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
#: Has the chunks of a task done, and says so of each; gives their results in order.
Count = Callable[
    [CountTask, list[ChromosomeCandidates], Callable[[ChromosomeCandidates], None]],
    Iterable[Arrays],
]


def silent(name: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """No progress bar."""
    del name, total
    return nullcontext(lambda _: None)


def _count_here(genome: Genome) -> Count:
    def count(
        task: CountTask,
        chunks: list[ChromosomeCandidates],
        done: Callable[[ChromosomeCandidates], None],
    ) -> Iterator[Arrays]:
        for chunk in chunks:
            yield count_letters(task, chunk, genome)
            done(chunk)

    return count


def choose_windows(
    genome: Genome,
    peaks: Sequence[Path],
    config: PeakDatasetConfig,
    *,
    accessible: Sequence[Path] = (),
    exclude: Sequence[Path] = (),
    stages: Stages = silent,
    count: Count | None = None,
) -> PeakWindows:
    """Choose bound and unbound windows.

    Parameters
    ----------
    genome : Genome
        Open, and open for as long as the windows are read.
    peaks : sequence of pathlib.Path
        BED or narrowPeak; several are merged.
    config : PeakDatasetConfig
    accessible, exclude : sequence of pathlib.Path
        BED files of open chromatin, and of regions that no window may touch.
    stages : callable, optional
        Opens a progress bar.
    count : callable, optional
        Has the candidates of each chromosome counted; by default here, one after another.

    Returns
    -------
    PeakWindows

    Raises
    ------
    InputError
        If a file breaks a rule, a part has no bound window, or there are too few candidates of
        any kind of background.
    """
    background = config.background
    if "accessible" in background.kinds and not accessible:
        raise InputError(
            "the background of accessible windows needs regions of open chromatin; name a BED "
            "file with --accessible"
        )
    if accessible and "accessible" not in background.kinds:
        raise InputError(
            "accessible regions were given and the background is "
            f"{', '.join(background.kinds)}; add --background accessible"
        )
    import pandas as pd

    rng = np.random.default_rng([config.seed, 0])
    placed = place_on_genome(
        peaks, genome, centre=config.centre, chroms=config.chroms, length=config.length
    )
    notes = list(placed.notes)
    excluded = None
    if exclude:
        regions = place_on_genome(exclude, genome, centre=None, strict=False)
        notes += regions.notes
        excluded = merged([regions.table])
    bound = bound_windows(placed, config.length, genome, excluded)
    near = merged([placed.table, bound.table], pad=background.gap)
    forbidden = near if excluded is None else merged([near, excluded])
    chroms = list(dict.fromkeys(bound.table["chrom"]))
    candidates = _place_candidates(config, genome, accessible, chroms, near, forbidden, notes)
    sources = {"bound": bound.table, **candidates}
    chunks = _chunks(genome, chroms, sources, forbidden, config, rng)
    task = CountTask(str(genome.path.absolute()), genome.checksum, config.length, config.split)
    total = sum(genome.lengths[c] for c in chroms)
    with stages("counting bases of candidates", total) as advance:

        def counted_bases(chunk: ChromosomeCandidates) -> None:
            advance(genome.lengths[chunk.chrom])

        done = (count or _count_here(genome))(task, chunks, counted_bases)
        counted = _tables(chroms, sources, done, config)
    dropped = bound.dropped
    positives = _keep_bound(counted.pop("bound"), config, dropped, notes)
    _require_parts(positives, config)
    chosen = [positives.assign(label=1), *_unbound(positives, counted, config, rng, notes)]
    shuffled: dict[str, int] = {}
    if "shuffle" in background.kinds and background.ratio is not None:
        counts = positives["part"].to_numpy()
        shuffled = {
            part: needed(background.ratio, int((counts == i).sum())) for i, part in enumerate(PARTS)
        }
    columns = ["chrom", *COLUMNS, "key"]
    table = pd.concat([c[columns] for c in chosen], ignore_index=True)
    place = table["chrom"].map({c: i for i, c in enumerate(chroms)}).to_numpy()
    table = table.iloc[np.lexsort((table["start"].to_numpy(), place))].reset_index(drop=True)
    return PeakWindows(table, shuffled, forbidden, notes, dropped, genome, config)


def _unbound(
    positives: pd.DataFrame,
    counted: dict[str, pd.DataFrame],
    config: PeakDatasetConfig,
    rng: np.random.Generator,
    notes: list[str],
) -> list[pd.DataFrame]:
    """The unbound windows of each kind and part; none is bound, or near one of another kind."""
    import pandas as pd

    keys, chosen = [positives["key"]], list[pd.DataFrame]()
    for kind, pool in counted.items():
        pool = pool[~pool["key"].isin(pd.concat(keys))]
        pool = pool[~pool["key"].duplicated()]
        if chosen:
            pool = pool[~touching(pool, merged(chosen))]
        for i, part in enumerate(PARTS):
            here = pool[pool["part"].to_numpy() == i].reset_index(drop=True)
            mine = positives[positives["part"].to_numpy() == i]
            rows = choose(kind, part, here, mine, config.background, rng, notes)
            chosen.append(here.iloc[rows].assign(label=0, score=np.nan, source=kind))
            keys.append(chosen[-1]["key"])
    return chosen


def _place_candidates(
    config: PeakDatasetConfig,
    genome: Genome,
    accessible: Sequence[Path],
    chroms: Sequence[str],
    near: pd.DataFrame,
    forbidden: pd.DataFrame,
    notes: list[str],
) -> dict[str, pd.DataFrame]:
    """Candidates whose places are known before the genome is read."""
    background = config.background
    found = {}
    if "accessible" in background.kinds:
        regions = place_on_genome(accessible, genome, centre=None, strict=False)
        notes += regions.notes
        found["accessible"] = accessible_candidates(regions.table, config.length, genome)
    if "flank" in background.kinds:
        found["flank"] = flank_candidates(near, config.length, flanks_each_side(background), genome)
    for kind, table in found.items():
        table = table[table["chrom"].isin(chroms)]
        found[kind] = table[~touching(table, forbidden)].reset_index(drop=True)
    return found


def _chunks(
    genome: Genome,
    chroms: Sequence[str],
    sources: dict[str, pd.DataFrame],
    forbidden: pd.DataFrame,
    config: PeakDatasetConfig,
    rng: np.random.Generator,
) -> list[ChromosomeCandidates]:
    """The candidates of each chromosome; those that tile the genome are placed by the worker."""
    chunks = []
    tilings = n_tilings(sum(genome.lengths[c] for c in chroms), config.length)
    for chrom in chroms:
        starts: dict[str, NDArray[np.int64] | Tiling] = {}
        for kind, table in sources.items():
            here = table["chrom"].to_numpy() == chrom
            starts[kind] = table["start"].to_numpy()[here].astype(np.int64)
        if "gc" in config.background.kinds:
            starts["gc"] = genome_tiling(
                chrom, genome.lengths[chrom], config.length, tilings, forbidden, rng
            )
        chunks.append(ChromosomeCandidates(chrom, starts))
    return chunks


def _tables(
    chroms: Sequence[str],
    sources: dict[str, pd.DataFrame],
    counted: Iterable[Arrays],
    config: PeakDatasetConfig,
) -> dict[str, pd.DataFrame]:
    """Candidates with what they are made of.

    Returns
    -------
    dict of pandas.DataFrame
        By kind, ``bound`` first: the columns of the candidates and ``part``, ``unknown`` (bases),
        ``gc`` and ``repeat`` (fractions) and ``key`` (:func:`sequence_hash`).
    """
    import pandas as pd

    kinds = ["bound", *(k for k in KINDS if k in config.background.kinds and k != "shuffle")]
    found: dict[str, list[pd.DataFrame]] = {kind: [] for kind in kinds}
    for index, (chrom, arrays) in enumerate(zip(chroms, counted, strict=True)):
        for kind in kinds:
            values = {name: arrays[f"{kind}.{name}"] for name in FIELDS}
            row, start = values.pop("row"), values.pop("start")
            if kind in sources:
                table = sources[kind]
                table = table[table["chrom"].to_numpy() == chrom].iloc[row]
            else:
                table = pd.DataFrame({"start": start})
            # A number and not a name: there may be millions of rows.
            names = pd.Categorical.from_codes(
                np.full(len(table), index), categories=pd.Index(chroms)
            )
            found[kind].append(table.assign(chrom=names, **values))
    joined = {kind: pd.concat(tables, ignore_index=True) for kind, tables in found.items()}
    return {
        kind: table.assign(chrom=table["chrom"].astype(object), end=table["start"] + config.length)
        for kind, table in joined.items()
    }


def _keep_bound(
    table: pd.DataFrame, config: PeakDatasetConfig, dropped: dict[str, int], notes: list[str]
) -> pd.DataFrame:
    """Bound windows without those that break a rule; what is left out is counted in `dropped`."""

    def keep(mask: NDArray[np.bool_], why: str) -> None:
        nonlocal table
        if not mask.all():
            dropped[why] = dropped.get(why, 0) + int((~mask).sum())
        table = table[mask]

    keep(table["unknown"].to_numpy() <= MAX_UNKNOWN * config.length, DROP_UNKNOWN)
    # The strongest of several with one sequence stays.
    table = table.sort_values("score", ascending=False, kind="stable", na_position="last")
    keep(~table["key"].duplicated().to_numpy(), DROP_DUPLICATE)
    keep(table["part"].to_numpy() >= 0, DROP_GAP)
    if config.top is not None:
        if table["score"].isna().any():
            raise InputError(
                "--set top=N needs the strength of every peak: column 7 of narrowPeak, column 5 of "
                f"BED; {int(table['score'].isna().sum()):,} of {len(table):,} have none"
            )
        strongest, note = _strongest(table["score"].to_numpy(), config.top, config.seed)
        notes += [note] if note else []
        keep(strongest, DROP_TOP)
    return table.reset_index(drop=True)


def _strongest(score: NDArray[np.float64], n: int, seed: int) -> tuple[NDArray[np.bool_], str]:
    """Which rows are the `n` of the highest score, and what is to be said of equal ones.

    Of rows that have the score at the cut, those that stay are drawn: the first ones of a file
    would be those of one chromosome.
    """
    if n >= len(score):
        return np.ones(len(score), dtype=bool), ""
    cut = np.sort(score)[::-1][n - 1]
    kept = score > cut
    ties = np.flatnonzero(score == cut)
    wanted = n - int(kept.sum())
    if wanted == len(ties):
        kept[ties] = True
        return kept, ""
    drawn = np.random.default_rng([seed, 3]).choice(ties, wanted, replace=False)
    kept[drawn] = True
    note = (
        f"top {n}: {len(ties):,} windows have the strength at the cut, {cut:g}; {wanted:,} of "
        f"them were drawn with seed {seed}"
    )
    return kept, note


def _require_parts(positives: pd.DataFrame, config: PeakDatasetConfig) -> None:
    """Refuse a split that leaves a part without a bound window."""
    counts = np.bincount(positives["part"].to_numpy(), minlength=len(PARTS))
    if counts.all():
        return
    found = ", ".join(f"{part} {n:,}" for part, n in zip(PARTS, counts, strict=True))
    chroms = list(dict.fromkeys(positives["chrom"]))
    if isinstance(config.split, BlockSplit):
        remedy = (
            "lower split.block_size, so that every part has blocks with peaks, or name chromosomes "
            "with --set split.test=... and split.valid=..."
        )
    else:
        test, valid = (", ".join(names) for names in (config.split.test, config.split.valid))
        remedy = (
            f"the split holds out {test} for the test and {valid} for validation; name chromosomes "
            f"that have peaks with --set split.test=... and split.valid=..., or, where there are "
            f"too few, use --set split.blocks=true"
        )
    raise InputError(
        f"a part has no bound window (found: {found}, on {', '.join(chroms[:8])}"
        f"{' and more' if len(chroms) > 8 else ''}); {remedy}"
    )
