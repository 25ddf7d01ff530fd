"""Which known motif a motif resembles: Tomtom against JASPAR.

Tomtom (Gupta et al. 2007, Genome Biol. 8:R24) as the library memelite has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavebind.motifs.jaspar import latest_motifs
from wavebind.motifs.pwms import Motif

__all__ = ["Match", "adjusted", "match_motifs"]


@dataclass(frozen=True)
class Match:
    """A known motif and how much it is like another.

    Attributes
    ----------
    identifier, name : str
        Of the known motif.
    p : float
        Tomtom's, of the best alignment on either strand.
    q : float
        Adjusted for the number of known motifs (Benjamini & Hochberg 1995).
    """

    identifier: str
    name: str
    p: float
    q: float


def adjusted(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Benjamini and Hochberg's adjusted p-values, shape ``(test,)``."""
    order = np.argsort(p, kind="stable")
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    monotone = np.minimum.accumulate(ranked[::-1])[::-1]
    found = np.empty_like(monotone)
    found[order] = np.minimum(monotone, 1.0)
    return found


def match_motifs(
    motifs: Sequence[Motif], known: Sequence[Motif] | None = None, n: int = 5
) -> list[list[Match]]:
    """The best matches of each motif.

    Parameters
    ----------
    motifs : sequence of Motif
    known : sequence of Motif, optional
        By default the newest version of each matrix of JASPAR CORE vertebrates.
    n : int
        How many of each.

    Returns
    -------
    list of list of Match
        Of each motif, best first.
    """
    from memelite import tomtom

    targets = list(latest_motifs() if known is None else known)
    if not motifs:
        return []
    p_values = np.asarray(
        tomtom(
            [np.ascontiguousarray(m.probabilities().T) for m in motifs],
            [np.ascontiguousarray(t.probabilities().T) for t in targets],
            # Exact: no merging of columns that are nearly the same.
            n_target_bins=None,
        )[0],
        dtype=np.float64,
    )
    found = []
    for row in p_values:
        row = np.clip(row, 0.0, 1.0)
        q = adjusted(row)
        best = np.argsort(row, kind="stable")[:n]
        found.append(
            [
                Match(targets[i].identifier, targets[i].name, float(row[i]), float(q[i]))
                for i in best
            ]
        )
    return found
