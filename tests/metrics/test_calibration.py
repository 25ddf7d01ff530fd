import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from wavebind.core.errors import InputError
from wavebind.metrics.platt import PlattScaling, fit_calibration


def draws(n, slope, intercept, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(2, 5, n)
    labels = rng.random(n) < 1 / (1 + np.exp(-(slope * logits + intercept)))
    return labels.astype(np.int8), logits


def test_the_line_is_that_of_logistic_regression():
    labels, logits = draws(20_000, 0.7, -1.5)
    found = fit_calibration(labels, logits)
    reference = LogisticRegression(C=1e12).fit(logits[:, None], labels)
    assert found.slope == pytest.approx(reference.coef_[0, 0], rel=2e-3)
    assert found.intercept == pytest.approx(reference.intercept_[0], abs=5e-3)
    assert found.slope == pytest.approx(0.7, rel=0.05)


def test_classes_that_are_apart_have_an_answer():
    found = fit_calibration(
        np.array([0, 0, 0, 1, 1], dtype=np.int8), np.array([-3.0, -2, -1, 1, 2])
    )
    scores = found.probabilities(np.array([-3.0, 2.0]))
    assert scores[0] < 0.35
    assert scores[1] > 0.6


def test_logits_that_say_nothing_are_left_alone():
    labels, logits = draws(2000, 0.7, 0)
    assert fit_calibration(1 - labels, logits) == PlattScaling()
    assert fit_calibration(labels, np.full(2000, 3.0)) == PlattScaling()


def test_the_order_of_windows_stays():
    labels, logits = draws(500, 0.5, 1)
    scores = fit_calibration(labels, logits).probabilities(logits)
    assert np.array_equal(np.argsort(scores, kind="stable"), np.argsort(logits, kind="stable"))


@pytest.mark.parametrize("line", [(-1.0, 0.0), (0.0, 0.0), (1.0, float("inf")), (1e9, 0.0)])
def test_lines_that_cannot_be(line):
    with pytest.raises(InputError, match="positive slope and finite numbers"):
        PlattScaling(*line)


def test_another_prevalence_is_what_bayes_says():
    """Drop unbound windows at random: the corrected line is the one fitted to what is left."""
    labels, logits = draws(400_000, 0.8, -1.0)
    line = fit_calibration(labels, logits)
    assert line.prevalence == pytest.approx(labels.mean())
    keep = (labels == 1) | (np.random.default_rng(1).random(len(labels)) < 0.1)
    thinned = fit_calibration(labels[keep], logits[keep])
    moved = line.at_prevalence(float(labels[keep].mean()))
    grid = np.linspace(-8, 8, 33)
    np.testing.assert_allclose(moved.probabilities(grid), thinned.probabilities(grid), atol=0.006)
    p = moved.probabilities(logits[keep])
    assert p.mean() == pytest.approx(labels[keep].mean(), abs=0.003)


def test_probabilities_and_logits_are_inverse():
    line = PlattScaling(0.7, -1.2)
    logits = np.linspace(-20, 20, 41)
    np.testing.assert_allclose(line.logits(line.probabilities(logits)), logits, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlattScaling().at_prevalence(0.1), "does not say which fraction of its windows"),
        (
            lambda: PlattScaling(1.0, 0.0, 0.2).at_prevalence(1.0),
            "a prevalence lies between 0 and 1, both excluded; found 1.0",
        ),
        (lambda: PlattScaling(1.0, 0.0, 0.0), "a prevalence lies between 0 and 1"),
    ],
)
def test_prevalences_are_checked(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_predict_at_a_prevalence(trained, tmp_path, cli):
    run, _ = trained
    fasta = tmp_path / "w.fa"
    rng = np.random.default_rng(0)
    fasta.write_text("".join(f">{i}\n{''.join(rng.choice(list('ACGT'), 48))}\n" for i in range(20)))
    tables = []
    for arguments in ([], ["--prevalence", 0.01]):
        code, out, err = cli("predict", run, fasta, *arguments)
        assert code == 0, err
        rows = [line.split("\t") for line in out.splitlines()[1:]]
        tables.append(np.array([[float(x) for x in row[1:]] for row in rows]))
    before, after = tables
    np.testing.assert_array_equal(before[:, 1], after[:, 1])
    # Valid has as many bound as unbound windows: odds of 1 become odds of 1 in 99.
    odds = [t[:, 0] / (1 - t[:, 0]) for t in tables]
    np.testing.assert_allclose(odds[1], odds[0] / 99, rtol=1e-3)
    code, _, err = cli("predict", run, fasta, "--prevalence", 0)
    assert code == 1
    assert "a prevalence lies between 0 and 1, both excluded; found 0.0" in err


def test_a_card_at_a_prevalence_calls_the_same_windows(trained):
    from wavebind.models import load_model

    _, card = load_model(trained[0] / "model.safetensors")
    logits = np.linspace(-10, 10, 101)
    moved = card.at_prevalence(0.02)
    assert moved.threshold < card.threshold
    np.testing.assert_array_equal(
        card.probabilities(logits) >= card.threshold, moved.probabilities(logits) >= moved.threshold
    )
