"""What all commands share: messages on stderr, progress, options."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Device", "Out", "metrics_table", "note", "progress_bar"]

Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps.", show_default=True),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]


def note(text: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, off when that is not a terminal.

    Yields
    ------
    callable
        Takes the amount done since the last call.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(description, total=total)
        yield lambda n: progress.advance(task, n)


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """The metrics of ``metrics.json`` as aligned text, the best shortcut beside them."""
    from wavebind.evaluation import METRICS

    lines = [f"{'metric':<12}{'value':>8}   95 % interval"]
    for name in METRICS:
        m = metrics[name]
        lines.append(f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}")
    best = metrics["best_shortcut"]
    lines.append(
        f"{'shortcut':<12}{best['value']:>8.4f}   {best['low']:.4f} - {best['high']:.4f}   "
        f"(AUROC of {best['name']} alone)"
    )
    lines.append(
        f"{metrics['n_windows']:,} windows of the {metrics['split']} split, "
        f"{metrics['n_bound']:,} bound; threshold {metrics['threshold']:.4f} (chosen on valid); "
        f"seed {metrics['seed']}"
    )
    return "\n".join(lines)
