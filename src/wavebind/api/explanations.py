"""Explanations of windows, in memory or kept in the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wavebind.api.frames import PathLike, Windows, opened_dataset
from wavebind.api.progress import advancing, noting
from wavebind.api.results import Explanations, LearnedMotif
from wavebind.api.settings import ExplainSettings, GivenSettings
from wavebind.core.errors import UsageError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.jsonfiles import write_json
from wavebind.core.settings import with_values
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.given import given_windows
from wavebind.explain.attribution import explain_windows
from wavebind.explain.learned_motifs import find_motifs
from wavebind.explain.run import Explained, default_method, explain_run, explanation_size
from wavebind.explain.signal import compare_with_signal, read_signal
from wavebind.explain.verdicts import N_CHECKED, check_explanations
from wavebind.models.prediction import load_selected
from wavebind.report.films import write_films
from wavebind.report.pictures import write_logos, write_pictures
from wavebind.report.plots import PICTURE_KINDS

__all__ = ["check", "explain", "save"]


def explain(
    run: Path,
    read: Windows,
    method: str | None,
    *,
    target: str | None,
    device: str,
    on_event: OnEvent,
) -> Explanations:
    """See :meth:`wavebind.api.run.Run.explain`."""
    model, card = load_selected(run, device, target)
    chosen = method or default_method(card.model)
    rows = np.arange(len(read.codes))
    advance = advancing(on_event, "explaining windows", len(rows))
    found = list(explain_windows(model, read.codes, rows, method=chosen, progress=advance))
    maps = [part.maps for part in found if part.maps is not None]
    letters = [part.contributions for part in found if part.contributions is not None]
    return Explanations(
        scores=np.concatenate([part.base_scores for part in found]),
        names=read.names,
        codes=read.codes,
        chrom=read.chrom,
        start=read.start,
        method=chosen,
        contributions=np.concatenate(letters) if letters else None,
        maps=np.concatenate(maps) if maps else None,
        periods=model.periods,
    )


def save(
    run: Path,
    own_length: int,
    data: PathLike | Dataset,
    *,
    method: str | None = None,
    n: int = 20,
    split: str | None = None,
    genome: PathLike | None = None,
    signal: PathLike | None = None,
    target: str | None = None,
    force: bool = False,
    length: int | None = None,
    device: str = "auto",
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> tuple[Explained, Path]:
    """See :meth:`wavebind.api.run.Run.save_explanations`."""
    chosen = with_values(ExplainSettings(), settings)
    given = {"length": length, "split": split, "signal": None if signal is None else str(signal)}
    chosen = with_values(chosen, {k: v for k, v in given.items() if v is not None})
    split, signal = chosen.split, chosen.signal
    if chosen.motif != "auto" or chosen.control is not None:
        raise UsageError("the settings motif and control are for --check")
    _refuse_background(chosen)
    opened = _windows(data, chosen.length or own_length, genome, on_event)
    # What the method will be is known when the run is open; the bar is of the longer way.
    size = explanation_size(opened, split, n, method or "ig", chosen.n_mean)
    explained, config, folder = explain_run(
        run,
        opened,
        method=method,
        n_mean=chosen.n_mean,
        part=split,
        n=n,
        select=chosen.select,
        seed=chosen.seed,
        stages=chosen.stages or None,
        output=target,
        device=device,
        force=force,
        progress=advancing(on_event, "explaining windows", size),
    )
    found = len(explained.names)
    write_pictures(
        folder,
        explained,
        config,
        kind=chosen.format,
        threshold=load_selected(run, "cpu", target)[1].thresholds[0]
        if explained.labelled
        else None,
        progress=advancing(on_event, "drawing", found),
    )
    if found < n:
        where = f"the {split} split has" if explained.labelled else f"{data}: there are"
        on_event(Message(f"{where} only {found} {explained.kind}; all are explained"))
    if chosen.film:
        advance = advancing(on_event, "drawing films", found)
        write_films(run, explained, folder, output=target, device=device, progress=advance)
    if signal is not None:
        _compare_signal(folder, opened, explained, Path(signal), chosen.seed, on_event)
    return explained, folder


def _refuse_background(chosen: ExplainSettings) -> None:
    if chosen.background != "unbound":
        raise UsageError("the setting background is for --insert and --pair")


def _windows(data: PathLike | Dataset, length: int, genome: Any, on_event: OnEvent) -> Dataset:
    """A dataset, or the windows of a file as one."""
    path = data.path if isinstance(data, Dataset) else Path(data)
    if isinstance(data, Dataset) or path.is_dir() or not path.exists():
        if genome is not None:
            raise UsageError("--genome is for regions; a dataset has its sequences")
        return opened_dataset(data)
    place = None if genome is None else Path(genome)
    return given_windows(path, length, place, noting(on_event))


def _compare_signal(
    folder: Path, data: Dataset, explained: Explained, signal: Path, seed: int, on_event: OnEvent
) -> None:
    levels = read_signal(signal, data, explained.profile_index)
    advance = advancing(on_event, "pairing windows at random", 1000)
    found = compare_with_signal(explained.profiles, levels, np.random.default_rng(seed), advance)
    write_json(folder / "signal.json", {"signal": str(signal), **found.to_dict()})
    on_event(Message(found.words))


def check(
    run: Path,
    data: PathLike | Dataset,
    *,
    methods: Sequence[str] = (),
    n: int = N_CHECKED,
    split: str | None = None,
    target: str | None = None,
    force: bool = False,
    device: str = "auto",
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> tuple[dict[str, Any], Path]:
    """See :meth:`wavebind.api.run.Run.check_explanations`."""
    chosen = with_values(ExplainSettings(), settings)
    if chosen.stages or chosen.n_mean is not None or chosen.film:
        raise UsageError("the settings stages, n_mean and film are not for --check")
    if chosen.signal is not None:
        raise UsageError("the setting signal is not for --check")
    _refuse_background(chosen)
    return check_explanations(
        run,
        opened_dataset(data),
        methods=methods,
        motif=chosen.motif,
        control=None if chosen.control is None else Path(chosen.control),
        part=split or chosen.split,
        n=n,
        seed=chosen.seed,
        output=target,
        device=device,
        force=force,
        progress=advancing(on_event, "explaining windows", None),
    )


def learnt_motifs(
    run: Path,
    data: PathLike | Dataset,
    *,
    method: str | None = None,
    split: str = "test",
    n: int | None = None,
    seed: int = 0,
    target: str | None = None,
    force: bool = False,
    device: str = "auto",
    format: str = "png",  # noqa: A002 - what the command calls it
    on_event: OnEvent = ignore,
) -> list[LearnedMotif]:
    """See :meth:`wavebind.api.run.Run.motifs`."""
    if format not in PICTURE_KINDS:
        raise UsageError(f"--format is one of {', '.join(PICTURE_KINDS)}; found {format!r}")
    found, folder = find_motifs(
        run,
        opened_dataset(data),
        method=method,
        part=split,
        n_windows=n,
        seed=seed,
        output=target,
        device=device,
        force=force,
        progress=advancing(on_event, "explaining windows", None),
        clustering=lambda: on_event(Message("clustering; this has no progress to show")),
    )
    write_logos(folder, found, format)
    on_event(Message(f"written: {folder}"))
    return [LearnedMotif(one) for one in found]
