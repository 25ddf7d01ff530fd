"""``wavebind audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wavebind.cli.console import audit_table, progress_bar

__all__ = ["audit_dataset", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="audit", epilog="Example: wavebind audit ctcf")(audit)


def audit_dataset(path: Path, split: str, seed: int) -> dict[str, Any]:
    """Audit a dataset and write ``audit.json`` into it."""
    import numpy as np

    from wavebind.core.jsonfiles import write_json
    from wavebind.datasets.audit import WORDS, to_plain
    from wavebind.datasets.audit import audit as look
    from wavebind.datasets.dataset import open_dataset

    with progress_bar("auditing", len(WORDS) + 1) as advance:
        found = to_plain(look(open_dataset(path), split, np.random.default_rng(seed), advance))
    write_json(path / "audit.json", found)
    return found


def audit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    seed: Annotated[int, typer.Option(min=0, help="Of the intervals' resamples.")] = 0,
) -> None:
    """Say what a model could cheat with: length, composition, place, and duplicates across splits.

    Writes audit.json into the dataset.
    """
    typer.echo(audit_table(audit_dataset(data, split, seed)))
    typer.echo(f"written: {data / 'audit.json'}")
