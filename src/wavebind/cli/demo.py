"""``wavebind demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavebind.cli.audit import audit_dataset
from wavebind.cli.console import (
    Device,
    TerminalProgress,
    audit_table,
    metrics_table,
    note,
    progress_bar,
)
from wavebind.cli.dataset import summary_table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="demo", epilog="Example: wavebind demo --out wavebind-demo")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder for everything.")] = Path(
        "wavebind-demo"
    ),
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace an older demo.")] = False,
) -> None:
    """Do the main job on real data in the package: dataset, train, evaluate, explain, report.

    The data are CTCF ChIP-seq peaks of GM12878 cells and GC-matched windows of chromosome 22.
    """
    from wavebind.core.settings import from_dict
    from wavebind.datasets.dataset import open_dataset
    from wavebind.datasets.demo import demo_table
    from wavebind.datasets.tables import read_labelled_table
    from wavebind.datasets.writing import write_dataset
    from wavebind.evaluate.assess import assess
    from wavebind.explain.run import explain_run, explanation_size
    from wavebind.report.pictures import write_pictures
    from wavebind.report.run_page import write_report
    from wavebind.training.recipes import load_recipe
    from wavebind.training.train import Devices, TrainingConfig, train

    data_dir, run = out / "data", out / "run"
    with demo_table() as table:
        summary = write_dataset(
            read_labelled_table(table), data_dir, inputs=[table], overwrite=force
        )
    note(summary_table(summary))
    note(audit_table(audit_dataset(data_dir, "test", 0)))
    data = open_dataset(data_dir)
    recipe = load_recipe("small")
    with TerminalProgress() as on_event:
        train(
            data,
            run,
            recipe.model(data.length),
            from_dict(TrainingConfig, recipe.training, "small"),
            devices=Devices(device),
            overwrite=force,
            on_event=on_event,
        )
    with progress_bar("scoring windows", len(data.indices("test"))) as advance:
        metrics = assess(run, data, "test", device=device, progress=advance)
    # The mean over a part of the bound windows is enough to see, and keeps the demo short.
    n, n_mean = 6, 40
    with progress_bar(
        "explaining windows", explanation_size(data, "test", n, "ig", n_mean)
    ) as advance:
        explained, config = explain_run(
            run, data, n=n, n_mean=n_mean, device=device, progress=advance
        )
    with progress_bar("drawing", len(explained.names)) as advance:
        write_pictures(run, explained, config, advance)
    page = write_report(run, device=device)
    typer.echo(metrics_table(metrics))
    typer.echo(f"report: {page.resolve()}")
