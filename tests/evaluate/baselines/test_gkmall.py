import numpy as np
import pytest

from helpers import MOTIF
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import balanced_sample, open_dataset
from wavebind.evaluate.baselines.gkmall import GkmAll, solve_svm
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters
from wavebind.metrics.binary import ranking_metrics
from wavebind.models.networks.gkmkernel import GkmKernel, estimated_weights, transform

RNG = np.random.default_rng(2)
CODES = RNG.integers(0, 4, (30, 40)).astype(np.uint8)
SMALL = (6, 4, 2)


def onehot(codes):
    return np.stack([codes == base for base in range(4)], axis=1).astype(np.float64)


def library_gram(codes, length, k, d):
    from gkmsvm.gram import compute_gram
    from gkmsvm.kernels.esttrunc import EstTruncGkmKernel

    return compute_gram(EstTruncGkmKernel(length, k, d=d), onehot(codes))


@pytest.mark.parametrize("sizes", [(11, 7, 3), (10, 6, 3), (8, 5, 4), (6, 4, 6), (4, 4, 0)])
def test_weights_are_those_of_ls_gkm(sizes):
    from gkmsvm.kernels.esttrunc import EstTruncGkmKernel

    length, k, d = sizes
    expected = EstTruncGkmKernel(length, k, d=d)._mismatch_table
    np.testing.assert_allclose(estimated_weights(length, k, d), expected, rtol=1e-10, atol=1e-14)


def test_the_transform_is_its_definition():
    table = RNG.normal(size=2**7)
    index = np.arange(2**7)
    signs = [[(-1.0) ** bin(i & j).count("1") for j in index] for i in index]
    np.testing.assert_allclose(transform(table), np.array(signs) @ table, atol=1e-10)


@pytest.mark.parametrize("sizes", [SMALL, (9, 6, 3)])
def test_sums_of_kernels_are_those_of_the_matrix(sizes):
    kernel = GkmKernel(*sizes)
    words = kernel.lmers(CODES)
    norms = kernel.norms(words)
    coefficients = RNG.normal(size=len(CODES)) * (RNG.random(len(CODES)) < 0.7)
    found = kernel.sums(words, kernel.table(words, coefficients / norms)) / norms
    np.testing.assert_allclose(found, library_gram(CODES, *sizes) @ coefficients, atol=1e-10)


def test_the_svm_is_the_optimum_of_its_problem():
    """Against a general optimiser on the whole matrix."""
    from scipy.optimize import minimize

    gram = library_gram(CODES, *SMALL)
    labels = (np.arange(30) % 3 == 0).astype(np.int8)
    y = np.where(labels, 1.0, -1.0)
    strength = np.where(labels, 2.0, 1.0)

    def product(windows, coefficients):
        return gram[:, windows] @ coefficients

    def objective(x):
        beta, bias = x[:-1], x[-1]
        f = gram @ beta + bias
        slack = np.maximum(0, 1 - y * f)
        gradient = -2 * strength * y * slack
        value = beta @ gram @ beta / 2 + strength @ slack**2
        return value, np.append(gram @ beta + gram @ gradient, gradient.sum())

    best = minimize(objective, np.zeros(31), jac=True, method="L-BFGS-B", tol=1e-14,
                    options={"maxiter": 20000})  # fmt: skip
    beta, bias = solve_svm(product, labels, strength)
    # The kernel's matrix is close to singular: the scores are what is determined.
    scores = gram @ beta + bias
    expected = gram @ best.x[:-1] + best.x[-1]
    np.testing.assert_allclose(scores, expected, atol=0.02)
    assert objective(np.append(beta, bias))[0] <= 1.001 * best.fun


def library_scores(data, n_each, codes):
    """What gkmsvm-lite makes of as many training windows of either class."""
    from gkmsvm import train_gkmsvm

    chosen, labels = balanced_sample(data, np.random.default_rng(0), n_each)
    bound, unbound = (onehot(chosen[labels == y]).astype(np.float32) for y in (1, 0))
    model = train_gkmsvm(bound, unbound, kernel_type=2, l=11, k=7, d=3, C=1.0, device="cpu")
    return np.asarray(model(onehot(codes).astype(np.float32)), dtype=np.float64).ravel()


@pytest.fixture
def windows(trained):
    return open_dataset(trained[1])


@pytest.mark.slow
def test_all_windows_beats_chance_and_ranks_like_the_library(windows, tmp_path):
    baseline = GkmAll()
    fitted = baseline.fit(windows, tmp_path, 0)
    assert fitted.n_windows == 300
    test = windows.indices("test")
    labels = windows.labels[test].astype(int)
    ours = baseline.predict(windows.codes[test])
    theirs = library_scores(windows, 150, windows.codes[test])
    assert ranking_metrics(labels, ours)[0] > 0.95
    assert ranking_metrics(labels, theirs)[0] > 0.95
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    # What the bases add is the whole decision, and the planted motif is what adds most.
    bound = test[labels == 1]
    scores = baseline.base_scores(windows.codes[bound])
    np.testing.assert_allclose(scores.sum(1), ours[labels == 1] - baseline.bias, atol=1e-9)
    kept = np.load(tmp_path / "profiles.npz")
    np.testing.assert_array_equal(kept["index"], bound)
    np.testing.assert_allclose(kept["base_scores"], scores, atol=1e-5)
    inside = []
    for codes, row in zip(windows.codes[bound], scores, strict=True):
        letters = to_letters(codes)
        at = max(letters.find(MOTIF), letters.find(to_letters(reverse_complement(to_codes(MOTIF)))))
        inside.append(row[at : at + len(MOTIF)].mean() > np.delete(row, range(at, at + 14)).mean())
    assert np.mean(inside) > 0.9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: estimated_weights(13, 7, 3), "1 <= k <= l <= 12"),
        (lambda: GkmKernel().lmers(CODES[:, :8]), "windows of 8 bp are shorter than l-mers"),
    ],
)
def test_errors(make, message):
    with pytest.raises(InputError, match=message):
        make()
