"""What all commands share: messages on stderr, progress, options."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wavebind.core.events import Event
    from wavebind.core.shards import Shard
    from wavebind.core.workers import WorkerPool

__all__ = [
    "Advance",
    "Dask",
    "Device",
    "Out",
    "Output",
    "ShardOption",
    "TerminalProgress",
    "Workers",
    "audit_table",
    "metrics_table",
    "note",
    "progress_bar",
    "share_done",
    "sharing",
]

Device = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps.", show_default=True),
]
Output = Annotated[
    str | None,
    typer.Option(help="Of a model of several outputs, the one to look at. (default: the first)"),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes on this machine. (default: one a processor core)"),
]
Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on the Dask cluster whose scheduler is there, as tcp://10.0.0.1:8786.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do share I of N only, for job arrays; join them with 'wavebind merge'.",
    ),
]


def sharing(
    workers: int | None, dask: str | None, shard: str | None
) -> tuple[Shard | None, WorkerPool]:
    """The share of the work that was asked for, and who does it."""
    from wavebind.core.shards import Shard
    from wavebind.core.workers import WorkerPool

    return None if shard is None else Shard.parse(shard), WorkerPool(workers=workers, dask=dask)


def share_done(shard: str | None, out: Path) -> None:
    """Say what follows when one share of the work is done."""
    from wavebind.core.shards import chunks_folder

    note(
        f"share {shard} done: {chunks_folder(out)}; when all are, join them with "
        f"'wavebind merge {out}'"
    )


class Advance:
    """Moves a progress bar."""

    def __init__(self, advance: Callable[[float], None], total: Callable[[int], None]) -> None:
        self._advance = advance
        #: Says how much there is to do, where that is known only later.
        self.total = total

    def __call__(self, n: int) -> None:
        """So much was done since the last call."""
        self._advance(n)


def note(text: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Advance]:
    """A progress bar on stderr, off when that is not a terminal.

    Yields
    ------
    Advance
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
        yield Advance(lambda n: progress.advance(task, n), lambda n: progress.update(task, total=n))


class TerminalProgress:
    """Shows events in a terminal: lines, and one progress bar at a time; a context manager."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._advance: Advance | None = None

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, event: Event) -> None:
        """Take an event; see :mod:`wavebind.core.events`."""
        from wavebind.core.events import Advanced, StageStarted

        if isinstance(event, StageStarted):
            self._stack.close()
            self._advance = self._stack.enter_context(progress_bar(event.name, event.total))
        elif isinstance(event, Advanced):
            if self._advance:
                self._advance(event.n)
        elif event.words:
            note(event.words)


def audit_table(found: Mapping[str, Any]) -> str:
    """The audit as aligned text: each shortcut's AUROC, and the verdict."""
    from wavebind.datasets.audit import WORDS

    width = max(len(words) for words in WORDS.values()) + 2
    lines = [
        f"audit of the {found['split']} split, {found['n_windows']:,} windows, "
        f"{found['n_bound']:,} bound",
        f"{'shortcut':<{width}}{'AUROC':>7}   95 % interval     windows",
    ]
    for name, words in WORDS.items():
        if name in found["shortcuts"]:
            s = found["shortcuts"][name]
            interval = f"{s['low']:.4f} - {s['high']:.4f}"
            lines.append(f"{words:<{width}}{s['value']:>7.4f}   {interval}   {s['n_windows']:>7,}")
        else:
            lines.append(f"{words:<{width}}{'-':>7}   not measured: {found['skipped'][name]}")
    return "\n".join([*lines, *(f"* {line}" for line in found["verdict"])])


def _task_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Metrics of classes or of numbers, beside those of composition alone."""
    found = metrics["classes"] or metrics["numbers"]
    if not found:
        return []
    lines = [f"{'metric':<12}{'value':>8}   95 % interval      composition alone"]
    for name in found["composition"]:
        m, other = found[name], found["composition"][name]
        lines.append(
            f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}   "
            f"{other['value']:.4f} ({other['low']:.4f} - {other['high']:.4f})"
        )
    if metrics["classes"]:
        names = found["names"]
        lines.append("true \\ called  " + "".join(f"{name[:11]:>12}" for name in names))
        lines += [
            f"{name[:13]:<15}" + "".join(f"{n:>12,}" for n in row)
            for name, row in zip(names, found["confusion"], strict=True)
        ]
    else:
        lines.append("windows at or above the training median against the others:")
    return lines


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """The metrics of ``metrics.json`` as aligned text, the best shortcut beside them."""
    from wavebind.metrics.binary import METRICS

    lines = _task_lines(metrics)
    for name, m in metrics["outputs"].items():
        lines.append(
            f"{name:<24} AUROC {m['auroc']['value']:.4f} ({m['auroc']['low']:.4f} - "
            f"{m['auroc']['high']:.4f})   AUPRC {m['auprc']['value']:.4f}   best shortcut "
            f"{m['best_shortcut']['value']:.4f}   {m['n_windows']:,} windows, "
            f"{m['n_bound']:,} bound"
        )
    if metrics["outputs"]:
        lines.append(f"{metrics['output']}:")
    lines.append(f"{'metric':<12}{'value':>8}   95 % interval")
    for name in METRICS:
        m = metrics[name]
        lines.append(f"{name:<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}")
    m = metrics["calibration_error"]
    if m is not None:
        lines.append(f"{'calibration':<12}{m['value']:>8.4f}   {m['low']:.4f} - {m['high']:.4f}")
    floor = metrics.get("calibration_floor")
    if floor is not None:
        lines.append(
            f"{'floor':<12}{floor['value']:>8.4f}   {floor['low']:.4f} - {floor['high']:.4f}   "
            f"(calibration of probabilities that are right, on as many windows)"
        )
    best = metrics["best_shortcut"]
    lines.append(
        f"{'shortcut':<12}{best['value']:>8.4f}   {best['low']:.4f} - {best['high']:.4f}   "
        f"(AUROC of {best['name']} alone)"
    )
    for kind, found in metrics["auroc_by_background"].items():
        lines.append(
            f"{'auroc':<12}{found['value']:>8.4f}   {found['low']:.4f} - {found['high']:.4f}   "
            f"(against {kind} windows alone)"
        )
    chosen = "what each network held out" if metrics.get("n_folds") else "valid"
    lines.append(
        f"{metrics['n_windows']:,} windows of the {metrics['split']} split, "
        f"{metrics['n_bound']:,} bound; threshold {metrics['threshold']:.4f} (chosen on {chosen}); "
        f"seed {metrics['seed']}"
    )
    return "\n".join(lines)
