"""Which known motif a motif resembles: Tomtom against JASPAR.

Tomtom (Gupta et al. 2007, Genome Biol. 8:R24) as the library memelite has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavebind.motifs.jaspar import latest_motifs
from wavebind.motifs.pwms import Motif

__all__ = ["Match", "match_motifs"]


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


def _rank(q: float, p: float, known: Motif) -> tuple[float, bool, str, float]:
    """The order of matches: by q, and of equal ones the matrix of one factor that people know.

    The adjustment of p-values gives several of them one q. Those of single factors come before
    those of two (``::``), and older matrices before newer ones.
    """
    return float(f"{q:.6g}"), "::" in known.name, known.identifier, p


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
    from scipy.stats import false_discovery_control

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
        q = false_discovery_control(row)
        best = sorted(range(len(targets)), key=lambda i: _rank(q[i], row[i], targets[i]))[:n]
        found.append(
            [
                Match(targets[i].identifier, targets[i].name, float(row[i]), float(q[i]))
                for i in best
            ]
        )
    return found
