"""Tables of pandas as the files that the rest of the package reads, and windows as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.datasets.dataset import Dataset, open_dataset
from wavebind.datasets.given import given_windows
from wavebind.genome.genomes import open_genome
from wavebind.genome.sequences import Codes, to_codes
from wavebind.genome.tiles import read_codes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PathLike",
    "Windows",
    "opened_dataset",
    "read_windows",
    "regions_file",
    "table_file",
    "variants_file",
]

PathLike = str | Path


@dataclass(frozen=True)
class Windows:
    """Windows as a network reads them.

    Attributes
    ----------
    names : list of str
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    chrom : numpy.ndarray
        ``str``, shape ``(window,)``; empty where it is not known.
    start : numpy.ndarray
        ``int64``, shape ``(window,)``: the first base, 0-based; -1 where it is not known.
    """

    names: list[str]
    codes: Codes
    chrom: NDArray[np.str_]
    start: NDArray[np.int64]


def opened_dataset(data: PathLike | Dataset) -> Dataset:
    """A dataset, opened where its path is given."""
    return data if isinstance(data, Dataset) else open_dataset(Path(data))


def _columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(
            f"the table of {what} has no column {missing[0]!r}; it needs {', '.join(names)}, and "
            f"has {', '.join(map(str, frame.columns))}"
        )


def regions_file(regions: PathLike | pd.DataFrame, folder: Path, name: str) -> Path:
    """A BED or narrowPeak file.

    Parameters
    ----------
    regions : path, or pandas.DataFrame
        With columns ``chrom``, ``start`` and ``end``, 0-based, half-open. With a column ``summit``,
        in base pairs from the start, it becomes a narrowPeak, whose ``score`` and ``signal`` are
        taken where they are.
    folder : pathlib.Path
        Where a table is written to.
    name : str
        What the regions are, for the file and for messages.

    Raises
    ------
    InputError
        If a column is missing.
    """
    if isinstance(regions, str | Path):
        return Path(regions)
    _columns(regions, ("chrom", "start", "end"), name)
    table = regions[["chrom", "start", "end"]].copy()
    ending = "bed"
    if "summit" in regions.columns:
        n = len(regions)
        for column, default in (
            ("name", "."), ("score", 0), ("strand", "."), ("signal", 0.0), ("p", -1), ("q", -1),
        ):  # fmt: skip
            table[column] = regions[column] if column in regions.columns else [default] * n
        table["summit"] = regions["summit"]
        ending = "narrowPeak"
    path = folder / f"{name}.{ending}"
    table.to_csv(path, sep="\t", header=False, index=False)
    return path


def variants_file(
    variants: PathLike | pd.DataFrame,
    folder: Path,
    info: Mapping[str, Sequence[Any]] | None = None,
) -> Path:
    """A VCF.

    Parameters
    ----------
    variants : path, or pandas.DataFrame
        With columns ``chrom``, ``position`` (1-based, as in a VCF), ``ref`` and ``alt``, and ``id``
        where there is one.
    folder : pathlib.Path
        Where a table is written to.
    info : mapping, optional
        Values of each row by the key of INFO that they get.

    Raises
    ------
    InputError
        If a column is missing.
    """
    if isinstance(variants, str | Path):
        return Path(variants)
    _columns(variants, ("chrom", "position", "ref", "alt"), "variants")
    rows = zip(*(info or {}).values(), strict=True) if info else iter([()] * len(variants))
    entries = [";".join(f"{k}={v}" for k, v in zip(info or {}, row, strict=True)) for row in rows]
    path = folder / "variants.vcf"
    names = variants["id"] if "id" in variants.columns else ["."] * len(variants)
    with path.open("w", encoding="utf-8") as stream:
        stream.write("##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for row, name, entry in zip(variants.itertuples(), names, entries, strict=True):
            place = f"{row.chrom}\t{row.position}\t{name}\t{row.ref}\t{row.alt}"
            stream.write(f"{place}\t.\t.\t{entry or '.'}\n")
    return path


def table_file(
    windows: pd.DataFrame | Sequence[str],
    labels: Sequence[Any] | NDArray[Any] | None,
    split: Sequence[str] | NDArray[np.str_] | None,
    seed: int,
    folder: Path,
) -> Path:
    """A table of labelled windows, as ``wavebind dataset`` reads it.

    Parameters
    ----------
    windows : pandas.DataFrame, or sequence of str
        A table with a column ``seq`` and those of a labelled table; or sequences.
    labels : sequence, optional
        Of sequences: 1 or True bound, 0 or False unbound.
    split : sequence of str, optional
        Of sequences: ``train``, ``valid`` or ``test`` for each. By default a tenth of them, drawn
        with the seed, is valid, and another tenth test.
    seed : int
    folder : pathlib.Path
        Where the table is written to.

    Raises
    ------
    InputError
        If labels are missing, or there are not as many as sequences.
    """
    import pandas as pd

    if isinstance(windows, pd.DataFrame):
        _columns(windows, ("seq",), "windows")
        frame = windows
    else:
        sequences = list(windows)
        if labels is None:
            raise InputError("sequences need labels, 1 for bound and 0 for unbound; found none")
        frame = pd.DataFrame({"seq": sequences})
        given = {"label": labels, "split": _drawn(len(sequences), seed) if split is None else split}
        for name, values in given.items():
            if len(values) != len(sequences):
                raise InputError(
                    f"{name} must have an entry for each of {len(sequences):,} sequences; found "
                    f"{len(values):,}"
                )
            frame[name] = list(values)
    # What was compared with a threshold is True and False.
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("bool").columns, int))
    path = folder / "windows.tsv"
    frame.to_csv(path, sep="\t", index=False)
    return path


def _drawn(n: int, seed: int) -> NDArray[np.str_]:
    """A split of windows of which no chromosome is known."""
    parts = np.full(n, "train")
    order = np.random.default_rng(seed).permutation(n)
    each = max(1, n // 10)
    parts[order[:each]], parts[order[each : 2 * each]] = "valid", "test"
    return parts


def read_windows(
    windows: Any,
    length: int,
    *,
    genome: PathLike | None = None,
    split: str | None = None,
) -> Windows:
    """Windows of any kind as codes.

    Parameters
    ----------
    windows : sequence of str, pandas.DataFrame, Dataset or pathlib.Path
        Sequences; a dataset; or the path of a FASTA, BED or narrowPeak file. A table has a column
        ``seq`` (and may have ``name``, ``chrom`` and ``start``), or ``chrom``, ``start`` and
        ``end`` on a genome.
    length : int
        Window length of the model, in base pairs.
    genome : path, optional
        Where regions lie.
    split : {"train", "valid", "test"}, optional
        Of a dataset; all of its windows by default.

    Raises
    ------
    InputError
        If the windows are none of these, there are none, or one has another length.
    """
    import pandas as pd

    if isinstance(windows, Path):
        windows = given_windows(windows, length, None if genome is None else Path(genome))
    if isinstance(windows, Dataset):
        return _of_dataset(windows, length, split)
    if isinstance(windows, str):
        raise InputError("the windows are one sequence; give a list of them")
    if isinstance(windows, pd.DataFrame) and "seq" not in windows.columns:
        return _of_regions(windows, length, genome)
    if isinstance(windows, pd.DataFrame):
        frame = windows
        sequences = frame["seq"].astype(str).tolist()
        names = frame["name"].astype(str).tolist() if "name" in frame.columns else None
    else:
        sequences, names = [str(sequence) for sequence in windows], None
        frame = pd.DataFrame(index=range(len(sequences)))
    if not sequences:
        raise InputError("there is no window; give at least one sequence")
    for i, sequence in enumerate(sequences):
        if len(sequence) != length:
            raise InputError(
                f"sequence {i} has {len(sequence)} bp and the model was trained on windows of "
                f"{length} bp; cut windows of {length} bp around the places of interest"
            )
    codes = np.stack([to_codes(s, place=f"sequence {i}") for i, s in enumerate(sequences)])
    known = {"chrom", "start"} <= set(frame.columns)
    return Windows(
        names or [str(i) for i in range(len(sequences))],
        codes,
        frame["chrom"].to_numpy(dtype=str) if known else np.full(len(codes), ""),
        frame["start"].to_numpy(dtype=np.int64) if known else np.full(len(codes), -1),
    )


def _of_dataset(data: Dataset, length: int, split: str | None) -> Windows:
    if data.length != length:
        raise InputError(
            f"{data.path}: has windows of {data.length} bp and the model was trained on {length} "
            f"bp; make a dataset of that length"
        )
    rows = np.arange(len(data.codes)) if split is None else data.indices(split)
    return Windows(
        data.names(rows), np.asarray(data.codes[rows]), data.chrom[rows], data.start[rows]
    )


def _of_regions(frame: pd.DataFrame, length: int, genome: PathLike | None) -> Windows:
    _columns(frame, ("chrom", "start", "end"), "windows, which has no column 'seq',")
    if genome is None:
        raise InputError("regions need the genome that they lie on; name it with genome=")
    chrom = frame["chrom"].to_numpy(dtype=str)
    start, end = (frame[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    # Windows of the model's length around the middles.
    start = (start + end) // 2 - length // 2
    with open_genome(Path(genome)) as opened:
        unknown = sorted(set(chrom.tolist()) - set(opened.lengths))
        if unknown:
            raise InputError(
                f"{genome}: has no chromosome {unknown[0]!r}; it has "
                f"{', '.join(list(opened.lengths)[:5])}"
            )
        codes = np.stack(
            [read_codes(opened, c, s, s + length) for c, s in zip(chrom, start, strict=True)]
        )
    names = [f"{c}:{s}-{s + length}" for c, s in zip(chrom, start, strict=True)]
    return Windows(names, codes, chrom, start)
