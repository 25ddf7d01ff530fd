"""Best hits of one matrix: one of JASPAR, or one discovered in the training windows."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.datasets.dataset import Dataset, balanced_sample
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.genome.sequences import Codes, to_letters
from wavebind.motifs.discovery import discover_motifs
from wavebind.motifs.jaspar import choose_motif, find_motif
from wavebind.motifs.pwms import (
    Motif,
    letter_frequencies,
    motif_scores,
    read_meme,
    write_meme,
)

__all__ = ["DiscoveredMatrix", "JasparMatrix", "write_fasta"]

_N_DISCOVERY = 4000
_TIMEOUT = 4 * 3600


class _Matrix(Baseline):
    """The log-odds of the best hit of a matrix, over positions and both strands."""

    motif: Motif
    background: tuple[float, ...]

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Bits of the best hit."""
        return motif_scores(codes, [self.motif], self.background)[:, 0]


class JasparMatrix(_Matrix):
    """A matrix of JASPAR.

    Parameters
    ----------
    name : str
        An identifier or a factor, or ``auto`` for the one that tells the training windows apart
        best.
    """

    def __init__(self, name: str = "auto") -> None:
        self.name = name

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Find the matrix."""
        del seed
        codes = np.asarray(data.codes[data.indices("train")])
        self.background = letter_frequencies(codes)
        n_windows, how = 0, ""
        if self.name == "auto":
            on_event(Message("trying the matrices of JASPAR on training windows"))
            # The same windows whatever the seed: there is one answer.
            sample = partial(balanced_sample, data, np.random.default_rng(0))
            self.motif, n_windows = choose_motif(sample, codes)
            how = ", the best of JASPAR on train"
        else:
            self.motif = find_motif(self.name)
            if self.motif.width > data.length:
                raise InputError(
                    f"motif {self.motif.label} is {self.motif.width} bp wide, and the windows of "
                    f"{data.path} have {data.length} bp"
                )
        write_meme(folder / "motif.meme", [self.motif])
        return Fitted(0, n_windows, f"{self.motif.label}{how}", {"motif": self.motif.identifier})


class DiscoveredMatrix(_Matrix):
    """A matrix found in the training windows, by ``streme`` where the MEME suite is installed.

    Parameters
    ----------
    n_each : int
        Windows of each class that are searched.
    """

    seeded = True

    def __init__(self, n_each: int = _N_DISCOVERY) -> None:
        self.n_each = n_each

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Search."""
        self.background = letter_frequencies(np.asarray(data.codes[data.indices("train")]))
        codes, labels = balanced_sample(data, np.random.default_rng(seed), self.n_each)
        bound, unbound = codes[labels == 1], codes[labels == 0]
        program = shutil.which("streme")
        if program:
            self.motif, how = _streme(program, bound, unbound), "streme of the MEME suite"
        else:
            on_event(Message("streme is not installed; the package's own search is used"))
            found = discover_motifs(bound, unbound)
            if not found:
                raise InputError(f"{data.path}: no word is enriched in the bound windows of train")
            self.motif, how = found[0].motif, "the package's own search"
        write_meme(folder / "motif.meme", [self.motif])
        return Fitted(
            3 * self.motif.width,
            len(codes),
            f"{self.motif.name or self.motif.identifier}, by {how}",
            {"program": "streme" if program else "wavebind"},
        )


def write_fasta(path: Path, codes: Codes) -> None:
    """Windows as FASTA, named by their number."""
    with path.open("w", encoding="ascii") as stream:
        for i, row in enumerate(codes):
            stream.write(f">{i}\n{to_letters(row)}\n")


def _streme(program: str, bound: Codes, unbound: Codes) -> Motif:
    """The first motif of STREME."""
    with tempfile.TemporaryDirectory(prefix="wavebind-") as name:
        folder = Path(name)
        write_fasta(folder / "bound.fa", bound)
        write_fasta(folder / "unbound.fa", unbound)
        command = [program, "--p", str(folder / "bound.fa"), "--n", str(folder / "unbound.fa")]
        command += ["--dna", "--nmotifs", "1", "--maxw", "20", "--text"]
        try:
            done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
                command, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"{program}: did not finish ({error})") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{program}: ended with code {done.returncode}: {last}")
        (folder / "streme.txt").write_text(done.stdout, encoding="utf-8")
        return read_meme(folder / "streme.txt")[0]
