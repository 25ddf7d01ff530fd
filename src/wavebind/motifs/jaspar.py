"""The JASPAR CORE matrices of vertebrates that the package carries.

JASPAR 2026, CC BY 4.0 (Rauluseviciute et al. 2024, Nucleic Acids Res. 52:D174, and its successors);
made by ``scripts/jaspar_table.py``.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.genome.sequences import Codes
from wavebind.metrics.binary import ranking_metrics
from wavebind.motifs.pwms import Motif, letter_frequencies, motif_scores

__all__ = ["all_motifs", "choose_motif", "find_motif", "latest_motifs"]

_FILE = "jaspar_vertebrates.tsv.gz"
#: Windows of each class on which all matrices are tried, and then the better ones.
_N_FIRST, _N_SECOND, _N_KEPT = 750, 5000, 20


@cache
def all_motifs() -> tuple[Motif, ...]:
    """Every matrix, old versions too, by identifier."""
    data = (resources.files("wavebind") / "resources" / _FILE).read_bytes()
    motifs = []
    for line in gzip.decompress(data).decode("utf-8").splitlines():
        if line.startswith(("#", "matrix\t")):
            continue
        identifier, name, _, family, counts = line.split("\t")
        table = np.array([row.split(",") for row in counts.split(";")], dtype=np.float64)
        motifs.append(Motif(identifier, name, table, family))
    return tuple(motifs)


def latest_motifs() -> tuple[Motif, ...]:
    """The newest version of each matrix."""
    newest: dict[str, Motif] = {}
    for motif in all_motifs():
        base, version = motif.identifier.rsplit(".", 1)
        held = newest.get(base)
        if held is None or int(version) > int(held.identifier.rsplit(".", 1)[1]):
            newest[base] = motif
    return tuple(newest.values())


def find_motif(name: str) -> Motif:
    """A matrix by its identifier, or the newest one by the name of its factor.

    Parameters
    ----------
    name : str
        ``MA0139.1``, ``MA0139`` (its newest version) or ``CTCF``, in any case.

    Raises
    ------
    InputError
        If there is none.
    """
    wanted = name.strip().upper()
    for motif in all_motifs():
        if motif.identifier == wanted:
            return motif
    for motif in latest_motifs():
        if motif.identifier.split(".")[0] == wanted:
            return motif
    for motif in latest_motifs():
        if motif.name.upper() == wanted:
            return motif
    raise InputError(
        f"motif {name!r} is not in JASPAR CORE vertebrates; name one as MA0139.1, MA0139 or CTCF, "
        f"or leave it to 'auto'"
    )


def choose_motif(
    sample: Callable[[int], tuple[Codes, NDArray[np.int8]]], codes: Codes
) -> tuple[Motif, int]:
    """The matrix whose best hits tell bound from unbound windows best.

    All matrices are tried on a few windows, and the better ones on more.

    Parameters
    ----------
    sample : callable
        Takes a number of windows of each class to their codes ``(window, position)`` and labels
        ``(window,)``, 1 for bound. If there are fewer, it gives all.
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``: windows whose letters are the background.

    Returns
    -------
    tuple
        The matrix, and the largest number of windows that it was chosen on.
    """
    background = letter_frequencies(codes)
    motifs = [motif for motif in all_motifs() if motif.width <= codes.shape[1]]
    n_windows = 0
    for n_each, n_kept in ((_N_FIRST, _N_KEPT), (_N_SECOND, 1)):
        windows, labels = sample(n_each)
        n_windows = max(n_windows, len(windows))
        scores = motif_scores(windows, motifs, background)
        aurocs = [ranking_metrics(labels, column)[0] for column in scores.T]
        best = np.argsort(-np.array(aurocs), kind="stable")[:n_kept]
        motifs = [motifs[i] for i in best]
    return motifs[0], n_windows
