"""``wavebind train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from wavebind.cli.console import Device, Out, TerminalProgress, note

if TYPE_CHECKING:
    from wavebind.datasets.targets import Task

__all__ = ["register"]


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
    task: Annotated[
        str | None,
        typer.Option(
            help="binary, multilabel, multiclass or regression: what the outputs are. (default: "
            "what the dataset was made for; numbers can be told by their median with binary, "
            "classes one by one with multilabel)"
        ),
    ] = None,
    front: Annotated[
        str | None,
        typer.Option(
            help="What stands before the network, instead of what it reads by itself: wavelets "
            "or signal (no transform)."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Largest number of epochs (default: 20).")
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
    weights: Annotated[
        str | None,
        typer.Option(
            help="What to begin with: none (random), imagenet, auto (imagenet if it can be had), "
            "or a file: safetensors, PyTorch's, or a model of wavebind. (default: none)"
        ),
    ] = None,
    trained: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="Stages of the network that are trained, comma-separated, the head always: all, "
            "head, layer4, ... (default: all)",
        ),
    ] = None,
    cache: Annotated[
        bool | None,
        typer.Option(
            "--cache/--no-cache",
            help="Compute frozen first stages once and keep their output on disk (default), "
            "where windows are not augmented.",
        ),
    ] = None,
    strand: Annotated[
        bool | None,
        typer.Option("--strand/--no-strand", help="Train on either strand at random (default)."),
    ] = None,
    mutation: Annotated[
        float | None,
        typer.Option(help="Probability of a base of a training window to mutate (default: 0)."),
    ] = None,
    crossfit: Annotated[
        int | None,
        typer.Option(
            help="Share the chromosomes of train and valid out to so many folds, train a network "
            "for each that holds it out, and keep their mean: more accurate, and its probabilities "
            "hang on no single chromosome. (default: 0, one network)"
        ),
    ] = None,
    class_weights: Annotated[
        bool | None,
        typer.Option(
            "--class-weights/--no-class-weights",
            help="Weigh bound windows so that both classes count alike (default: not).",
        ),
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(help="Batches whose gradients make one step (default: 1)."),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(help="Logs of every step in RUN: csv, tensorboard, or both, comma-separated."),
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
    devices: Annotated[int, typer.Option(help="GPUs, or processes on a CPU, of each node.")] = 1,
    nodes: Annotated[
        int,
        typer.Option(help="Nodes; start the command on each with torchrun or srun."),
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted run with the settings it has."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an older run.")] = False,
) -> None:
    """Train a network; the best epoch on the validation split is kept.

    A dataset with several labels trains one network with an output for each.
    """
    given = {
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "unbound_ratio": unbound_ratio,
        "max_shift": max_shift,
        "patience": patience,
        "weights": weights,
        "train": None if trained is None else _names(trained),
        "cache": cache,
        "strand": strand,
        "mutation": mutation,
        "crossfit": crossfit,
        "class_weights": class_weights,
        "accumulate": accumulate,
        "log": None if log is None else _names(log),
        "shuffle_labels": shuffle_labels or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if resume:
        others = {
            "recipe": recipe,
            "model": model,
            "task": task,
            "front": front,
            "force": force,
        }
        extra = [*given, *(name for name, value in others.items() if value)]
        if extra:
            names = ", ".join("--" + name.replace("_", "-") for name in extra)
            raise typer.BadParameter(
                f"--resume continues with the settings of the run; leave out {names}"
            )

    from wavebind.core.settings import from_dict
    from wavebind.datasets.dataset import open_dataset
    from wavebind.models.rundir import RunDir
    from wavebind.training.crossfit import crossfit as fit_folds
    from wavebind.training.recipes import load_recipe
    from wavebind.training.runjson import stored_configuration
    from wavebind.training.train import Devices, TrainingConfig, finished_card
    from wavebind.training.train import train as fit

    opened = open_dataset(data)
    card = finished_card(out) if resume else None
    if card is not None:
        note(f"{out}: training has ended already; nothing to resume")
    else:
        if resume:
            network, configuration = stored_configuration(RunDir(out), opened)
        else:
            chosen = load_recipe(recipe or "default")
            if model is not None:
                chosen = chosen.with_backbone(model)
            if front is not None:
                chosen = chosen.with_front(front)
            configuration = from_dict(TrainingConfig, {**chosen.training, **given}, "the settings")
            network = chosen.model_for(opened, _task(task))
        with TerminalProgress() as on_event:
            card = (fit_folds if configuration.crossfit else fit)(
                opened,
                out,
                network,
                configuration,
                devices=Devices(device, devices, nodes),
                resume=resume,
                overwrite=force,
                on_event=on_event,
            )
        if card is None:
            # One of several processes: the first one says how it went.
            return
    shown = {
        "pearson": "Pearson",
        "spearman": "Spearman",
        "auroc": "AUROC",
        "auprc": "AUPRC",
        "accuracy": "accuracy",
        "macro_f1": "macro F1",
    }
    words = ", ".join(f"{shown[k]} {card.valid[k]:.4f}" for k in shown if k in card.valid)
    kept = f"kept epoch {card.epoch}: valid"
    if card.n_folds:
        kept = f"mean of {card.n_folds} networks; each by itself, on what it held out:"
    typer.echo(f"{kept} {words}; threshold {card.threshold:.4f}")
    typer.echo(f"written: {out}")


def _task(name: str | None) -> Task | None:
    from wavebind.datasets.targets import TASKS

    if name is not None and name not in TASKS:
        raise typer.BadParameter(f"--task is one of {', '.join(TASKS)}; found {name!r}")
    return cast("Task | None", name)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
