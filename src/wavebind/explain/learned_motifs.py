"""The motifs that a network has learnt: patterns in its scores of bases, with names.

The scores of bound windows are cut into seqlets and clustered (:mod:`wavebind.explain.modisco`).
Each cluster becomes a matrix, and each matrix is looked up in JASPAR
(:mod:`wavebind.motifs.matches`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_dir
from wavebind.core.jsonfiles import write_json
from wavebind.core.processes import run_isolated
from wavebind.core.versions import versions
from wavebind.datasets.dataset import Dataset
from wavebind.explain.attribution import explain_windows
from wavebind.explain.modisco import Pattern, find_patterns, trim_bounds
from wavebind.explain.run import default_method
from wavebind.genome.sequences import onehot
from wavebind.models.prediction import load_output
from wavebind.models.results import MOTIFS, place_of, require_same_options
from wavebind.models.shipped import copy_shipped
from wavebind.motifs.matches import Match, match_motifs
from wavebind.motifs.pwms import Motif, write_meme

__all__ = ["METHODS_WITH_LETTERS", "FoundMotif", "find_motifs"]

#: What clustering needs: four numbers a base.
METHODS_WITH_LETTERS = ("ig", "ig-corrected", "ism", "deepshap")
#: Seqlets of one sign that are worth clustering.
_LEAST = 20
#: Of what speaks against binding: bits that a pattern has at least, bits of a column that tells
#: something, and the correlation from which on it is part of another motif.
_LEAST_BITS, _TELLING, _ALIKE = 5.0, 0.5, 0.8
_MAX_WINDOWS = 5000


@dataclass(frozen=True)
class FoundMotif:
    """A motif that a network has learnt.

    Attributes
    ----------
    motif : Motif
        Counts of its sites, its ends cut off where they contribute little.
    contributions : numpy.ndarray
        ``float64``, shape ``(position, 4)``: mean score of the letters that are there.
    positive : bool
        Whether it speaks for binding.
    n_sites, n_windows : int
        Seqlets, and windows that hold one.
    share : float
        Of the explained windows, those that hold one.
    centre : float
        Median distance of its sites from the middle of the window, in bp, without a sign.
    matches : list of Match
        Of JASPAR, best first.
    """

    motif: Motif
    contributions: NDArray[np.float64]
    positive: bool
    n_sites: int
    n_windows: int
    share: float
    centre: float
    matches: list[Match]


def find_motifs(
    run: Path,
    data: Dataset,
    *,
    method: str | None = None,
    part: str = "test",
    n_windows: int | None = None,
    seed: int = 0,
    output: str | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Callable[[int], None] | None = None,
    clustering: Callable[[], None] | None = None,
) -> tuple[list[FoundMotif], Path]:
    """Find the motifs of a run, and keep them in the run directory.

    Writes into ``motifs/METHOD/NAME-SPLIT``: ``motifs.meme``, ``motifs.tsv``, ``motifs.json``,
    ``sites.tsv`` (every seqlet: motif, window, place) and a logo of each. Older ones of the same
    windows and options are replaced.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    data : Dataset
    method : str, optional
        ``ig`` or ``ism``.
    part : str
        The split whose bound windows are explained.
    n_windows : int, optional
        At most this many of them, drawn at random; 5,000 by default.
    seed : int
    output : str, optional
        Of a model of several outputs, which one.
    device : str
    force : bool
        Whether motifs of the same windows with other options are replaced.
    progress : callable, optional
        Called with the number of windows explained since the last call.
    clustering : callable, optional
        Called when the windows are explained.

    Returns
    -------
    tuple of list of FoundMotif and pathlib.Path
        Those that speak for binding first, most sites first; and the folder that they are kept in.

    Raises
    ------
    InputError
        If the run is not a trained one, or reads images with a method that needs gradients. If the
        split has no bound window, or no pattern comes back.
    """
    if method is not None and method not in METHODS_WITH_LETTERS:
        raise InputError(
            f"motifs need four numbers a base, which {method!r} does not give; choose one of: "
            f"{', '.join(METHODS_WITH_LETTERS)}"
        )
    model, card, data = load_output(run, data, device, output)
    chosen_method = method or (
        "ism" if default_method(card.model) not in METHODS_WITH_LETTERS else "ig"
    )
    indices = data.indices(part)
    bound = indices[data.labels[indices] == 1]
    most = _MAX_WINDOWS if n_windows is None else n_windows
    if most < 1:
        raise InputError(f"the number of windows must be 1 or more; found {most}")
    if len(bound) > most:
        bound = np.sort(np.random.default_rng(seed).choice(bound, most, replace=False))
    if not bound.size:
        raise InputError(f"{data.path}: the {part} split has no bound windows to explain")
    settings: dict[str, Any] = {
        "method": chosen_method,
        "output": card.model.outputs[0],
        "split": part,
        "n_windows": len(bound),
        "seed": seed,
    }
    copy_shipped(run)
    place = place_of(run, MOTIFS, data, part, chosen_method)
    require_same_options(place, MOTIFS, settings, force)
    batches = explain_windows(model, data.codes, bound, method=chosen_method, progress=progress)
    given = [batch.contributions for batch in batches]
    contributions = np.concatenate([part for part in given if part is not None])
    if clustering:
        clustering()
    letters = onehot(np.asarray(data.codes[bound])).transpose(0, 2, 1)
    patterns, _ = run_isolated(
        find_patterns, (letters, contributions, min(_LEAST, len(bound))), lambda *_: None
    )
    if not patterns:
        raise InputError(
            f"{run}: no pattern recurs in the scores of {len(bound):,} bound windows; the model "
            f"has learnt no motif that clustering can see, or the windows are too few"
        )
    motifs = [_motif(pattern, i, data.length, len(bound)) for i, pattern in enumerate(patterns, 1)]
    kept = told_apart(motifs)
    motifs, patterns = [motifs[i] for i in kept], [patterns[i] for i in kept]
    matches = match_motifs([found.motif for found in motifs])
    named = [_named(found, mine) for found, mine in zip(motifs, matches, strict=True)]
    settings["data"] = {**data.identity, "path": str(data.path.resolve())}
    settings["versions"] = versions()
    _write(place, named, patterns, data, bound, settings)
    return named, place


def told_apart(motifs: Sequence[FoundMotif]) -> list[int]:
    """Which motifs are shown: not what only seems to speak against binding.

    A pattern of that sign without information is noise. One that is part of a motif for binding is
    that motif, cut at another place.

    Returns
    -------
    list of int
        Places in `motifs`.
    """
    for_binding = [found.motif for found in motifs if found.positive]
    return [
        i
        for i, found in enumerate(motifs)
        if found.positive
        or (
            _information(found.motif).sum() >= _LEAST_BITS
            and not any(_is_part(found.motif, other) for other in for_binding)
        )
    ]


def _information(motif: Motif) -> NDArray[np.float64]:
    """Bits of each column, against equal frequencies, shape ``(position,)``."""
    p = motif.probabilities(0.0)
    bits: NDArray[np.float64] = 2 + (p * np.log2(np.maximum(p, 1e-12))).sum(axis=1)
    return bits


def _is_part(motif: Motif, other: Motif) -> bool:
    """Whether the informative columns of a motif are found in another one, on either strand."""
    telling = np.flatnonzero(_information(motif) >= _TELLING)
    if not len(telling):
        return True
    core = motif.probabilities(0.0)[telling[0] : telling[-1] + 1]
    for turned in (other, other.reverse_complement()):
        columns = turned.probabilities(0.0)
        for at in range(len(columns) - len(core) + 1):
            here = columns[at : at + len(core)]
            a, b = core - 0.25, here - 0.25
            scale = np.sqrt((a**2).sum() * (b**2).sum())
            if scale > 0 and (a * b).sum() / scale >= _ALIKE:
                return True
    return False


def _motif(pattern: Pattern, number: int, length: int, n_windows: int) -> FoundMotif:
    first, stop = trim_bounds(pattern.contributions)
    kind = "for" if pattern.positive else "against"
    windows = np.unique(pattern.window)
    middle = (pattern.start + pattern.end) / 2 - length / 2
    return FoundMotif(
        motif=Motif(f"{kind}{number}", "", pattern.counts[first:stop]),
        contributions=pattern.contributions[first:stop],
        positive=pattern.positive,
        n_sites=pattern.n_seqlets,
        n_windows=len(windows),
        share=len(windows) / n_windows,
        centre=float(np.median(np.abs(middle))),
        matches=[],
    )


def _named(found: FoundMotif, matches: list[Match]) -> FoundMotif:
    best = matches[0]
    motif = Motif(found.motif.identifier, best.name if best.q < 0.05 else "", found.motif.counts)
    return FoundMotif(
        motif,
        found.contributions,
        found.positive,
        found.n_sites,
        found.n_windows,
        found.share,
        found.centre,
        matches,
    )


def _write(
    place: Path,
    motifs: list[FoundMotif],
    patterns: list[Pattern],
    data: Dataset,
    windows: NDArray[np.int64],
    settings: dict[str, Any],
) -> None:
    names = data.names(windows)
    with replace_dir(place, overwrite=True, marker=MOTIFS.marker) as folder:
        write_meme(folder / "motifs.meme", [found.motif for found in motifs])
        with (folder / "motifs.tsv").open("w", encoding="utf-8") as stream:
            stream.write(
                "motif\tconsensus\tfor_binding\tsites\twindows\tshare\tcentre_bp\tmatch\t"
                "match_name\tp\tq\n"
            )
            for found in motifs:
                best = found.matches[0]
                letters = "".join("ACGT"[i] for i in found.motif.counts.argmax(axis=1))
                stream.write(
                    f"{found.motif.identifier}\t{letters}\t{int(found.positive)}\t{found.n_sites}\t"
                    f"{found.n_windows}\t{found.share:.4f}\t{found.centre:.1f}\t{best.identifier}\t"
                    f"{best.name}\t{best.p:.3g}\t{best.q:.3g}\n"
                )
        with (folder / "sites.tsv").open("w", encoding="utf-8") as stream:
            stream.write("motif\twindow\tstart\tend\tstrand\n")
            for found, pattern in zip(motifs, patterns, strict=True):
                for window, start, end, reverse in zip(
                    pattern.window, pattern.start, pattern.end, pattern.reverse, strict=True
                ):
                    strand = "-" if reverse else "+"
                    name = names[window]
                    stream.write(f"{found.motif.identifier}\t{name}\t{start}\t{end}\t{strand}\n")
        _write_sites(folder / "sites.bed", motifs, patterns, data, windows)
        write_json(
            folder / MOTIFS.marker,
            {
                **settings,
                "motifs": [
                    {
                        "motif": found.motif.identifier,
                        "counts": found.motif.counts.tolist(),
                        "contributions": found.contributions.tolist(),
                        "for_binding": found.positive,
                        "n_sites": found.n_sites,
                        "n_windows": found.n_windows,
                        "share": found.share,
                        "centre": found.centre,
                        "matches": [asdict(match) for match in found.matches],
                    }
                    for found in motifs
                ],
            },
        )


def _write_sites(
    path: Path,
    motifs: list[FoundMotif],
    patterns: list[Pattern],
    data: Dataset,
    windows: NDArray[np.int64],
) -> None:
    """Every site on the genome, as wide as its motif; nothing where places are not known."""
    rows = []
    for found, pattern in zip(motifs, patterns, strict=True):
        first, stop = trim_bounds(pattern.contributions)
        width = len(pattern.contributions)
        for window, origin, reverse in zip(
            pattern.window, pattern.origin, pattern.reverse, strict=True
        ):
            at = int(windows[window])
            chrom, place = str(data.chrom[at]), int(data.start[at])
            if not chrom or place < 0:
                continue
            start = place + int(origin) + (width - stop if reverse else first)
            if start >= 0:
                strand = "-" if reverse else "+"
                name = found.motif.identifier
                rows.append((chrom, start, start + stop - first, name, 0, strand))
    if rows:
        lines = ["\t".join(map(str, row)) for row in sorted(rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
