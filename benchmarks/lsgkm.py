"""How closely wavebind agrees with LS-GKM: on its model, its kernel, its machine.

Reads LS-GKM's own test set (``nfe2_gm12878.*``: sequences, model, predictions, cross-validation).
Four comparisons: the model read by ``wavebind models --import``; a machine with the same hinge
loss on the project's kernel (libsvm, through scikit-learn); the same for cross-validation, in the
folds of the file; and the project's own machine, ``gkm-all``, whose loss is the squared hinge.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from wavebind.evaluate.baselines.gkmall import solve_svm
from wavebind.genome.sequences import read_fasta
from wavebind.models.lsgkm import import_lsgkm
from wavebind.models.modelfile import load_model
from wavebind.models.networks.gkm import Gkm
from wavebind.models.networks.gkmkernel import GkmKernel

Floats = NDArray[np.float64]


def sequences(path: Path) -> list[NDArray[np.uint8]]:
    """Codes of every record."""
    return [record.codes for record in read_fasta(path)]


def column(path: Path, number: int) -> Floats:
    """A column of a table without a header."""
    with gzip.open(path, "rt") as stream:
        return np.array([float(line.split("\t")[number]) for line in stream])


def gram(
    kernel: GkmKernel, left: list[NDArray[np.uint8]], right: list[NDArray[np.uint8]]
) -> Floats:
    """Kernels of every sequence of one list with every one of another, normalised."""
    words = [kernel.lmers(codes[None])[0] for codes in right]
    norms = np.array([kernel.norms(w[None])[0] for w in words])
    starts = np.r_[0, np.cumsum([len(w) for w in words])[:-1]]
    all_words = np.concatenate(words)
    rows = []
    for codes in left:
        mine = kernel.lmers(codes[None])
        table = kernel.smoothed(kernel.counts(mine[0], np.ones(mine.shape[1])))
        rows.append(np.add.reduceat(table[all_words], starts) / (kernel.norms(mine)[0] * norms))
    return np.stack(rows)


def line(name: str, found: Floats, expected: Floats, labels: NDArray[np.int8]) -> str:
    """One comparison as a row of a table."""
    return (
        f"| {name} | {np.abs(found - expected).max():.2g} | "
        f"{np.corrcoef(found, expected)[0, 1]:.5f} | {roc_auc_score(labels, found):.4f} | "
        f"{roc_auc_score(labels, expected):.4f} |"
    )


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where nfe2_gm12878.* lies")
    parser.add_argument("--out", type=Path, default=Path("lsgkm-run"), help="the imported run")
    options = parser.parse_args()
    stem = options.folder / "nfe2_gm12878"

    def named(end: str) -> Path:
        return stem.with_name(f"{stem.name}.{end}")

    import_lsgkm(named("model.txt.gz"), options.out, force=True)
    machine = load_model(options.out / "model.safetensors")[0].backbone
    if not isinstance(machine, Gkm):
        raise SystemExit("not a gapped k-mer machine")
    bound, unbound = sequences(named("tr.fa.gz")), sequences(named("neg.tr.fa.gz"))
    train = [*bound, *unbound]
    y = np.r_[np.ones(len(bound)), np.zeros(len(unbound))].astype(np.int8)
    begun = time.perf_counter()
    for codes in train:
        machine.scores(codes[None])
    seconds = time.perf_counter() - begun
    print(f"{len(train):,} training sequences scored in {seconds:.1f} s\n")
    tests = [*sequences(named("test.fa.gz")), *sequences(named("neg.test.fa.gz"))]
    expected = np.r_[column(named("test.pred.txt.gz"), 1), column(named("neg.test.pred.txt.gz"), 1)]
    labels = np.repeat([1, 0], len(tests) // 2).astype(np.int8)
    print("| | largest difference | correlation | AUROC | LS-GKM's AUROC |")
    print("| --- | --- | --- | --- | --- |")
    read = np.array([machine.scores(codes[None])[0] for codes in tests])
    print(line("its model, test", read, expected, labels))
    c = machine.config
    kernel = GkmKernel(c.l, c.k, c.d)
    matrix, test_matrix = gram(kernel, train, train), gram(kernel, tests, train)
    svm = SVC(kernel="precomputed", C=1.0, tol=1e-4).fit(matrix, y)
    print(line("same loss, test", svm.decision_function(test_matrix), expected, labels))
    folds = column(named("cvpred.txt.gz"), 3).astype(int)
    crossed, own = np.empty(len(y)), np.empty(len(y))
    for fold in np.unique(folds):
        out, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        svm = SVC(kernel="precomputed", C=1.0, tol=1e-4).fit(matrix[np.ix_(rest, rest)], y[rest])
        crossed[out] = svm.decision_function(matrix[np.ix_(out, rest)])
        inner = matrix[np.ix_(rest, rest)]
        beta, bias = solve_svm(lambda i, v, k=inner: k[:, i] @ v, y[rest], np.ones(len(rest)))
        own[out] = matrix[np.ix_(out, rest)] @ beta + bias
    theirs = column(named("cvpred.txt.gz"), 1)
    print(line("same loss, cross-validation", crossed, theirs, y))
    print(line("own machine (squared hinge), cross-validation", own, theirs, y))


if __name__ == "__main__":
    main()
