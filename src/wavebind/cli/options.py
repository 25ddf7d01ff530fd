"""Options that commands share, each declared once, and what becomes of old spellings."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wavebind.core.settings import Setting

__all__ = [
    "MOVED",
    "DataArgument",
    "Device",
    "Force",
    "Format",
    "HiddenThreads",
    "Length",
    "Out",
    "RunArgument",
    "Set",
    "ShardOption",
    "ShowSettings",
    "Split",
    "Target",
    "Threads",
    "Workers",
    "names",
]

RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="Run of 'wavebind train', or factors, the model in the package."
    ),
]
DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A dataset, made with 'wavebind dataset'.")
]
Device = Annotated[
    str,
    typer.Option(help="Device to compute on: auto, cpu, cuda, cuda:N or mps.", show_default=True),
]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier call wrote.")]


def _use_threads(context: typer.Context, threads: int | None) -> int | None:
    """Have this command, and the processes that it starts, compute with so many threads."""
    if threads is not None and not context.resilient_parsing:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        if "torch" in sys.modules:
            import torch

            torch.set_num_threads(threads)
    return threads


_THREADS = typer.Option(
    "--threads",
    min=1,
    callback=_use_threads,
    help="Threads to compute with; a run repeats to the last digit with the same number only. "
    "(default: one a processor core)",
)
Threads = Annotated[int | None, _THREADS]
#: Where a command has more to show.
HiddenThreads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, callback=_use_threads, hidden=True, help="Threads to compute with."
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Output of a model with several outputs, as CTCF:K562; or a factor, as CTCF: the mean "
        "over its cells. (default: the only one)",
    ),
]
#: Not shown: few have such a model, and 'wavebind models --help' speaks of it.
Format = Annotated[
    str,
    typer.Option(
        "--format", help="Kind of picture: png, or svg and pdf, which stay sharp at any size."
    ),
]
Length = Annotated[
    int | None,
    typer.Option(
        "--length",
        hidden=True,
        min=16,
        help="Window length in base pairs, of a model of LS-GKM. (default: that of most of its "
        "support vectors)",
    ),
]
Split = Annotated[str, typer.Option(help="Split of the dataset: train, valid or test.")]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes on this machine. (default: one a processor core)"),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do share I of N only, for job arrays; 'wavebind merge' joins the shares.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change any other setting; --settings lists them. Give it as often as needed.",
    ),
]


def _settings_of(command: str, recipe: str | None) -> Iterator[Setting]:
    """The settings that ``--set`` of a command reaches."""
    from wavebind.api import settings as api
    from wavebind.core.settings import describe

    if command == "train":
        return api.describe_training(api.train_settings(recipe or "default"))
    if command == "scalogram":
        from wavebind.api.scalogram import scalogram_settings

        return describe(scalogram_settings(recipe))
    if command == "tune":
        from wavebind.tune.search import TuneConfig

        return describe(TuneConfig())
    kinds: dict[str, type[Any]] = {
        "dataset": api.DatasetSettings,
        "explain": api.ExplainSettings,
        "scan": api.ScanSettings,
        "variants": api.VariantSettings,
    }
    return describe(kinds[command]())


def _plain(meaning: str) -> str:
    """A meaning without the marks of a docstring."""
    found = re.sub(r":\w+:`~?([\w.]+)`", lambda match: match[1].rpartition(".")[2], meaning)
    return found.replace("`", "")


def _show(context: typer.Context, wanted: bool) -> None:
    if not wanted:
        return
    for setting in _settings_of(context.info_name or "", context.params.get("recipe")):
        default = setting.default
        if isinstance(default, tuple | list):
            default = ",".join(map(str, default))
        text = str(default).lower() if isinstance(default, bool) else str(default)
        name = f"{setting.name}={'none' if text in ('None', '') else text}"
        typer.echo(f"{name:<36} {_plain(setting.meaning)}")
    raise typer.Exit


ShowSettings = Annotated[
    bool,
    typer.Option(
        "--settings",
        is_eager=True,
        callback=_show,
        help="List every setting with its default and meaning, and stop.",
    ),
]

_WORK = {"--dask": "--set dask=ADDRESS"}
#: Spellings of version 0.1, by command, and those of now.
MOVED: dict[str, dict[str, str]] = {
    "dataset": {
        "--task": "--set task=VALUE",
        "--labels": "--set labels=A,B",
        "--positives": "--set positives=FILE",
        "--negatives": "--set negatives=FILE",
        "--top": "--set top=VALUE",
        "--split-blocks": "--set split.blocks=true",
        "--length": "--set length=VALUE",
        "--centre": "--set centre=VALUE",
        "--chroms": "--set chroms=A,B",
        "--exclude": "--set exclude=FILE",
        "--ratio": "--set background.ratio=VALUE",
        "--gap": "--set background.gap=VALUE",
        "--match-gc": "--set background.match_gc=true",
        "--gc-tolerance": "--set background.gc_tolerance=VALUE",
        "--test-chroms": "--set split.test=A,B",
        "--valid-chroms": "--set split.valid=A,B",
        "--block-size": "--set split.block_size=VALUE",
        "--block-gap": "--set split.block_gap=VALUE",
        "--workers": "--set workers=VALUE",
        "--shard": "--set shard=I/N",
        **_WORK,
    },
    "train": {
        "--task": "--set task=VALUE",
        "--front": "--set front=VALUE",
        "--batch-size": "--set training.batch_size=VALUE",
        "--learning-rate": "--set training.learning_rate=VALUE",
        "--unbound-ratio": "--set training.unbound_ratio=VALUE",
        "--max-shift": "--set training.max_shift=VALUE",
        "--patience": "--set training.patience=VALUE",
        "--weights": "--set training.weights=VALUE",
        "--train": "--set training.train=A,B",
        "--cache": "--set training.cache=true",
        "--no-cache": "--set training.cache=false",
        "--strand": "--set training.strand=true",
        "--no-strand": "--set training.strand=false",
        "--mutation": "--set training.mutation=VALUE",
        "--class-weights": "--set training.class_weights=true",
        "--no-class-weights": "--set training.class_weights=false",
        "--accumulate": "--set training.accumulate=VALUE",
        "--log": "--set training.log=csv,tensorboard",
        "--crossfit": "--set training.crossfit=FOLDS",
        "--shuffle-labels": "--set training.shuffle_labels=true",
        "--devices": "--set devices.count=VALUE",
        "--nodes": "--set devices.nodes=VALUE",
        **dict.fromkeys(
            ("--smoothing", "--teacher", "--teacher-weight", "--tutors"),
            "gone: it gained nothing; leave it out",
        ),
    },
    "evaluate": {"--output": "--target NAME"},
    "explain": {
        "--output": "--target NAME",
        "--seed": "--set seed=VALUE",
        "--select": "--set select=top",
        "--film": "--set film=true",
        "--stages": "--set stages=A,B",
        "--n-mean": "--set n_mean=VALUE",
        "--motif": "--set motif=NAME",
        "--control": "--set control=RUN",
        "--signal": "--set signal=FILE",
        "--split": "--set split=VALUE",
    },
    "motifs": {"--output": "--target NAME"},
    "report": {"--device": "gone: nothing is computed for a page; leave it out"},
    "compare": {
        "--output": "--target NAME",
        "--svm-windows": "gone, with the model gkm-svm; 'gkm-all' learns from every window",
    },
    "benchmark": {
        "--svm-windows": "gone, with the model gkm-svm; 'gkm-all' learns from every window",
    },
    "scan": {
        "--output": "--target NAME",
        "--mode": "gone: every window is scored exactly; leave it out",
        "--false-positives": "--set false_positives=VALUE",
        "--decoys": "--set count_decoys=true --set decoys=VALUE",
        "--prevalence": "--set prevalence=VALUE",
        "--seed": "--set seed=VALUE",
        **_WORK,
    },
    "variants": {
        "--haplotypes": "--set haplotypes=true",
        "--output": "--target NAME",
        "--step": "--set step=VALUE",
        "--sample": "--set sample=NAME",
        "--null-size": "--set n_null=VALUE",
        "--alpha": "--set alpha=VALUE",
        "--prevalence": "--set prevalence=VALUE",
        "--max-allele": "--set max_allele=VALUE",
        "--seed": "--set seed=VALUE",
        **_WORK,
    },
    "tune": {
        "--max-weights": "--set max_weights=VALUE",
        "--max-epoch-seconds": "--set max_epoch_seconds=VALUE",
        "--train-bound": "--set train_bound=VALUE",
        "--storage": "gone: processes with one --out share the search",
        "--study": "gone: processes with one --out share the search",
    },
    "scalogram": {
        "--output": "--show VALUE",
        "--encoding": "--set encoding=VALUE",
        "--scales": "--set n_scales=VALUE",
        "--voices": "--set voices=VALUE",
        "--min-period": "--set min_period=VALUE",
        "--max-period": "--set max_period=VALUE",
        "--spacing": "--set spacing=VALUE",
        "--padding": "--set padding=VALUE",
        "--wavelet": "--set wavelet.kind=VALUE",
        "--beta": "--set wavelet.beta=VALUE",
        "--gamma": "--set wavelet.gamma=VALUE",
    },
}


def names(text: str | None) -> list[str]:
    """The entries of an option with commas between them."""
    from wavebind.core.settings import names_of

    return names_of(text or "")
