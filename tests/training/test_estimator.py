import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

import wavebind
from helpers import planted_rows
from wavebind.genome.sequences import to_codes
from wavebind.training.estimator import TFBSClassifier

SMALL = {"epochs": 3, "batch_size": 8, "patience": 1, "max_shift": 0, "device": "cpu"}


#: Checks that hand in what is no sequence, whatever the tags say, and why that cannot be.
NOT_FOR_SEQUENCES = {
    "check_decision_proba_consistency": "draws real numbers, negative ones among them",
}


def checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = list(estimator_checks_generator(TFBSClassifier(**SMALL, random_state=0)))
    names = [check.func.__name__ for _, check in every]
    assert set(NOT_FOR_SEQUENCES) <= set(names)
    return [
        pytest.param(estimator, check, id=name)
        for (estimator, check), name in zip(every, names, strict=True)
        if name not in NOT_FOR_SEQUENCES
    ]


@pytest.mark.parametrize(("estimator", "check"), checks())
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def windows():
    rows = planted_rows(60, seed=4)
    sequences = [row[5] for row in rows]
    labels = np.array(["open", "bound"])[[row[3] for row in rows]]
    groups = np.array([f"chr{i // 2 % 6}" for i in range(len(rows))])
    return sequences, labels, groups


def classifier(**options):
    return TFBSClassifier(
        epochs=10, batch_size=20, max_shift=0, patience=10, device="cpu", random_state=1, **options
    )


def test_sequences_and_codes_are_the_same(windows):
    sequences, labels, groups = windows
    a = classifier().fit(sequences, labels, groups)
    codes = np.stack([to_codes(s) for s in sequences])
    b = classifier().fit(codes, labels, groups)
    np.testing.assert_allclose(a.predict_proba(sequences), b.predict_proba(codes))
    assert a.classes_.tolist() == ["bound", "open"]
    assert a.n_features_in_ == 48
    assert a.score(sequences, labels) > 0.9
    np.testing.assert_allclose(a.predict_proba(sequences).sum(1), 1)
    again = pickle.loads(pickle.dumps(a))  # noqa: S301
    np.testing.assert_array_equal(again.predict(sequences), a.predict(sequences))


def test_cross_validation_by_chromosome_in_a_pipeline(windows):
    sequences, labels, groups = windows
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: [s.upper() for s in X]), clone(classifier())
    )
    y = (labels == "bound").astype(int)
    scores = cross_val_score(
        pipeline, sequences, y, groups=groups, cv=GroupKFold(2), scoring="roc_auc"
    )
    assert len(scores) == 2
    assert min(scores) > 0.8


def test_whole_groups_are_held_out(windows):
    _, labels, groups = windows
    y = (labels == "bound").astype(np.int8)
    held = classifier(valid_fraction=0.3)._hold_out(y, groups, 0)
    inside = set(groups[held])
    assert inside.isdisjoint(np.delete(groups, held))
    with pytest.raises(ValueError, match="use more groups"):
        classifier()._hold_out(y, labels, 0)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (["ACGT", "ACG"], [0, 1], "sequences must be of one length"),
        (["ACGT", "AC-T"], [0, 1], "letters are not nucleotides"),
        (["ACGT"] * 4, [0, 1, 2, 1], "Only binary classification is supported"),
        (["ACGT"] * 2, [1, 1], "y holds one class"),
        (["ACGT"] * 3, [1, 0], "X has 3 windows and y 2 labels"),
        (np.full((4, 20), 0.5), [0, 1, 0, 1], "codes are whole numbers"),
        (np.full((4, 20), -1), [0, 1, 0, 1], "Negative values in data passed to TFBSClassifier"),
    ],
)
def test_what_cannot_be_learned(X, y, message):
    with pytest.raises(ValueError, match=message):
        TFBSClassifier(**SMALL).fit(X, y)


def test_settings_that_cannot_be(windows):
    sequences, labels, _ = windows
    with pytest.raises(ValueError, match="recipe 'none' is not known"):
        TFBSClassifier("none").fit(sequences, labels)
    with pytest.raises(ValueError, match="epochs must be 1 or more"):
        TFBSClassifier(epochs=0).fit(sequences, labels)
    with pytest.raises(ValueError, match="valid_fraction is a fraction"):
        TFBSClassifier(valid_fraction=2).fit(sequences, labels)
    with pytest.raises(TypeError, match="X is one sequence"):
        TFBSClassifier().fit("ACGT", [1, 0])


def test_it_is_found_where_it_is_looked_for():
    assert wavebind.TFBSClassifier is TFBSClassifier
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = wavebind.Nothing
    assert torch.get_num_threads() == 1
