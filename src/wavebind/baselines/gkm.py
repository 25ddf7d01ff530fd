"""The gapped k-mer support vector machine (Ghandi et al. 2014, PLoS Comput. Biol. 10:e1003711).

LS-GKM's own programs (Lee 2016, Bioinformatics 32:2196) are used where they are installed, since
they are faster, and the library gkmsvm-lite otherwise.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.baselines.matrices import write_fasta
from wavebind.baselines.rival import Fitted, Rival, balanced_sample
from wavebind.dataset import Dataset
from wavebind.errors import InputError
from wavebind.sequences import Codes
from wavebind.trainingconfig import TrainingMonitor

__all__ = ["GkmSVM", "use_programs"]

#: What LS-GKM takes by itself: estimated l-mers with a truncated filter, l, k, d and C.
_KERNEL, _L, _K, _D, _C = 2, 11, 7, 3, 1.0
_TIMEOUT = 24 * 3600


def use_programs() -> tuple[str, str] | None:
    """The paths of ``gkmtrain`` and ``gkmpredict``, if both are installed."""
    found = shutil.which("gkmtrain"), shutil.which("gkmpredict")
    return (found[0], found[1]) if found[0] and found[1] else None


class GkmSVM(Rival):
    """A support vector machine on gapped k-mers, with LS-GKM's default kernel and settings.

    Parameters
    ----------
    n_windows : int
        Training windows, half of them bound; the time it takes grows with their square.
    """

    seeded = True

    def __init__(self, n_windows: int = 4000) -> None:
        if n_windows < 4:
            raise InputError(f"the SVM needs 4 windows or more; found {n_windows}")
        self.n_windows = n_windows
        self._model: Any = None
        self._file: Path | None = None

    def fit(
        self, data: Dataset, folder: Path, seed: int, monitor: TrainingMonitor | None = None
    ) -> Fitted:
        """Train on as many windows of both classes."""
        if data.length < _L:
            raise InputError(f"{data.path}: windows of {data.length} bp are shorter than {_L} bp")
        rng = np.random.default_rng(seed)
        codes, labels = balanced_sample(data, rng, self.n_windows // 2)
        bound, unbound = codes[labels == 1], codes[labels == 0]
        programs = use_programs()
        name = "LS-GKM" if programs else "gkmsvm-lite"
        if monitor:
            monitor.said(f"{name} trains on {len(codes):,} windows; this has no progress to show")
        if programs:
            self._file = folder / "gkm.model.txt"
            self._train_programs(programs[0], bound, unbound, folder)
            n_vectors = _support_vectors(self._file)
        else:
            self._train_library(bound, unbound)
            n_vectors = int(self._model.num_support_vectors)
        details = f"{name}, {len(codes):,} windows, {n_vectors:,} support vectors"
        return Fitted(n_vectors + 1, len(codes), details, {"program": name})

    def _train_programs(self, program: str, bound: Codes, unbound: Codes, folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="wavebind-") as name:
            place = Path(name)
            write_fasta(place / "bound.fa", bound)
            write_fasta(place / "unbound.fa", unbound)
            options = ["-t", _KERNEL, "-l", _L, "-k", _K, "-d", _D, "-c", _C, "-T", 4, "-m", 2000]
            files = [place / "bound.fa", place / "unbound.fa", folder / "gkm"]
            _call([program, *options, *files])

    def _train_library(self, bound: Codes, unbound: Codes) -> None:
        train = _library().train_gkmsvm
        # All threads of the process; the whole matrix of kernels fits at any size worth waiting
        # for.
        self._model = train(
            _onehot(bound),
            _onehot(unbound),
            kernel_type=_KERNEL,
            l=_L,
            k=_K,
            d=_D,
            C=_C,
            device="cpu",
        )

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Values of the decision function."""
        if self._file is None:
            found = self._model(_onehot(codes))
            return np.asarray(found, dtype=np.float64).reshape(len(codes))
        programs = use_programs()
        if programs is None:
            raise InputError("gkmpredict is no longer installed; compare again")
        with tempfile.TemporaryDirectory(prefix="wavebind-") as name:
            place = Path(name)
            write_fasta(place / "windows.fa", codes)
            options = ["-T", 4, place / "windows.fa", self._file, place / "scores.tsv"]
            _call([programs[1], *options])
            lines = (place / "scores.tsv").read_text(encoding="ascii").splitlines()
        scores = np.full(len(codes), np.nan)
        for line in lines:
            window, value = line.split("\t")[:2]
            scores[int(window)] = float(value)
        if np.isnan(scores).any():
            n = int(np.isnan(scores).sum())
            raise InputError(f"gkmpredict left out {n:,} of {len(codes):,} windows")
        return scores


def _library() -> Any:
    try:
        import gkmsvm
    except ModuleNotFoundError as error:
        raise InputError(
            f"the gapped k-mer SVM needs LS-GKM's programs or the package gkmsvm-lite "
            f"({error.name} is missing); install it with 'pip install gkmsvm-lite', or leave "
            f"gkm-svm out of --models"
        ) from error
    return gkmsvm


def _onehot(codes: Codes) -> NDArray[np.float32]:
    """``(window, 4, position)``, as the library takes it; unknown bases are zero."""
    onehot = np.stack([codes == base for base in range(4)], axis=1)
    return onehot.astype(np.float32)


def _call(command: list[Any]) -> None:
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            words, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{words[0]}: did not finish ({error})") from error
    if done.returncode:
        last = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{words[0]}: ended with code {done.returncode}: {last}")


def _support_vectors(path: Path) -> int:
    """The number that LS-GKM's model file says."""
    with path.open(encoding="ascii", errors="replace") as stream:
        for line in stream:
            if line.startswith("total_sv"):
                return int(line.split()[1])
            if line.startswith("SV"):
                break
    raise InputError(f"{path}: is not a model of LS-GKM")
