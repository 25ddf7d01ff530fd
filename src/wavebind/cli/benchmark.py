"""``wavebind benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavebind.cli.compare import (
    Epochs,
    Reference,
    Seeds,
    Split,
    TrainBound,
    names_of_models,
    numbers_of,
)
from wavebind.cli.console import Device, TerminalProgress, note, progress_bar

if TYPE_CHECKING:
    from wavebind.datasets.dataset import Dataset
    from wavebind.evaluate.benchmark import Benchmark

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="benchmark",
        epilog="Example: wavebind benchmark ctcf jund foxa1 --models jaspar,gkm-all,cnn,scalenet "
        "--out bench",
    )(benchmark)


def benchmark(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Datasets, or labelled tables with a split column. A dataset with several labels "
            "counts as one for each.",
        ),
    ],
    models: Annotated[
        str,
        typer.Option(help="Comma-separated, as in 'wavebind compare'."),
    ] = "jaspar,gkm-all,cnn,scalenet",
    out: Annotated[
        Path, typer.Option("--out", help="A folder; a benchmark begun there is continued.")
    ] = Path("benchmark"),
    seeds: Seeds = "0",
    epochs: Epochs = None,
    train_bound: TrainBound = None,
    reference: Reference = "",
    cross: Annotated[
        bool,
        typer.Option(
            "--cross", help="Score every model on the test windows of every other dataset, too."
        ),
    ] = False,
    split: Split = "test",
    device: Device = "auto",
) -> None:
    """Run many datasets by many models: a table, ranks, costs, and tests across datasets.

    Leaves one line a run (runs.parquet), a page (benchmark.html), and a comparison for each
    dataset. What is finished is not done again.
    """
    from wavebind.evaluate.baselines import parse_model
    from wavebind.evaluate.benchmark import BenchmarkConfig, benchmark_datasets
    from wavebind.evaluate.benchmark import benchmark as run
    from wavebind.report.benchmark_page import write_benchmark_page

    config = BenchmarkConfig(
        models=tuple(parse_model(name, epochs) for name in names_of_models(models)),
        seeds=tuple(numbers_of(seeds)),
        part=split,
        cross=cross,
        device=device,
        reference=reference,
        train_bound=train_bound,
    )
    datasets = []
    for path in data:
        datasets += benchmark_datasets(_name(path), _opened(path, out))
    with TerminalProgress() as on_event:
        found = run(datasets, out, config, on_event)
    page = write_benchmark_page(out, found, config, title=f"{len(datasets)} datasets")
    typer.echo(_table(found, [spec.label for spec in config.models]))
    typer.echo(f"written: {page}")


def _name(path: Path) -> str:
    return path.resolve().name.removesuffix(".gz").removesuffix(".tsv")


def _opened(path: Path, out: Path) -> Dataset:
    """A dataset, made of a table first where it is one."""
    from wavebind.core.files import sha256
    from wavebind.datasets.dataset import open_dataset
    from wavebind.datasets.tables import read_labelled_table
    from wavebind.datasets.writing import write_dataset

    if not path.is_file():
        return open_dataset(path)
    folder = out / "data" / _name(path)
    if folder.exists():
        made = open_dataset(folder)
        if [entry["sha256"] for entry in made.description["inputs"]] == [sha256(path)]:
            return made
    folder.parent.mkdir(parents=True, exist_ok=True)
    with progress_bar(f"reading {path.name}", None) as advance:
        summary = write_dataset(
            read_labelled_table(path), folder, inputs=[path], overwrite=True, progress=advance
        )
    for reason, n in summary.dropped.items():
        note(f"{path.name}: {n:,} windows dropped: {reason}")
    return open_dataset(folder)


def _table(found: Benchmark, models: list[str]) -> str:
    """AUROC of models by datasets as aligned text."""
    first = max(len("mean rank"), *(len(name) for name in found.names)) + 2
    width = max(22, *(len(model) + 2 for model in models))
    lines = [f"{'dataset':<{first}}" + "".join(f"{m:<{width}}" for m in models) + "shortcut"]
    for name, one in found.comparisons.items():
        cells = []
        for model in models:
            e = one.results[model].metrics["auroc"]
            cells.append(f"{f'{e.value:.4f} {e.low:.4f}-{e.high:.4f}':<{width}}")
        lines.append(f"{name:<{first}}{''.join(cells)}{one.audit['best_shortcut']['value']:.4f}")
    ranks = dict(zip(found.ranking.models, found.ranking.ranks, strict=True))
    lines.append(
        f"{'mean rank':<{first}}" + "".join(f"{f'{ranks[m]:.2f}':<{width}}" for m in models)
    )
    for model, matrix in found.cross.items():
        lines.append(f"{model}: AUROC, trained on (rows), tested on (columns)")
        lines.append(f"{'':<{first}}" + "".join(f"{name[:12]:<14}" for name in found.names))
        lines += [
            f"{a:<{first}}" + "".join(f"{f'{matrix[a, b].value:.4f}':<14}" for b in found.names)
            for a in found.names
        ]
    return "\n".join(lines)
