"""``wavebind compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavebind.cli.console import Device, TerminalProgress

if TYPE_CHECKING:
    from wavebind.evaluate.compare import Comparison

__all__ = [
    "Epochs",
    "Reference",
    "Seeds",
    "Split",
    "TrainBound",
    "names_of_models",
    "numbers_of",
    "register",
]


Seeds = Annotated[
    str,
    typer.Option(help="Comma-separated; models that depend on one are trained with each."),
]
Epochs = Annotated[
    int | None, typer.Option(help="Of every network, instead of its recipe's: one budget.")
]
Split = Annotated[str, typer.Option(help="test, or valid while you are still choosing.")]
TrainBound = Annotated[
    int | None,
    typer.Option(
        help="Train on so many bound windows, unbound ones in proportion, drawn anew for each "
        "seed: a point of a learning curve. (default: all)"
    ),
]
Reference = Annotated[
    str,
    typer.Option(help="The model that others are compared with. (default: the best on valid)"),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="compare",
        epilog="Example: wavebind compare ctcf --models jaspar:CTCF,gkm-all,cnn,scalenet --out cmp",
    )(compare)


def compare(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'."),
    ] = None,
    models: Annotated[
        str,
        typer.Option(
            help="Comma-separated: names of --list, of recipes or of networks, or paths of recipes "
            "(.toml). 'default' stands for all of --list but the published recipe, 'all' for all."
        ),
    ] = "default",
    out: Annotated[
        Path, typer.Option("--out", help="A folder; a comparison begun there is continued.")
    ] = Path("comparison"),
    seeds: Seeds = "0",
    epochs: Epochs = None,
    train_bound: TrainBound = None,
    reference: Reference = "",
    output: Annotated[
        str | None,
        typer.Option(help="Of a dataset with several labels, the one to compare models on."),
    ] = None,
    split: Split = "test",
    listed: Annotated[bool, typer.Option("--list", help="Say which models there are.")] = False,
    device: Device = "auto",
) -> None:
    """Train several models on the same windows and compare them, with paired intervals.

    Leaves a table (comparison.tsv, .json), a page (comparison.html), and every window with every
    model's probability (windows.parquet).
    """
    from wavebind.evaluate.baselines import MODELS, parse_model

    if listed:
        for name, about in MODELS.items():
            typer.echo(f"{name:<14}{about}")
        return
    if data is None:
        raise typer.BadParameter("name a dataset, or pass --list")
    from wavebind.datasets.dataset import open_dataset
    from wavebind.evaluate.compare import ComparisonConfig
    from wavebind.evaluate.compare import compare as run
    from wavebind.report.comparison_page import write_comparison_page

    config = ComparisonConfig(
        models=tuple(parse_model(name, epochs) for name in names_of_models(models)),
        seeds=tuple(numbers_of(seeds)),
        part=split,
        device=device,
        reference=reference,
        train_bound=train_bound,
    )
    opened = open_dataset(data)
    if output is not None:
        opened = opened.only(output)
    with TerminalProgress() as on_event:
        found = run(opened, out, config, on_event)
    page = write_comparison_page(
        out, found, title=f"Models on {data.name}", chosen_reference=bool(reference)
    )
    typer.echo(_table(found))
    typer.echo(f"written: {page}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def names_of_models(text: str) -> list[str]:
    """The models of ``--models``, its two short words written out."""
    from wavebind.evaluate.baselines import DEFAULT_MODELS, MODELS

    names: list[str] = []
    for name in _words(text):
        names += {"default": list(DEFAULT_MODELS), "all": list(MODELS)}.get(name, [name])
    return names


def numbers_of(text: str) -> list[int]:
    """The numbers of ``--seeds``."""
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise typer.BadParameter(
            f"--seeds are whole numbers, comma-separated; found {text!r}"
        ) from None


def _table(found: Comparison) -> str:
    """Models by metrics as aligned text."""
    width = max(len("shortcut"), *(len(entry.label) for entry in found.entries)) + 2
    lines = [
        f"{'model':<{width}}{'AUROC':>6}  95 % interval  {'AUPRC':>6}  95 % interval  {'MCC':>6}"
        f"  {'ECE':>5}  {'floor':>5}  {'seconds':>8}  reference minus model, AUROC"
    ]
    for entry in found.entries:
        result = found.results[entry.label]
        cells = [f"{entry.label:<{width}}"]
        for metric in ("auroc", "auprc"):
            e = result.metrics[metric]
            cells.append(f"{e.value:.4f}  {e.low:.4f}-{e.high:.4f}  ")
        gap = result.behind["auroc"]
        behind = (
            "the reference"
            if entry.label == found.reference
            else f"{gap.value:+.4f}  ({gap.low:+.4f} to {gap.high:+.4f})"
        )
        cells.append(
            f"{result.metrics['mcc'].value:.4f}  {result.metrics['calibration_error'].value:.3f}"
            f"  {result.floor.value:.3f}  {entry.seconds:>8,.0f}  {behind}"
        )
        lines.append("".join(cells))
    best = found.audit["best_shortcut"]
    lines.append(
        f"{'shortcut':<{width}}{best['value']:.4f}  {best['low']:.4f}-{best['high']:.4f}  "
        f"({best['name']} alone)"
    )
    part, seeds = found.settings["part"], found.settings["seeds"]
    lines.append(
        f"{len(found.labels):,} windows of the {part} split, {int((found.labels == 1).sum()):,} "
        f"bound; seeds {', '.join(map(str, seeds))}; thresholds and calibration from valid"
    )
    lines.append(
        "ECE: expected calibration error; floor: what it would be if the probabilities were right"
    )
    return "\n".join(lines)
