"""What a trivial model could cheat with, and whether the parts are apart.

Each shortcut is a score that sees only the make-up or the place of a window. Its direction, or its
weights, come from the training split; its AUROC is measured on the windows that the network is
measured on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.settings import to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.kmer_labels import KmerLabel, kmer_labels, kmer_words
from wavebind.datasets.leakage import Leakage, find_leakage
from wavebind.datasets.seen import find_seen, seen_words
from wavebind.datasets.twins import Twins, find_twins, twin_words
from wavebind.genome.composition import cpg_fraction, dinucleotide_frequencies
from wavebind.genome.sequences import UNKNOWN, Codes, gc_fraction
from wavebind.metrics.binary import Estimate, auroc_with_interval, ranking_metrics

__all__ = [
    "WORDS",
    "Audit",
    "Shortcut",
    "audit",
    "best_shortcut",
    "shortcuts",
    "to_plain",
]

#: More training windows than this do not change the few weights of a shortcut.
_MAX_FIT = 50_000
_N_RESAMPLES = 500
_CHUNK = 65_536
#: From these AUROCs on, a shortcut is worth a warning, and a strong one.
NOTABLE, STRONG = 0.55, 0.65

WORDS = {
    "length": "window length",
    "gc": "GC content",
    "cpg": "CpG frequency",
    "dinucleotides": "dinucleotide frequencies (logistic regression)",
    "unknown": "fraction of unknown bases (N)",
    "repeat": "fraction of soft-masked bases (repeats)",
    "position": "position on the chromosome (spline)",
}
_REMEDIES = {
    "length": "cut all windows to one length",
    "gc": "a background matched in GC removes it: --background gc, or --set "
    "background.match_gc=true",
    "cpg": "--background shuffle keeps every CpG, and a background matched in GC (--background gc "
    "or --set background.match_gc=true) removes most of it",
    "dinucleotides": "--background shuffle keeps every dinucleotide, and a background matched in "
    "GC (--background gc or --set background.match_gc=true) removes what GC explains",
    "unknown": "take both classes from the same genome, and do not pad windows with N",
    "repeat": "--background gc, or --set background.match_gc=true, matches repeats where the "
    "genome is soft-masked",
    "position": "--background flank lies beside the peaks and removes it",
}


@dataclass(frozen=True)
class Shortcut:
    """AUROC of one shortcut, its 95 % interval, and the number of windows it was measured on."""

    value: float
    low: float
    high: float
    n_windows: int


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    split : str
    n_windows, n_bound : int
        Of that split.
    shortcuts : dict
        :class:`Shortcut` by name.
    skipped : dict
        Why a shortcut could not be measured, by name.
    kmers : tuple of KmerLabel
        Of each length from 1 to 4 the word whose count tells the classes apart best.
    twins : Twins or None
        Unbound windows that are shuffles of bound ones; None where there are none.
    leakage : Leakage or None
        None for the training split.
    n_seen : int or None
        Windows that the package's model was trained on; None for the training split.
    verdict : tuple of str
        In plain words, one sentence or two each.
    """

    split: str
    n_windows: int
    n_bound: int
    shortcuts: dict[str, Shortcut]
    skipped: dict[str, str]
    kmers: tuple[KmerLabel, ...]
    twins: Twins | None
    leakage: Leakage | None
    n_seen: int | None
    verdict: tuple[str, ...]


def _unknown_fraction(codes: Codes) -> NDArray[np.float64]:
    fraction: NDArray[np.float64] = (codes >= UNKNOWN).mean(axis=1)
    return fraction


