"""The gapped k-mer SVM on all training windows, without a matrix of kernels.

The primal problem with squared hinge loss by Newton's method (Chapelle 2007, Neural Comput.
19:1155): windows on the wrong side of their margin solve one linear system, by conjugate gradients,
whose product with the kernel is that of :mod:`wavebind.models.networks.gkmkernel`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.files import replace_file
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.genome.sequences import Codes
from wavebind.metrics.binary import ranking_metrics
from wavebind.models.networks.gkmkernel import GkmKernel

__all__ = ["GkmAll", "solve_svm"]

Floats = NDArray[np.float64]

#: Strengths of the loss that are tried, weakest first.
_STRENGTHS = (0.1, 1.0, 10.0)
_NEWTON_STEPS = 12
_CG_STEPS = 60
_TOLERANCE = 3e-3


def solve_svm(
    product: Callable[[NDArray[np.int64], Floats], Floats],
    labels: NDArray[np.int8],
    strength: Floats,
    start: tuple[Floats, float] | None = None,
) -> tuple[Floats, float]:
    """A support vector machine with squared hinge loss.

    Minimises ``beta K beta / 2 + sum(strength * max(0, 1 - y f) ** 2)`` with ``f = K beta + b``.

    Parameters
    ----------
    product : callable
        Takes windows ``(n,)`` and their coefficients ``(n,)`` to the sum of their kernels with
        every window, ``(window,)``.
    labels : numpy.ndarray
        Shape ``(window,)``: 1 and 0.
    strength : numpy.ndarray
        Shape ``(window,)``, of the loss of each window.
    start : tuple, optional
        Coefficients and bias to begin with.

    Returns
    -------
    tuple
        Coefficients ``(window,)``, zero beyond the margin, and the bias.
    """
    y = np.where(labels == 1, 1.0, -1.0)
    ridge = 1 / (2 * strength)
    beta, bias = (np.zeros(len(y)), 0.0) if start is None else start
    used = np.flatnonzero(beta)
    active = np.flatnonzero(y * (product(used, beta[used]) + bias) < 1)
    for _ in range(_NEWTON_STEPS):
        part, bias = _solve_active(product, active, y[active], ridge[active], beta[active])
        beta = np.zeros(len(y))
        beta[active] = part
        scores = product(active, part) + bias
        new = np.flatnonzero(y * scores < 1)
        # A few windows that cross the margin to and fro change nothing.
        if len(np.setxor1d(new, active)) <= 1e-3 * len(active):
            break
        active = new
    return beta, bias


def _solve_active(
    product: Callable[[NDArray[np.int64], Floats], Floats],
    active: NDArray[np.int64],
    y: Floats,
    ridge: Floats,
    start: Floats,
) -> tuple[Floats, float]:
    """Coefficients that add up to zero with ``(K + ridge) beta + b = y``, and ``b``."""

    def matrix(v: Floats) -> Floats:
        found: Floats = product(active, v)[active] + ridge * v
        return found

    x = start - start.mean()
    image = matrix(x)
    residual = y - image
    residual -= residual.mean()
    direction = residual.copy()
    square = float(residual @ residual)
    goal = _TOLERANCE**2 * float((y - y.mean()) @ (y - y.mean()))
    for _ in range(_CG_STEPS):
        if square <= goal:
            break
        step_image = matrix(direction)
        curvature = float(direction @ step_image)
        # A truncated kernel is not quite positive; there is nothing to gain along such a line.
        if curvature <= 0:
            break
        step = square / curvature
        x = x + step * direction
        image = image + step * step_image
        residual = residual - step * (step_image - step_image.mean())
        fresh = float(residual @ residual)
        direction = residual + (fresh / square) * direction
        square = fresh
    return x, float((y - image).mean())


class GkmAll(Baseline):
    """A gapped k-mer SVM on every training window, both classes weighing alike.

    The kernel is LS-GKM's default; the loss is the squared hinge, its strength chosen on valid.

    Attributes
    ----------
    table : numpy.ndarray
        Once fitted, what each l-mer adds, divided later by a window's norm: ``float64``, shape
        ``(4 ** 11,)``.
    bias : float
        Once fitted.
    """

    table: Floats
    bias: float

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Train at each strength; keep the best on valid.

        Leaves ``profiles.npz``: what each base of the bound test windows
        adds, those that score most on top.
        """
        del seed
        kernel = self._kernel = GkmKernel()
        if data.length < kernel.l:
            raise InputError(
                f"{data.path}: windows of {data.length} bp are shorter than {kernel.l} bp"
            )
        train, valid = data.indices("train"), data.indices("valid")
        labels = data.labels[train]
        words = kernel.lmers(np.asarray(data.codes[train]))
        norms = kernel.norms(words)
        held = np.asarray(data.codes[valid])
        share = np.where(labels == 1, (labels == 1).mean(), (labels != 1).mean())

        def product(windows: NDArray[np.int64], coefficients: Floats) -> Floats:
            table = kernel.table(words[windows], coefficients / norms[windows])
            return kernel.sums(words, table) / norms

        best, start = -1.0, None
        kept = (0.0, 0)
        for strength in _STRENGTHS:
            start = solve_svm(product, labels, strength / (2 * share), start)
            beta, bias = start
            used = np.flatnonzero(beta)
            table = kernel.table(words[used], beta[used] / norms[used])
            auroc, auprc = ranking_metrics(data.labels[valid], self._scores(held, table, bias))
            on_event(
                Message(
                    f"gapped k-mers, strength {strength:g}: valid AUROC {auroc:.4f}, AUPRC "
                    f"{auprc:.4f}, {len(used):,} support vectors"
                )
            )
            if auroc > best:
                best, kept = auroc, (strength, len(used))
                self.table, self.bias = table, bias
        self._keep_profiles(data, folder)
        return Fitted(
            kept[1] + 1,
            len(train),
            f"{len(train):,} windows, {kept[1]:,} support vectors, strength {kept[0]:g}",
            {"strength": kept[0]},
        )

    def _scores(self, codes: Codes, table: Floats, bias: float) -> Floats:
        words = self._kernel.lmers(codes)
        return self._kernel.sums(words, table) / self._kernel.norms(words) + bias

    def predict(self, codes: Codes) -> Floats:
        """Values of the decision function."""
        return self._scores(codes, self.table, self.bias)

    def base_scores(self, codes: Codes) -> Floats:
        """What each base adds to the decision: that of each l-mer, shared among its bases.

        Parameters
        ----------
        codes : numpy.ndarray
            ``uint8``, shape ``(window, position)``.

        Returns
        -------
        numpy.ndarray
            ``float64``, the same shape; a row adds up to the decision without the bias.
        """
        kernel = self._kernel
        words = kernel.lmers(codes)
        shares = self.table[words] / (kernel.l * kernel.norms(words)[:, None])
        found = np.zeros(codes.shape)
        for i in range(kernel.l):
            found[:, i : i + words.shape[1]] += shares
        return found

    def _keep_profiles(self, data: Dataset, folder: Path) -> None:
        """Keep the scores of bases of the bound test windows."""
        part = next(p for p in ("test", "valid") if (data.parts == p).any())
        indices = data.indices(part)
        bound = indices[data.labels[indices] == 1]
        codes = np.asarray(data.codes[bound])
        scores = self.base_scores(codes)
        with replace_file(folder / "profiles.npz") as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                index=bound,
                base_scores=scores.astype(np.float32),
                scores=self.predict(codes),
            )
