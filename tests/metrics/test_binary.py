import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from wavebind.core.errors import InputError
from wavebind.metrics.binary import (
    METRICS,
    auroc_with_interval,
    best_threshold,
    curves,
    evaluate,
    ranking_metrics,
)
from wavebind.metrics.reliability import (
    BinnedError,
    calibration_error,
    calibration_floor,
    reliability_curve,
)


def example(n=400, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(int)
    scores = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * labels - 1)))
    return labels, np.round(scores, 1) if ties else scores


def sklearn_values(labels, scores, threshold):
    called = (scores >= threshold).astype(int)
    return {
        "auroc": sk.roc_auc_score(labels, scores),
        "auprc": sk.average_precision_score(labels, scores),
        "accuracy": sk.accuracy_score(labels, called),
        "precision": sk.precision_score(labels, called, zero_division=0),
        "recall": sk.recall_score(labels, called),
        "f1": sk.f1_score(labels, called),
        "mcc": sk.matthews_corrcoef(labels, called),
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=3, max_size=60),
    st.integers(0, 10),
)
def test_values_are_those_of_scikit_learn(pairs, threshold):
    labels = np.array([a for a, _ in pairs])
    scores = np.array([b for _, b in pairs], dtype=float)
    if not 0 < labels.sum() < len(labels):
        return
    found = evaluate(labels, scores, float(threshold), np.random.default_rng(0), n_resamples=2)
    for name, value in sklearn_values(labels, scores, threshold).items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
    assert ranking_metrics(labels, scores)[0] == pytest.approx(found["auroc"].value)


@pytest.mark.parametrize("ties", [pytest.param(False, marks=pytest.mark.slow), True])
def test_intervals_are_those_of_a_naive_bootstrap(ties):
    labels, scores = example(ties=ties)
    found = evaluate(labels, scores, 0.5, np.random.default_rng(1), n_resamples=2000)
    rng = np.random.default_rng(2)
    draws = {name: [] for name in METRICS}
    for _ in range(400):
        i = rng.integers(0, len(labels), len(labels))
        for name, value in sklearn_values(labels[i], scores[i], 0.5).items():
            draws[name].append(value)
    for name in METRICS:
        low, high = np.percentile(draws[name], [2.5, 97.5])
        width = high - low
        assert found[name].low == pytest.approx(low, abs=0.25 * width), name
        assert found[name].high == pytest.approx(high, abs=0.25 * width), name
        assert found[name].low < found[name].value < found[name].high
    alone = auroc_with_interval(labels, scores, np.random.default_rng(1), 2000)
    assert alone == found["auroc"]


def test_an_interval_covers_the_truth_about_95_times_in_100():
    hits = 0
    truth = 0.8556  # P(N(1.5, 1) > N(0, 1)) = Phi(1.5 / sqrt 2)
    for seed in range(200):
        labels, scores = example(150, seed)
        found = auroc_with_interval(labels, scores, np.random.default_rng(seed), 300)
        hits += found.low <= truth <= found.high
    assert 180 <= hits <= 199


@pytest.mark.parametrize("ties", [False, True])
def test_the_threshold_has_the_largest_correlation(ties):
    labels, scores = example(ties=ties)
    best = sk.matthews_corrcoef(labels, scores >= best_threshold(labels, scores))
    everywhere = [sk.matthews_corrcoef(labels, scores >= t) for t in np.unique(scores)]
    assert best == pytest.approx(max(everywhere))


def test_curves_are_those_of_scikit_learn():
    labels, scores = example(ties=True)
    points = curves(labels, scores)
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(points.false_positive_rate, fpr[1:])
    np.testing.assert_allclose(points.true_positive_rate, tpr[1:])
    precision, _, _ = sk.precision_recall_curve(labels, scores)
    np.testing.assert_allclose(points.precision, precision[:-1][::-1])


def test_calibration_of_known_probabilities():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    honest = reliability_curve(labels, np.array([0.2] * 5 + [0.8] * 5), n_bins=2)
    assert honest.error == pytest.approx((0.2 + 0.0) / 2)
    assert honest.observed.tolist() == pytest.approx([0.4, 0.8])
    assert honest.n.tolist() == [5, 5]
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    assert reliability_curve((rng.random(50_000) < p).astype(int), p).error < 0.01


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], "two lists of one length"),
        ([0, 1], [0.1, float("nan")], "1 of 2 scores are not finite"),
        ([1, 1], [0.1, 0.2], "need windows of both classes; found 2 bound of 2"),
    ],
)
def test_scores_that_have_no_metric(labels, scores, message):
    with pytest.raises(InputError, match=message):
        evaluate(np.array(labels), np.array(scores), 0.5, np.random.default_rng(0))


def test_the_calibration_error_with_its_interval():
    rng = np.random.default_rng(0)
    p = rng.random(3000)
    labels = (rng.random(3000) < p).astype(int)
    honest = calibration_error(labels, p, np.random.default_rng(0), 200)
    assert honest.value == pytest.approx(reliability_curve(labels, p).error)
    assert honest.high < 0.06
    wrong = calibration_error(labels, p**3, np.random.default_rng(0), 200)
    assert wrong.low > 0.1
    assert wrong.low < wrong.value < wrong.high
    # Doubling every window is no change.
    weights = np.full(3000, 2.0)
    assert BinnedError(labels, p).error(weights) == pytest.approx(honest.value)


@pytest.mark.parametrize("n", [300, 3000])
def test_the_floor_of_the_calibration_error_in_closed_form(n):
    # With one probability everywhere a bin's gap is normal of variance p (1 - p) / m, and the mean
    # of a normal's absolute value is its deviation times sqrt(2 / pi).
    p = np.full(15 * n, 0.3)
    floor = calibration_floor(p, np.random.default_rng(0), 400)
    deviation = np.sqrt(0.3 * 0.7 / n)
    assert floor.value == pytest.approx(deviation * np.sqrt(2 / np.pi), rel=0.03)
    # Its spread is that of a mean of fifteen such values.
    spread = deviation * np.sqrt((1 - 2 / np.pi) / 15)
    assert floor.low == pytest.approx(floor.value - 1.96 * spread, rel=0.06)
    assert floor.high == pytest.approx(floor.value + 1.96 * spread, rel=0.06)


def test_right_probabilities_lie_within_the_floor_and_wrong_ones_above_it():
    rng = np.random.default_rng(1)
    p = rng.random(2000)
    found = calibration_floor(p, np.random.default_rng(0), 300)
    within = 0
    for _ in range(100):
        labels = (rng.random(2000) < p).astype(int)
        within += found.low <= reliability_curve(labels, p).error <= found.high
    assert within >= 88
    labels = (rng.random(2000) < p).astype(int)
    wrong = p**1.5
    assert reliability_curve(labels, wrong).error > calibration_floor(wrong, rng, 300).high


def test_relabelled_is_the_error_of_those_labels():
    rng = np.random.default_rng(2)
    p, first, second = rng.random(500), rng.integers(0, 2, 500), rng.integers(0, 2, 500)
    assert BinnedError(first, p).relabelled(second) == pytest.approx(
        reliability_curve(second, p).error
    )
