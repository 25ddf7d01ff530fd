"""Which labels decide the best epoch."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from wavebind.core.errors import InputError
from wavebind.training.batches import epoch_windows
from wavebind.training.config import TrainingConfig
from wavebind.training.judging import (
    judged_outputs,
    labels_on_valid,
    labels_words,
    mean_ranking,
    write_labels,
)

OUTPUTS = ("CTCF:K562", "CTCF:A549", "JUND:K562", "open:K562")


def labels_with(bound, n=100):
    labels = np.zeros((n, len(bound)), dtype=np.int8)
    for j, k in enumerate(bound):
        labels[:k, j] = 1
    return labels


@pytest.mark.parametrize(
    ("patterns", "bound", "expected"),
    [
        (("*",), (60, 60, 60, 60), (1, 1, 1, 1)),
        (("*",), (60, 49, 50, 60), (1, 0, 1, 1)),
        (("*", "!open:*"), (60, 60, 60, 60), (1, 1, 1, 0)),
        (("!open:*",), (60, 60, 60, 60), (1, 1, 1, 0)),
        (("CTCF:*",), (60, 60, 60, 60), (1, 1, 0, 0)),
        (("CTCF:*", "!CTCF:A549"), (60, 60, 60, 60), (1, 0, 0, 0)),
        # Where none has enough, all that are meant count.
        (("CTCF:*",), (9, 8, 60, 60), (1, 1, 0, 0)),
    ],
)
def test_labels_that_decide(patterns, bound, expected):
    found = judged_outputs(OUTPUTS, labels_with(bound), patterns)
    assert found.tolist() == [bool(x) for x in expected]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("MYC:*",), r"training.judged: 'MYC:\*' fits no label; the labels are CTCF:K562, CTCF"),
        (("JUND:*", "!JUND:K562"), "training.judged: .* leaves no label"),
    ],
)
def test_patterns_that_fit_nothing(patterns, message):
    with pytest.raises(InputError, match=message):
        judged_outputs(OUTPUTS, labels_with((60, 60, 60, 60)), patterns)


def test_no_pattern_at_all():
    with pytest.raises(InputError, match="judged must be names or patterns of labels; found none"):
        TrainingConfig(judged=())


def test_labels_come_out_as_scikit_learn_says(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (400, 3)).astype(np.int8)
    labels[:, 2] = 0
    labels[:15, 2] = 1
    logits = rng.normal(size=labels.shape) + labels
    judged = np.array([True, False, True])
    found = labels_on_valid(("a", "b", "c"), labels, logits, judged)
    aurocs, auprcs = [], []
    for j, label in enumerate(found):
        known = labels[:, j] >= 0
        aurocs.append(roc_auc_score(labels[known, j], logits[known, j]))
        auprcs.append(average_precision_score(labels[known, j], logits[known, j]))
        assert (label.auroc, label.auprc) == pytest.approx((aurocs[j], auprcs[j]))
        assert (label.bound, label.unbound) == (
            (labels[:, j] == 1).sum(),
            (labels[:, j] == 0).sum(),
        )
    assert [label.calibrated for label in found] == [True, True, False]
    mean = mean_ranking(labels.astype(np.float32), logits, judged)
    assert mean == pytest.approx((np.mean([aurocs[0], aurocs[2]]), np.mean([auprcs[0], auprcs[2]])))
    words = labels_words(found, tmp_path / "labels.tsv")
    assert "the mean AUROC of 2 of 3 labels decided the best epoch" in words
    assert "Not calibrated, with fewer than 20 bound valid windows: c" in words
    write_labels(tmp_path / "labels.tsv", found)
    rows = [line.split("\t") for line in (tmp_path / "labels.tsv").read_text().splitlines()]
    assert rows[3] == ["c", "15", "385", f"{aurocs[2]:.4f}", f"{auprcs[2]:.4f}", "no", "yes"]


def test_a_label_without_bound_windows_has_no_area():
    found = labels_on_valid(
        ("a",), np.zeros((5, 1), dtype=np.int8), np.zeros((5, 1)), np.array([True])
    )
    assert np.isnan(found[0].auroc)
    assert not found[0].calibrated


@pytest.mark.parametrize("ratio", ["all", None])
def test_every_unbound_window_in_every_epoch(ratio):
    bound = np.array([1, 0, 0, 0, 0, 0, 0, 0], dtype=np.int8)
    config = TrainingConfig(unbound_ratio=ratio)
    assert sorted(epoch_windows(bound, np.arange(8), config, 0)) == list(range(8))
    assert len(epoch_windows(bound, np.arange(8), TrainingConfig(unbound_ratio=2), 0)) == 3
