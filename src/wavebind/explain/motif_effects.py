"""Experiments with motifs on a run: motifs set in, shuffled away or paired, and what is said.

Each leaves ``effect.json`` and its tables in a folder of the run's explanations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir
from wavebind.core.jsonfiles import write_json
from wavebind.datasets.dataset import Dataset
from wavebind.explain.checks import find_sites
from wavebind.explain.perturb import (
    ablate,
    marginalize,
    read_pattern,
    shuffle_letters,
)
from wavebind.genome.sequences import Codes
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.metrics.binary import Estimate, estimate, mean_with_interval
from wavebind.models import Classifier
from wavebind.models.prediction import load_output
from wavebind.models.results import EFFECTS, place_of, require_same_options
from wavebind.models.shipped import copy_shipped

__all__ = [
    "N_INSERTED",
    "N_OF_PAIRS",
    "Background",
    "EffectOptions",
    "MotifEffect",
    "ablate_motif",
    "background_windows",
    "insert_motif",
    "keep_effect",
    "opened_run",
]

Floats = NDArray[np.float64]
Progress = Callable[[int], None] | None
Background = Literal["unbound", "shuffled"]

#: Orders of a motif's letters that it is compared with.
_N_ORDERS = 20
#: Steps of setting one motif in, for progress.
N_INSERTED = 1 + _N_ORDERS
_N_SHUFFLES = 20
#: Windows, by default: a pair is set into each hundreds of times.
N_WINDOWS, N_OF_PAIRS = 200, 50


@dataclass(frozen=True)
class EffectOptions:
    """What an experiment is made with.

    Attributes
    ----------
    split : str
        Whose windows.
    n : int or None
        Windows, drawn at random from more; by default 200, and 50 of pairs.
    background : {"unbound", "shuffled"}
        What motifs are set into: unbound windows, or bound ones with their dinucleotides shuffled.
    seed : int
        Decides windows and shuffles.
    output : str or None
        Of a model of several outputs.
    device : str
    force : bool
        Whether an experiment of the same windows with other options is replaced.
    """

    split: str = "test"
    n: int | None = None
    background: Background = "unbound"
    seed: int = 0
    output: str | None = None
    device: str = "auto"
    force: bool = False


@dataclass(frozen=True)
class MotifEffect:
    """What setting in or shuffling away one motif does to the logit.

    Attributes
    ----------
    motif, letters : str
        Its name, and what was set in; no letters where hits were shuffled.
    change : Estimate
        Mean over the windows, with its 95 % interval.
    control : Estimate
        The same of the motif's letters in 20 other orders, whose interval is over orders and
        windows; or of stretches of its width elsewhere.
    n_windows : int
    words : str
    """

    motif: str
    letters: str
    change: Estimate
    control: Estimate
    n_windows: int
    words: str


def insert_motif(
    run: Path, data: Dataset, motif: str, options: EffectOptions, progress: Progress = None
) -> tuple[MotifEffect, Path]:
    """Set a motif into the middle of backgrounds (marginalisation), beside shuffles of it.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    motif : str
        See :func:`wavebind.explain.perturb.read_pattern`.
    options : EffectOptions
    progress : callable, optional
        Called with 1 for the motif and for each of its shuffles.

    Raises
    ------
    InputError
        If the motif is not known or does not fit, or there is no background.
    """
    model, data = opened_run(run, data, options)
    letters, name, _ = read_pattern(motif)
    codes = background_windows(data, options, N_WINDOWS)
    rng = np.random.default_rng([options.seed, 1])
    before, after = marginalize(model, codes, letters)
    _step(progress)
    others = []
    for _ in range(_N_ORDERS):
        others.append(marginalize(model, codes, shuffle_letters(letters, rng))[1] - before)
        _step(progress)
    change = mean_with_interval(after - before, rng)
    control = _over_both(np.stack(others), rng)
    where = "unbound windows" if options.background == "unbound" else "shuffled bound windows"
    words = (
        f"Setting {name} ({letters}) into the middle of {len(codes):,} {where} changes the logit "
        f"by {_interval(change)}; its letters in another order by {_interval(control)}."
    )
    found = MotifEffect(name, letters, change, control, len(codes), words)
    return found, keep_effect(run, data, "insert", options, {"asked": motif}, asdict(found))


def ablate_motif(
    run: Path, data: Dataset, motif: str, options: EffectOptions, progress: Progress = None
) -> tuple[MotifEffect, Path]:
    """Shuffle the best hit of a motif in bound windows, and as wide a stretch beside it.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    motif : str
        A matrix: of JASPAR, or the first of a MEME file.
    options : EffectOptions
        Of which `background` is not used.
    progress : callable, optional
        Called with 1 for every window, twice.

    Raises
    ------
    InputError
        If the motif is no matrix, or fewer than two bound windows hold it.
    """
    model, data = opened_run(run, data, options)
    _, name, matrix = read_pattern(motif)
    if matrix is None:
        raise InputError(f"motif {motif!r} is letters, and hits are those of a matrix; name one")
    bound = np.asarray(data.codes[_indices(data, options.split, 1)])
    sites = find_sites(bound, matrix)
    if len(sites.window) < 2:
        raise InputError(
            f"{data.path}: {len(sites.window)} bound windows of {options.split} hold a hit of "
            f"{name}; name another motif"
        )
    rng = np.random.default_rng(options.seed)
    chosen = np.sort(rng.permutation(len(sites.window))[: options.n or N_WINDOWS])
    codes = bound[sites.window[chosen]]
    start, end = sites.start[chosen], sites.end[chosen]
    before, after = ablate(model, codes, start, end, rng, _N_SHUFFLES, progress)
    width = int(end[0] - start[0])
    elsewhere = _beside(start, width, codes.shape[1], rng)
    _, others = ablate(model, codes, elsewhere, elsewhere + width, rng, _N_SHUFFLES, progress)
    change = mean_with_interval(after.mean(axis=1) - before, rng)
    control = mean_with_interval(others.mean(axis=1) - before, rng)
    words = (
        f"Shuffling the hit of {name} in {len(codes):,} bound windows changes the logit by "
        f"{_interval(change)}; shuffling {width} bp elsewhere in them by {_interval(control)}."
    )
    found = MotifEffect(name, "", change, control, len(codes), words)
    return found, keep_effect(run, data, "ablate", options, {"asked": motif}, asdict(found))


def opened_run(run: Path, data: Dataset, options: EffectOptions) -> tuple[Classifier, Dataset]:
    """The model for the output that is asked for, and the dataset as it sees it."""
    model, _, data = load_output(run, data, options.device, options.output)
    return model, data


def _step(progress: Progress) -> None:
    if progress:
        progress(1)


def _indices(data: Dataset, part: str, label: int) -> NDArray[np.int64]:
    indices = data.indices(part)
    found: NDArray[np.int64] = indices[data.labels[indices] == label]
    if not len(found):
        word = "bound" if label else "unbound"
        raise InputError(f"{data.path}: the {part} split has no {word} window")
    return found


def background_windows(data: Dataset, options: EffectOptions, usual: int) -> Codes:
    """Windows that motifs are set into."""
    rng = np.random.default_rng(options.seed)
    bound = options.background == "shuffled"
    indices = _indices(data, options.split, int(bound))
    n = options.n or usual
    if len(indices) > n:
        indices = np.sort(rng.choice(indices, n, replace=False))
    codes = np.asarray(data.codes[indices])
    return dinucleotide_shuffle(codes, rng) if bound else codes


def _beside(
    start: NDArray[np.int64], width: int, length: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Where a stretch of the same width begins that does not touch the hit."""
    found = np.empty_like(start)
    for i, at in enumerate(start):
        places = np.arange(length - width + 1)
        free = places[(places + width <= at) | (places >= at + width)]
        # A hit that fills its window leaves no room; it is then compared with itself.
        found[i] = rng.choice(free) if len(free) else at
    return found


