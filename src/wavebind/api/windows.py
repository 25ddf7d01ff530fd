"""Datasets from windows that have their labels already: tables, FASTA files, or sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from wavebind.api.frames import regions_file, table_file
from wavebind.api.progress import advancing
from wavebind.api.settings import DatasetSettings
from wavebind.core.errors import UsageError
from wavebind.core.events import Message, OnEvent
from wavebind.datasets.splitfiles import SplitFile, draw_valid, read_split_files
from wavebind.datasets.splits import ChromosomeSplit
from wavebind.datasets.tables import read_labelled_fasta, read_labelled_table
from wavebind.datasets.targets import read_target
from wavebind.datasets.writing import write_dataset

__all__ = ["dataset_of_windows", "paths_of", "split_files", "tables_of"]


def dataset_of_windows(
    out: Path,
    tables: Sequence[str],
    target: str | None,
    settings: DatasetSettings,
    split: ChromosomeSplit | None,
    files: Sequence[SplitFile],
    seed: int,
    force: bool,
    on_event: OnEvent,
) -> None:
    """Write a dataset of windows that have their labels already.

    Parameters
    ----------
    out : pathlib.Path
    tables : sequence of str
        Tables that say the split themselves, or by chromosome; none where there are `files`.
    target : str or None
        A column of classes or numbers.
    settings : DatasetSettings
    split : ChromosomeSplit or None
    files : sequence of SplitFile
        Files of one part each; see :func:`split_files`.
    seed : int
        Decides which training windows are valid where there is no file of valid ones.
    force : bool
        Whether an older dataset is replaced.
    on_event : callable

    Raises
    ------
    UsageError
        If arguments do not go together.
    InputError
        If a file cannot be used.
    """
    positives, negatives = settings.positives, settings.negatives
    fastas = not files and (positives is not None or negatives is not None)
    if settings.task is not None and target is None:
        raise UsageError("the setting task needs a --target")
    if target is not None and (settings.labels or fastas or not (tables or files)):
        raise UsageError("--target is a column of tables, in place of the setting labels")
    if not files and bool(tables) == fastas:
        raise UsageError(
            "give tables, or the settings positives and negatives, or --peaks and a --genome"
        )
    if settings.labels and (fastas or len(settings.labels) < 2):
        raise UsageError("the setting labels names two columns or more of a table")
    inputs = [file.path for file in files] or [Path(table) for table in tables]
    parts = [file.part for file in files] or None
    wanted = None
    if target is not None:
        wanted = read_target(inputs, target, settings.task, split, parts)
    recorded: Any = "by the split column"
    if files:
        valid: frozenset[int] = frozenset()
        if not any(file.part == "valid" for file in files):
            valid = draw_valid(files, seed, settings.labels, wanted)
            on_event(
                Message(
                    f"no file of valid windows: {len(valid):,} training windows, a tenth of each "
                    f"class drawn with seed {seed}, are valid"
                )
            )
        rows = read_split_files(files, settings.labels, wanted, valid)
        recorded = {"files": {str(file.path): file.part for file in files}, "drawn": len(valid)}
    elif fastas:
        if positives is None or negatives is None:
            raise UsageError("the settings positives and negatives belong together; give both")
        split = split or ChromosomeSplit()
        inputs = [Path(positives), Path(negatives)]
        rows = chain(*(read_labelled_fasta(p, 1 - i, split) for i, p in enumerate(inputs)))
    else:
        rows = chain.from_iterable(
            read_labelled_table(path, split, settings.labels, wanted) for path in inputs
        )
    if split is not None:
        recorded = {"test": list(split.test), "valid": list(split.valid)}
    write_dataset(
        rows,
        out,
        inputs=inputs,
        outputs=settings.labels,
        target=wanted,
        settings={"split": recorded},
        keep_test=bool(files),
        overwrite=force,
        progress=advancing(on_event, "reading windows", None),
    )


def split_files(
    train: Any,
    given: Mapping[str, Sequence[str]],
    settings: DatasetSettings,
    by_chromosome: bool,
) -> list[SplitFile]:
    """The files of each part; none where the windows say their parts themselves.

    Parameters
    ----------
    train : path or paths, or None
        Tables or FASTA files of training windows.
    given : mapping
        Those of ``valid`` and ``test`` windows. FASTA files of one class are in the settings.
    settings : DatasetSettings
    by_chromosome : bool
        Whether a split by chromosome was asked for, too.

    Raises
    ------
    UsageError
        If there are files of one part and none of another that it needs.
    """
    pairs = {
        "train": (settings.positives, settings.negatives),
        "valid": (settings.valid_positives, settings.valid_negatives),
        "test": (settings.test_positives, settings.test_negatives),
    }
    if not any((given["valid"], given["test"], *pairs["valid"], *pairs["test"])):
        return []
    if by_chromosome:
        raise UsageError("files of valid or test windows are a split; leave out split.test")
    if not (train is None or _all_paths(train)):
        raise UsageError("where valid or test windows are files, training windows are files, too")
    paths = [train] if isinstance(train, str | Path) else list(train or ())
    files = {"train": paths, **given}
    found = []
    for part, classes in pairs.items():
        if (classes[0] is None) != (classes[1] is None):
            prefix = "" if part == "train" else f"{part}_"
            raise UsageError(
                f"the settings {prefix}positives and {prefix}negatives belong together; give both"
            )
        mine = [SplitFile(Path(path), part) for path in files[part]]
        mine += [SplitFile(Path(p), part, 1 - i) for i, p in enumerate(classes) if p is not None]
        if not mine and part == "train":
            raise UsageError("files of valid or test windows need some of training windows, too")
        if not mine and part == "test":
            raise UsageError("--valid needs a --test: files of a split are given for both")
        found += mine
    return found


def tables_of(
    windows: Any, labels: Any, split: Any, seed: int, folder: Path, on_event: OnEvent
) -> list[str]:
    """The labelled tables; one that is written here, of windows that were given in memory."""
    if windows is None:
        return []
    if _all_paths(windows):
        return paths_of(windows, folder, "windows")
    if split is None and labels is not None:
        on_event(
            Message(
                "the sequences have no chromosomes: a tenth of them, drawn at random, is valid and "
                "another tenth test"
            )
        )
    return [str(table_file(windows, labels, split, seed, folder))]


def _all_paths(*values: Any) -> bool:
    for value in values:
        one = value[0] if isinstance(value, list | tuple) and value else value
        is_file = isinstance(one, Path) or (isinstance(one, str) and Path(one).exists())
        if one is not None and not is_file and not (isinstance(one, str) and _is_name(one)):
            return False
    return True


def _is_name(text: str) -> bool:
    """Whether a text is the name of a file that is not there, and not a sequence."""
    return not set(text.upper()) <= set("ACGTN")


def paths_of(value: Any, folder: Path, name: str) -> list[str]:
    """Files by their paths; a table of pandas is written into `folder` as `name` first."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return [str(regions_file(value, folder, name))]
    values = [value] if isinstance(value, str | Path) else list(value or ())
    return [str(path) for path in values]
