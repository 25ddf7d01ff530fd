"""Models of other programs as runs."""

from __future__ import annotations

from pathlib import Path

from wavebind.api.frames import PathLike
from wavebind.models import load_model
from wavebind.models.lsgkm import import_lsgkm
from wavebind.models.rundir import RunDir

__all__ = ["import_model"]


def import_model(
    model: PathLike, out: PathLike, *, length: int | None = None, force: bool = False
) -> str:
    """Make a run of a model of LS-GKM.

    Raises what :func:`wavebind.models.lsgkm.import_lsgkm` does.

    Parameters
    ----------
    model : path
        What ``gkmtrain`` wrote, gzipped or not.
    out : path
        The folder of the run, which :func:`wavebind.load` opens.
    length : int, optional
        Window length in base pairs for whatever goes along a genome; by default that of most
        support vectors.
    force : bool
        Whether an older run is replaced.

    Returns
    -------
    str
        What was read, in a sentence.
    """
    folder = import_lsgkm(Path(model), Path(out), length, force=force)
    card = load_model(RunDir(folder).model)[1]
    kernel, n_unknown = card.training["lsgkm"], card.training["n_unknown"]
    return (
        f"{folder}: gapped k-mer machine of LS-GKM, L {kernel['l']}, k {kernel['k']}, d "
        f"{kernel['d']}, {card.training['n_vectors']:,} support vectors; windows of "
        f"{card.model.length} bp where a genome is gone along"
        + (f"; {n_unknown:,} letters that are no base are read as A" if n_unknown else "")
    )