def _over_both(values: Floats, rng: np.random.Generator) -> Estimate:
    """A mean over orders and windows, ``(order, window)``, with an interval over both."""
    n, m = values.shape
    draws = [values[rng.integers(0, n, n)][:, rng.integers(0, m, m)].mean() for _ in range(1000)]
    return estimate(float(values.mean()), np.array(draws))


def _interval(e: Estimate) -> str:
    return f"{e.value:.2f} ({e.low:.2f} to {e.high:.2f})"


def keep_effect(
    run: Path,
    data: Dataset,
    kind: str,
    options: EffectOptions,
    asked: dict[str, Any],
    found: dict[str, Any],
    tables: dict[str, str] | None = None,
) -> Path:
    """Write what was found into the run's explanations.

    Parameters
    ----------
    run : pathlib.Path
    data : Dataset
    kind : str
        ``insert``, ``ablate`` or ``pair``.
    options : EffectOptions
    asked : dict
        The motifs as they were asked for.
    found : dict
        Plain data.
    tables : dict, optional
        Further files by their names.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        If there is one of the same windows with other options, which are not to be replaced.
    """
    copy_shipped(run)
    word = "".join(c if c.isalnum() or c in ".-" else "-" for c in asked["asked"])[:60]
    place = place_of(run, EFFECTS, data, options.split, f"{kind}-{word}")
    settings = {
        "n_windows": found["n_windows"],
        "background": options.background,
        "seed": options.seed,
        "output": options.output,
        **asked,
    }
    require_same_options(place, EFFECTS, settings, options.force)
    made_from = {**data.identity, "path": str(data.path.resolve())}
    with replace_dir(place, overwrite=True, marker=EFFECTS.marker) as folder:
        for name, text in (tables or {}).items():
            (folder / name).write_text(text, encoding="utf-8")
        write_json(
            folder / EFFECTS.marker,
            {"experiment": kind, "split": options.split, **found, **settings, "data": made_from},
        )
    return place
