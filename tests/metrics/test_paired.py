import numpy as np
import pytest
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from wavebind.core.errors import InputError
from wavebind.metrics.paired import ECE, Scores, compare_paired
from wavebind.metrics.platt import PlattScaling
from wavebind.metrics.reliability import reliability_curve


def made(n=400, strength=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int8)
    return labels, strength * labels + np.random.default_rng(seed + 1).normal(size=n)


def scores(values, threshold=0.5):
    return Scores(values, PlattScaling(1.5, -1.0), threshold)


def test_values_are_those_of_scikit_learn():
    labels, good = made()
    bad = made(strength=0.5)[1]
    found = compare_paired(
        labels,
        {"a": [scores(good)], "b": [scores(bad)]},
        "a",
        np.random.default_rng(0),
        n_resamples=50,
    )
    for name, values in (("a", good), ("b", bad)):
        s = scores(values)
        metrics = found[name].metrics
        assert metrics["auroc"].value == pytest.approx(roc_auc_score(labels, values))
        assert metrics["auprc"].value == pytest.approx(average_precision_score(labels, values))
        assert metrics["mcc"].value == pytest.approx(matthews_corrcoef(labels, s.calls))
        ece = reliability_curve(labels.astype(int), s.probabilities).error
        assert metrics[ECE].value == pytest.approx(ece)
    gap = found["b"].behind["auroc"]
    assert gap.value == pytest.approx(roc_auc_score(labels, good) - roc_auc_score(labels, bad))
    assert gap.low > 0


def test_intervals_are_those_of_a_loop_over_resamples():
    labels, first = made(120)
    second = first + np.random.default_rng(9).normal(size=120)
    found = compare_paired(
        labels,
        {"a": [scores(first)], "b": [scores(second)]},
        "a",
        np.random.default_rng(4),
        n_resamples=200,
    )
    rng = np.random.default_rng(4)
    gaps = []
    for _ in range(200):
        drawn = rng.integers(0, 120, 120)
        gaps.append(
            roc_auc_score(labels[drawn], first[drawn]) - roc_auc_score(labels[drawn], second[drawn])
        )
    low, high = np.percentile(gaps, [2.5, 97.5])
    assert found["b"].behind["auroc"].low == pytest.approx(low)
    assert found["b"].behind["auroc"].high == pytest.approx(high)


def test_seeds_are_averaged():
    labels, first = made()
    other = made(seed=7)[1] + first
    found = compare_paired(
        labels,
        {"a": [scores(first), scores(other)], "b": [scores(first)]},
        "a",
        np.random.default_rng(0),
        n_resamples=20,
    )
    both = [roc_auc_score(labels, x) for x in (first, other)]
    assert found["a"].seeds["auroc"] == pytest.approx(both)
    assert found["a"].metrics["auroc"].value == pytest.approx(np.mean(both))
    assert found["a"].behind["auroc"].value == 0


def test_a_model_against_itself_is_level():
    labels, values = made()
    same = {"a": [scores(values)], "b": [scores(values.copy())]}
    gap = compare_paired(labels, same, "a", np.random.default_rng(0), n_resamples=30)["b"].behind[
        "auprc"
    ]
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)


def test_intervals_of_the_difference_cover_what_they_should():
    """Two equally good models: the interval holds zero in 95 of 100 worlds."""
    held = 0
    for world in range(100):
        rng = np.random.default_rng(world)
        labels = (np.arange(150) % 3 == 0).astype(np.int8)
        truth = labels + rng.normal(size=150)
        a, b = (truth + 0.7 * rng.normal(size=150) for _ in range(2))
        models = {"a": [scores(a)], "b": [scores(b)]}
        gap = compare_paired(labels, models, "a", rng, n_resamples=150)["b"].behind["auroc"]
        held += gap.low <= 0 <= gap.high
    assert 86 <= held <= 100


def test_the_floor_is_the_mean_over_seeds():
    labels, values = made(600)
    # All of the probabilities near 0, whose floor is small, and all near the middle.
    sure, unsure = values - 8, 0.01 * values + 0.6
    rng = np.random.default_rng
    one, two, both = (
        compare_paired(labels, {"a": [scores(v) for v in seeds]}, "a", rng(0), n_resamples=5)[
            "a"
        ].floor
        for seeds in ([sure], [unsure], [sure, unsure])
    )
    assert one.high < two.low
    assert both.value == pytest.approx((one.value + two.value) / 2, rel=0.05)
    assert both.low < both.value < both.high


def test_errors():
    labels, values = made()
    with pytest.raises(InputError, match="the reference 'c' is not among a"):
        compare_paired(labels, {"a": [scores(values)]}, "c", np.random.default_rng(0))
    with pytest.raises(InputError, match="labels and scores must be two lists of one length"):
        compare_paired(labels, {"a": [scores(values[1:])]}, "a", np.random.default_rng(0))
