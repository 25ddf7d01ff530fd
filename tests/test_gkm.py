import numpy as np
import pytest

from conftest import MOTIF
from wavebind.baselines import gkm
from wavebind.baselines.gkm import GkmSVM
from wavebind.baselines.gkmall import GkmAll, solve_svm
from wavebind.baselines.gkmkernel import GkmKernel, estimated_weights, transform
from wavebind.dataset import open_dataset
from wavebind.errors import InputError
from wavebind.evaluation import ranking_metrics
from wavebind.sequences import reverse_complement, to_codes, to_letters

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


@pytest.fixture
def windows(trained):
    return open_dataset(trained[1])


def test_all_windows_beats_chance_and_ranks_like_the_library(windows, tmp_path):
    rival = GkmAll()
    fitted = rival.fit(windows, tmp_path, 0)
    assert fitted.n_windows == 300
    test = windows.indices("test")
    labels = windows.labels[test].astype(int)
    ours = rival.predict(windows.codes[test])
    library = GkmSVM(300)
    library.fit(windows, tmp_path, 0)
    theirs = library.predict(windows.codes[test])
    assert ranking_metrics(labels, ours)[0] > 0.95
    assert ranking_metrics(labels, theirs)[0] > 0.95
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    # What the bases add is the whole decision, and the planted motif is what adds most.
    bound = test[labels == 1]
    scores = rival.base_scores(windows.codes[bound])
    np.testing.assert_allclose(scores.sum(1), ours[labels == 1] - rival._bias, atol=1e-9)
    kept = np.load(tmp_path / "profiles.npz")
    np.testing.assert_array_equal(kept["index"], bound)
    np.testing.assert_allclose(kept["base_scores"], scores, atol=1e-5)
    assert (tmp_path / "profiles.png").read_bytes().startswith(b"\x89PNG")
    inside = []
    for codes, row in zip(windows.codes[bound], scores, strict=True):
        letters = to_letters(codes)
        at = max(letters.find(MOTIF), letters.find(to_letters(reverse_complement(to_codes(MOTIF)))))
        inside.append(row[at : at + len(MOTIF)].mean() > np.delete(row, range(at, at + 14)).mean())
    assert np.mean(inside) > 0.9


def test_the_library_is_the_library(windows, tmp_path):
    """The wrapper gives what the package gives for the same windows."""
    from gkmsvm import train_gkmsvm

    from wavebind.baselines.rival import balanced_sample

    rival = GkmSVM(40)
    fitted = rival.fit(windows, tmp_path, 3)
    assert fitted.n_windows == 40
    assert "gkmsvm-lite, 40 windows" in fitted.details
    codes, labels = balanced_sample(windows, np.random.default_rng(3), 20)
    bound, unbound = ([to_letters(c) for c in codes[labels == y]] for y in (1, 0))
    model = train_gkmsvm(bound, unbound, l=11, k=7, d=3, C=1.0, device="cpu")
    test = windows.codes[windows.indices("test")[:10]]
    expected = model(onehot(test).astype(np.float32)).ravel()
    np.testing.assert_allclose(rival.predict(test), expected, atol=1e-4)


PROGRAM = """#!{python}
import sys
if {train}:
    open(sys.argv[-1] + ".model.txt", "w").write("svm_type c_svc\\ntotal_sv 7\\nSV\\n")
    assert sys.argv[-3].endswith("bound.fa") and sys.argv[-2].endswith("unbound.fa")
    assert sys.argv[1:11] == "-t 2 -l 11 -k 7 -d 3 -c 1.0".split()
else:
    lines = open(sys.argv[-3]).read().split()
    with open(sys.argv[-1], "w") as out:
        for name, seq in zip(lines[::2], lines[1::2]):
            if {fail} and name == ">1":
                continue
            out.write(name[1:] + "\\t" + str(seq.count("G") / 8) + "\\n")
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    def make(fail=False, broken=False):
        import sys

        folder = tmp_path / "bin"
        folder.mkdir()
        for name in ("gkmtrain", "gkmpredict"):
            text = PROGRAM.format(python=sys.executable, train=name == "gkmtrain", fail=fail)
            if broken:
                text = f"#!{sys.executable}\nimport sys\nsys.exit('no room')\n"
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


def test_programs_are_used_where_they_are(windows, tmp_path, programs):
    programs()
    rival = GkmSVM(40)
    fitted = rival.fit(windows, tmp_path, 0)
    assert fitted.details == "LS-GKM, 40 windows, 7 support vectors"
    test = windows.codes[windows.indices("test")[:5]]
    np.testing.assert_allclose(rival.predict(test), (test == 2).sum(1) / 8)


def test_programs_that_fail_are_said(windows, tmp_path, programs):
    programs(broken=True)
    with pytest.raises(InputError, match="gkmtrain: ended with code 1: no room"):
        GkmSVM(40).fit(windows, tmp_path, 0)


def test_windows_that_a_program_leaves_out_are_said(windows, tmp_path, programs):
    programs(fail=True)
    rival = GkmSVM(40)
    rival.fit(windows, tmp_path, 0)
    with pytest.raises(InputError, match="gkmpredict left out 1 of 5 windows"):
        rival.predict(windows.codes[:5])


def test_without_library_and_programs(monkeypatch):
    import builtins

    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "gkmsvm":
            raise ModuleNotFoundError("no", name="gkmsvm")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match="needs LS-GKM's programs or the package gkmsvm-lite"):
        gkm._library()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GkmSVM(3), "the SVM needs 4 windows or more; found 3"),
        (lambda: estimated_weights(13, 7, 3), "1 <= k <= l <= 12"),
        (lambda: GkmKernel().lmers(CODES[:, :8]), "windows of 8 bp are shorter than l-mers"),
    ],
)
def test_errors(make, message):
    with pytest.raises(InputError, match=message):
        make()
