"""``wavebind train``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavebind.cli.console import Device, Out, note, progress_bar

if TYPE_CHECKING:
    from wavebind.training import EpochReport, TrainingMonitor

__all__ = ["register", "training_monitor"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="train", epilog="Example: wavebind train ctcf --out run --epochs 10 --seed 1")(
        train
    )


def train(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
    ],
    out: Out,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Representation, network and training: a name of 'wavebind recipes', or a TOML "
            "file. Other options override it. (default: default)"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The network, instead of that of the recipe.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Largest number of epochs (default: 10).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides every random choice (default: 0).")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows a step (default: 128).")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest of the schedule (default: 0.002).")
    ] = None,
    unbound_ratio: Annotated[
        float | None,
        typer.Option(
            help="Unbound windows an epoch for each bound one, drawn anew each epoch "
            "(default: 3.0)."
        ),
    ] = None,
    max_shift: Annotated[
        int | None,
        typer.Option(help="Largest random shift of a training window, in bp (default: 4)."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after this many epochs without progress on valid (default: 4)."),
    ] = None,
    shuffle_labels: Annotated[
        bool,
        typer.Option(
            "--shuffle-labels",
            help="A control: permute the labels of the training windows and keep the last epoch. "
            "The test AUROC of such a run must be 0.5.",
        ),
    ] = False,
    device: Device = "auto",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run with the settings it has."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an older run.")] = False,
) -> None:
    """Train a network; the best epoch on the validation split is kept."""
    given = {
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "unbound_ratio": unbound_ratio,
        "max_shift": max_shift,
        "patience": patience,
        "shuffle_labels": shuffle_labels or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if resume:
        others = {"recipe": recipe, "model": model, "force": force}
        extra = [*given, *(name for name, value in others.items() if value)]
        if extra:
            names = ", ".join("--" + name.replace("_", "-") for name in extra)
            raise typer.BadParameter(
                f"--resume continues with the settings of the run; leave out {names}"
            )

    from wavebind.dataset import open_dataset
    from wavebind.recipebook import load_recipe
    from wavebind.settings import from_dict
    from wavebind.training import TrainingConfig, finished_card
    from wavebind.training import train as fit

    opened = open_dataset(data)
    card = finished_card(out) if resume else None
    if card is not None:
        note(f"{out}: training has ended already; nothing to resume")
    else:
        chosen = load_recipe(recipe or "default")
        if model is not None and model != chosen.backbone:
            chosen = replace(chosen, backbone=model, options={})
        configuration = from_dict(TrainingConfig, {**chosen.training, **given}, "the settings")
        with training_monitor() as monitor:
            card = fit(
                opened,
                out,
                chosen.model(opened.length),
                configuration,
                device=device,
                resume=resume,
                overwrite=force,
                monitor=monitor,
            )
    typer.echo(
        f"kept epoch {card.epoch}: valid AUROC {card.valid['auroc']:.4f}, AUPRC "
        f"{card.valid['auprc']:.4f}; threshold {card.threshold:.4f}"
    )
    typer.echo(f"written: {out}")


class _Monitor:
    """One progress bar over all steps, and a line on stderr after every epoch."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._advance: Any = None

    def start(self, n_weights: int, first_epoch: int, epochs: int, steps: int) -> None:
        note(f"training {n_weights:,} weights, epochs {first_epoch} to {epochs} of {steps:,} steps")
        total = steps * (epochs - first_epoch + 1)
        self._advance = self._stack.enter_context(progress_bar("training", total))

    def step(self) -> None:
        self._advance(1)

    def epoch(self, report: EpochReport) -> None:
        note(
            f"epoch {report.epoch}: loss {report.loss:.4f}, valid AUROC {report.valid_auroc:.4f}, "
            f"AUPRC {report.valid_auprc:.4f} ({report.seconds:.0f} s)"
        )


@contextlib.contextmanager
def training_monitor() -> Iterator[TrainingMonitor]:
    """A monitor that writes to the terminal."""
    with contextlib.ExitStack() as stack:
        yield _Monitor(stack)
