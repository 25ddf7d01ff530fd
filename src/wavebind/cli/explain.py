"""``wavebind explain``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavebind.cli.console import Device, Output, note, progress_bar

if TYPE_CHECKING:
    from wavebind.datasets.dataset import Dataset
    from wavebind.explain.run import Explained

__all__ = ["register"]


class Select(StrEnum):
    """Which bound windows are explained."""

    random = "random"
    top = "top"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="explain", epilog="Example: wavebind explain run ctcf --n 20")(explain)


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, made with 'wavebind train'.")],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A dataset; or a FASTA file with windows of the model's length; or, with "
            "--genome, a BED or narrowPeak file, whose middles or summits are the windows' "
            "middles.",
        ),
    ],
    method: Annotated[
        str | None,
        typer.Option(
            help="gradcam, gradcam++, layercam (maps over scale and position), ism, ig, occlusion "
            "(scores of bases). (default: ig, or gradcam of a network that reads images)"
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", help="How many bound windows. (default: 20; with --check 200)"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    select: Annotated[
        Select, typer.Option(help="At random, or those with the highest probability.")
    ] = Select.random,
    seed: Annotated[int, typer.Option(help="Decides the random choice.")] = 0,
    stages: Annotated[
        str | None,
        typer.Option(
            help="Layers of the network to look at, comma-separated. (default: the last ones)"
        ),
    ] = None,
    n_mean: Annotated[
        int | None,
        typer.Option(
            help="Bound windows behind the means. (default: 2000; ism, ig, occlusion 500)"
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Check the explanations instead: do they move with the motif, come from the "
            "weights, hold what the prediction rests on, lie on known sites?",
        ),
    ] = False,
    motif: Annotated[
        str,
        typer.Option(
            help="With --check: the known motif, as MA0139.1 or CTCF. (default: the one of JASPAR "
            "that tells the training windows apart best)"
        ),
    ] = "auto",
    control: Annotated[
        Path | None,
        typer.Option(help="With --check: a run trained with --shuffle-labels, for comparison."),
    ] = None,
    genome: Annotated[
        Path | None,
        typer.Option(help="The genome that regions lie on: FASTA, gzipped or not, or 2bit."),
    ] = None,
    film: Annotated[
        bool,
        typer.Option("--film", help="Also a film of each window over the stages of the network."),
    ] = False,
    signal: Annotated[
        Path | None,
        typer.Option(
            help="A bigWig of ChIP-seq signal: do the scores go with it, beyond a bump in the "
            "middle?"
        ),
    ] = None,
    output: Output = None,
    device: Device = "auto",
) -> None:
    """Show where the evidence for binding lies: pictures, and a score a base.

    --check takes several methods, comma-separated.
    """
    if check:
        if film or signal is not None or genome is not None:
            raise typer.BadParameter("--film, --signal and --genome are not for --check")
        _check(run, data, method, motif, control, split, n, seed, output, device)
        return
    if motif != "auto" or control is not None:
        raise typer.BadParameter("--motif and --control are for --check")
    from wavebind.explain.run import explain_run, explanation_size
    from wavebind.report.pictures import write_pictures

    opened = _open(run, data, genome)
    n = 20 if n is None else n
    names = None if stages is None else [s.strip() for s in stages.split(",") if s.strip()]
    # What the method will be is known when the run is open; the bar is of the longer way.
    size = explanation_size(opened, split, n, method or "ig", n_mean)
    with progress_bar("explaining windows", size) as advance:
        explained, config = explain_run(
            run,
            opened,
            method=method,
            n_mean=n_mean,
            part=split,
            n=n,
            select=select.value,
            seed=seed,
            stages=names,
            output=output,
            device=device,
            progress=advance,
        )
    with progress_bar("drawing", len(explained.names)) as advance:
        pictures = write_pictures(run, explained, config, advance)
    if len(explained.names) < n:
        note(f"the {split} split has only {len(explained.names)} bound windows; all are explained")
    if film:
        from wavebind.report.films import write_films

        with progress_bar("drawing films", len(explained.names)) as advance:
            write_films(run, explained, output=output, device=device, progress=advance)
    if signal is not None:
        _compare(run, opened, explained, signal, seed)
    peak = int(explained.mean_profile.argmax())
    typer.echo(
        f"{len(explained.names)} windows explained by {explained.method}; the mean score of "
        f"{explained.n_mean:,} bound windows peaks at base {peak} of {opened.length} (middle: "
        f"{opened.length // 2})"
    )
    typer.echo(f"written: {run / 'explain'} ({len(pictures)} pictures, base_scores.tsv)")


def _open(run: Path, data: Path, genome: Path | None) -> Dataset:
    """A dataset, or the windows of a file as one."""
    from wavebind.datasets.dataset import open_dataset
    from wavebind.datasets.given import given_windows
    from wavebind.models import load_model
    from wavebind.models.rundir import RunDir

    if data.is_dir() or not data.exists():
        if genome is not None:
            raise typer.BadParameter("--genome is for regions; a dataset has its sequences")
        return open_dataset(data)
    _, card = load_model(RunDir(run).require_model().model)
    return given_windows(data, card.model.length, genome, note)


def _compare(run: Path, data: Dataset, explained: Explained, signal: Path, seed: int) -> None:
    import numpy as np

    from wavebind.core.jsonfiles import write_json
    from wavebind.explain.signal import compare_with_signal, read_signal
    from wavebind.models.rundir import RunDir

    levels = read_signal(signal, data, explained.profile_index)
    with progress_bar("pairing windows at random", 1000) as advance:
        found = compare_with_signal(
            explained.profiles, levels, np.random.default_rng(seed), advance
        )
    path = RunDir(run).explanations / "signal.json"
    write_json(path, {"signal": str(signal), **found.to_dict()})
    typer.echo(found.words)


def _check(
    run: Path,
    data: Path,
    methods: str | None,
    motif: str,
    control: Path | None,
    split: str,
    n: int | None,
    seed: int,
    output: str | None,
    device: str,
) -> None:
    from wavebind.datasets.dataset import open_dataset
    from wavebind.explain.verdicts import N_CHECKED, check_explanations

    opened = open_dataset(data)
    names = [m.strip() for m in (methods or "").split(",") if m.strip()]
    with progress_bar("explaining windows", None) as advance:
        found = check_explanations(
            run,
            opened,
            methods=names,
            motif=motif,
            control=control,
            part=split,
            n=N_CHECKED if n is None else n,
            seed=seed,
            output=output,
            device=device,
            progress=advance,
        )
    known = found["motif"]
    typer.echo(
        f"{found['n_windows']:,} bound windows of {split} with a hit of {known['identifier']} "
        f"{known['name']}"
    )
    for method, checks in found["methods"].items():
        typer.echo(f"{method}:")
        for sentence in checks["words"].values():
            typer.echo(f"* {sentence}")
    typer.echo(f"written: {run / 'explain' / 'checks.json'}")
