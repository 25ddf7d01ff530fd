"""``wavebind dataset``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavebind.cli.console import Out, progress_bar

if TYPE_CHECKING:
    from wavebind.dataset import DatasetSummary

__all__ = ["register", "summary_table"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="dataset",
        epilog="Example: wavebind dataset windows.tsv.gz --out ctcf    or: wavebind dataset "
        "--positives bound.fa --negatives open.fa --test-chroms chr20 --valid-chroms chr18 "
        "--out ctcf",
    )(dataset)


def dataset(
    out: Out,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="Tab-separated tables, gzipped or not, with columns seq and label (1 bound, 0 "
            "unbound), and chrom, start, end, split where there are.",
        ),
    ] = None,
    positives: Annotated[
        Path | None, typer.Option(help="FASTA of bound windows, named chrom:start-end.")
    ] = None,
    negatives: Annotated[
        Path | None, typer.Option(help="FASTA of unbound windows, named chrom:start-end.")
    ] = None,
    test_chroms: Annotated[
        str | None,
        typer.Option(
            help="Chromosomes held out for the test, comma-separated. Overrides a split column."
        ),
    ] = None,
    valid_chroms: Annotated[
        str | None,
        typer.Option(help="Chromosomes held out for validation, comma-separated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an older dataset.")] = False,
) -> None:
    """Turn labelled windows into a dataset on disk: one byte a base, memory-mapped."""
    from wavebind.dataset import write_dataset
    from wavebind.splits import ChromosomeSplit
    from wavebind.tables import read_labelled_fasta, read_labelled_table

    tables = files or []
    fastas = positives is not None or negatives is not None
    if bool(tables) == fastas:
        raise typer.BadParameter("give either tables, or both --positives and --negatives")
    if fastas and (positives is None or negatives is None):
        raise typer.BadParameter("--positives and --negatives belong together; give both")
    if (test_chroms is None) != (valid_chroms is None):
        raise typer.BadParameter("--test-chroms and --valid-chroms belong together; give both")
    split = None
    if test_chroms is not None and valid_chroms is not None:
        split = ChromosomeSplit(_names(test_chroms), _names(valid_chroms))
    if positives is not None and negatives is not None:
        split = split or ChromosomeSplit()
        inputs = [positives, negatives]
        windows = chain(
            read_labelled_fasta(positives, 1, split), read_labelled_fasta(negatives, 0, split)
        )
    else:
        inputs = tables
        windows = chain.from_iterable(read_labelled_table(path, split) for path in tables)
    settings: dict[str, Any] = {
        "split": "by the split column"
        if split is None
        else {"test": list(split.test), "valid": list(split.valid)}
    }
    with progress_bar("reading windows", None) as advance:
        summary = write_dataset(
            windows, out, inputs=inputs, settings=settings, overwrite=force, progress=advance
        )
    typer.echo(summary_table(summary))
    typer.echo(f"written: {out}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def summary_table(summary: DatasetSummary) -> str:
    """Windows of each class and split, and what was dropped, as aligned text."""
    from wavebind.splits import PARTS

    lines = [f"{summary.n_windows:,} windows of {summary.length} bp"]
    lines.append(f"{'split':<8}{'bound':>10}{'unbound':>10}")
    lines += [
        f"{part:<8}{summary.counts[part, 1]:>10,}{summary.counts[part, 0]:>10,}" for part in PARTS
    ]
    lines += [f"dropped: {n:,} ({why})" for why, n in summary.dropped.items()] or ["dropped: none"]
    return "\n".join(lines)