def _features(data: Dataset, indices: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Every shortcut's numbers of some windows; NaN where one is not known.

    Each of shape ``(window,)``, the dinucleotides ``(window, 16)``. Read a chunk at a time, so
    that memory does not grow with the windows' length.
    """
    kinds = {
        "gc": gc_fraction,
        "cpg": cpg_fraction,
        "dinucleotides": dinucleotide_frequencies,
        "unknown": _unknown_fraction,
    }
    rows = max(1, _CHUNK * 200 // data.length)
    pieces: dict[str, list[NDArray[np.float64]]] = {name: [] for name in kinds}
    for at in range(0, len(indices), rows):
        codes = np.asarray(data.codes[indices[at : at + rows]])
        for name, feature in kinds.items():
            pieces[name].append(feature(codes))
    found = {name: np.concatenate(parts) for name, parts in pieces.items()}
    placed = (data.start >= 0) & (data.chrom != "")
    extent = np.zeros(len(data.end))
    for chrom in np.unique(data.chrom):
        here = data.chrom == chrom
        extent[here] = data.end[here].max()
    relative = np.where(placed, data.start / np.maximum(extent, 1), np.nan)
    length = np.where(placed, data.end - data.start, data.length)
    found["length"] = length[indices].astype(np.float64)
    found["repeat"] = data.repeat[indices].astype(np.float64)
    found["position"] = relative[indices]
    return found


def shortcuts(
    data: Dataset,
    indices: NDArray[np.int64],
    rng: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> tuple[dict[str, Shortcut], dict[str, str]]:
    """AUROC of each shortcut on some windows.

    Parameters
    ----------
    data : Dataset
    indices : numpy.ndarray
        The windows to score.
    rng : numpy.random.Generator
        For the bootstrap, and for a sample of the training windows where there are very many.
    progress : callable, optional
        Called with 1 for each shortcut.

    Returns
    -------
    tuple of dict
        The shortcuts by name, in the order of :data:`WORDS`; and why one could not be measured,
        by name.
    """
    fit = _some_training(data, rng)
    train, scored = _features(data, fit), _features(data, indices)
    found: dict[str, Shortcut] = {}
    skipped: dict[str, str] = {}
    for name in WORDS:
        if progress:
            progress(1)
        if name == "repeat" and not np.nanmax(np.r_[train[name], scored[name], 0.0]) > 0:
            skipped[name] = "no sequence is soft-masked"
            continue
        a, b = train[name], scored[name]
        in_a, in_b = (np.isfinite(x).reshape(len(x), -1).all(axis=1) for x in (a, b))
        labels = data.labels[fit][in_a], data.labels[indices][in_b]
        if any(len(np.unique(found_labels)) < 2 for found_labels in labels):
            skipped[name] = "it is not known for both classes"
            continue
        scores = _score(name, a[in_a], labels[0], b[in_b])
        estimate: Estimate = auroc_with_interval(labels[1], scores, rng, _N_RESAMPLES)
        found[name] = Shortcut(estimate.value, estimate.low, estimate.high, int(in_b.sum()))
    return found, skipped


def _some_training(data: Dataset, rng: np.random.Generator) -> NDArray[np.int64]:
    fit = data.indices("train")
    if len(fit) > _MAX_FIT:
        fit = np.sort(rng.choice(fit, _MAX_FIT, replace=False))
    return fit


def _score(
    name: str,
    train: NDArray[np.float64],
    train_labels: NDArray[np.int8],
    scored: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Scores by one shortcut alone, its direction or weights from the training windows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    if name not in ("dinucleotides", "position"):
        auroc, _ = ranking_metrics(train_labels, train)
        return scored if auroc >= 0.5 else -scored
    first = StandardScaler()
    if name == "position":
        train, scored = train[:, None], scored[:, None]
        first = SplineTransformer(n_knots=10, extrapolation="constant")
    model = make_pipeline(first, LogisticRegression(max_iter=2000, class_weight="balanced"))
    model.fit(train, train_labels)
    decision: NDArray[np.float64] = model.decision_function(scored)
    return decision


def best_shortcut(found: dict[str, Shortcut]) -> tuple[str, Shortcut]:
    """The shortcut with the highest AUROC."""
    return max(found.items(), key=lambda item: item[1].value)


def audit(
    data: Dataset,
    part: str,
    rng: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Look for whatever but the motif could tell the classes apart on one split.

    Parameters
    ----------
    data : Dataset
    part : str
        ``train``, ``valid`` or ``test``.
    rng : numpy.random.Generator
    progress : callable, optional
        Called with 1 for each of the shortcuts and for the search for duplicates.

    Raises
    ------
    InputError
        If the split is not known, or lacks a class.
    """
    indices = data.indices(part)
    found, skipped = shortcuts(data, indices, rng, progress)
    leakage = None if part == "train" else find_leakage(data, part)
    seen = None if part == "train" else find_seen(data, part)
    # Streams of their own, so that the intervals of the others stay as they were.
    streams = rng.spawn(2)
    twins = find_twins(data, part, streams[0])
    kmers = kmer_labels(data, _some_training(data, streams[1]), indices, streams[1])
    verdict = _verdict(part, found, leakage)
    more = (twin_words(part, twins) if twins else None, kmer_words(kmers))
    verdict[:0] = [words for words in more if words]
    if seen is not None and seen.any():
        verdict.append(seen_words(part, seen))
    if progress:
        progress(1)
    return Audit(
        split=part,
        n_windows=len(indices),
        n_bound=int((data.labels[indices] == 1).sum()),
        shortcuts=found,
        skipped=skipped,
        kmers=kmers,
        twins=twins,
        leakage=leakage,
        n_seen=None if seen is None else int(seen.sum()),
        verdict=tuple(verdict),
    )


def _verdict(part: str, found: dict[str, Shortcut], leakage: Leakage | None) -> list[str]:
    lines = []
    for name, shortcut in sorted(found.items(), key=lambda item: -item[1].value):
        if shortcut.value < NOTABLE or shortcut.low <= 0.5:
            continue
        strength = "could go far with" if shortcut.value >= STRONG else "could use"
        lines.append(
            f"A model {strength} the {WORDS[name]}: alone it reaches an AUROC of "
            f"{shortcut.value:.3f} ({shortcut.low:.3f}-{shortcut.high:.3f}); {_REMEDIES[name]}."
        )
    if not lines:
        name, best = best_shortcut(found)
        lines.append(
            f"No shortcut of the table tells the classes apart: the best, {WORDS[name]}, reaches "
            f"an AUROC of {best.value:.3f} ({best.low:.3f}-{best.high:.3f})."
        )
    if leakage is not None:
        lines.append(_leakage_words(part, leakage))
    return lines


def _leakage_words(part: str, leakage: Leakage) -> str:
    n = leakage.n_windows
    near, over, sharing = leakage.n_near_duplicates, leakage.n_overlapping, leakage.n_sharing
    if not near and not over and not sharing:
        return (
            f"No {part} window overlaps a training window or shares a {leakage.shared_k}-mer with "
            f"one."
        )
    if over or not leakage.n_placed:
        remedy = "Split by chromosome or with --set split.blocks=true, never at random."
    else:
        remedy = (
            "They lie elsewhere on the genome, so they are repeats: name a BED file of segmental "
            "duplications or repeats with --set exclude=FILE to leave them out."
        )
    overlap = f", and {over:,} ({over / n:.1%}) overlap one" if leakage.n_placed else ""
    first = f" (the first: {', '.join(leakage.examples[:3])})" if leakage.examples else ""
    return (
        f"{sharing:,} of {n:,} {part} windows ({sharing / n:.1%}) share a {leakage.shared_k}-mer "
        f"with training windows, {near:,} ({near / n:.1%}) at least half of their "
        f"{leakage.k}-mers{overlap}{first}; a model can know these by heart. {remedy} The metrics "
        f"without the windows that share a {leakage.shared_k}-mer stand beside the others in "
        f"'wavebind evaluate'."
    )


def to_plain(found: Audit) -> dict[str, Any]:
    """The audit as plain data for JSON, the best shortcut named."""
    name, best = best_shortcut(found.shortcuts)
    return {**to_dict(found), "best_shortcut": {"name": name, **to_dict(best)}}
