import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from wavebind.calibration import Calibration, fit_calibration
from wavebind.errors import InputError


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
    assert fit_calibration(1 - labels, logits) == Calibration()
    assert fit_calibration(labels, np.full(2000, 3.0)) == Calibration()


def test_the_order_of_windows_stays():
    labels, logits = draws(500, 0.5, 1)
    scores = fit_calibration(labels, logits).probabilities(logits)
    assert np.array_equal(np.argsort(scores, kind="stable"), np.argsort(logits, kind="stable"))


@pytest.mark.parametrize("line", [(-1.0, 0.0), (0.0, 0.0), (1.0, float("inf")), (1e9, 0.0)])
def test_lines_that_cannot_be(line):
    with pytest.raises(InputError, match="positive slope and finite numbers"):
        Calibration(*line)
