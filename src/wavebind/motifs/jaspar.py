"""The JASPAR CORE matrices of vertebrates that the package carries.

JASPAR 2026, CC BY 4.0 (Rauluseviciute et al. 2024, Nucleic Acids Res. 52:D174, and its successors);
made by ``scripts/jaspar_table.py``.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib import resources

import numpy as np

from wavebind.core.errors import InputError
from wavebind.motifs.pwms import Motif

__all__ = ["all_motifs", "find_motif", "latest_motifs"]

_FILE = "jaspar_vertebrates.tsv.gz"


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
