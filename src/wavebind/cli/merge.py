"""``wavebind merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="merge", epilog="Example: wavebind merge scores.bw")(merge)


def merge(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The --out of 'wavebind scan', 'wavebind variants' or 'wavebind dataset' run "
            "with --shard; its pieces lie in OUT.parts.",
        ),
    ],
) -> None:
    """Join the shares of work that was run with --shard."""
    from wavebind.cli.dataset import say_dataset
    from wavebind.cli.scan import say_scan
    from wavebind.cli.variants import say_variants
    from wavebind.datasets.writing import DatasetSummary
    from wavebind.scan.genome import ScanSummary
    from wavebind.scan.merge import merge_parts

    summary = merge_parts(out)
    if isinstance(summary, ScanSummary):
        say_scan(summary, out)
    elif isinstance(summary, DatasetSummary):
        say_dataset(summary, out)
    else:
        say_variants(summary, out)
