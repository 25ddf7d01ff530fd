import pickle
import warnings
from dataclasses import replace

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
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json, write_json
from wavebind.genome.sequences import to_codes
from wavebind.models import load_model, save_model
from wavebind.training.estimator import TFBSClassifier

SMALL = {"epochs": 3, "batch_size": 8, "patience": 1, "max_shift": 0, "device": "cpu"}


#: Checks that hand in what is no sequence, whatever the tags say, and why that cannot be.
NOT_FOR_SEQUENCES = {
    "check_decision_proba_consistency": "draws real numbers, negative ones among them",
}


def checks():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        every = list(estimator_checks_generator(TFBSClassifier("onehot", **SMALL, random_state=0)))
    names = [check.func.__name__ for _, check in every]
    assert set(NOT_FOR_SEQUENCES) <= set(names)
    # The ones that train most run with test-all.
    slow = ("check_classifiers_train",)
    return [
        pytest.param(estimator, check, id=name, marks=[pytest.mark.slow] if name in slow else [])
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    with pytest.raises(AttributeError, match="Nothing"):
        _ = wavebind.Nothing
    assert torch.get_num_threads() == 1


@pytest.mark.slow
def test_what_is_saved_is_read_again_with_the_same_numbers(windows, tmp_path):
    sequences, labels, groups = windows
    fitted = classifier().fit(sequences, labels, groups)
    fitted.save(tmp_path / "run")
    again = TFBSClassifier.from_run(tmp_path / "run", device="cpu")
    np.testing.assert_array_equal(again.predict_proba(sequences), fitted.predict_proba(sequences))
    np.testing.assert_array_equal(again.predict(sequences), fitted.predict(sequences))
    assert again.classes_.tolist() == ["bound", "open"]
    assert (again.n_features_in_, again.n_iter_) == (48, fitted.n_iter_)
    # The commands read it as well: "open" is the greater label, and so what they call bound.
    found = wavebind.load(tmp_path / "run").predict(list(sequences))
    np.testing.assert_allclose(found["probability"], fitted.predict_proba(sequences)[:, 1])
    with pytest.raises(InputError, match="holds a run already"):
        fitted.save(tmp_path / "run")
    fitted.save(tmp_path / "run", overwrite=True)


def test_short_windows_are_read_again(tmp_path):
    sequences = ["ACGTACGTAC", "TTTTTGGGGG"] * 6
    fitted = TFBSClassifier(**SMALL, random_state=0).fit(sequences, [0, 1] * 6)
    again = TFBSClassifier.from_run(fitted.save(tmp_path / "run"), device="cpu")
    np.testing.assert_array_equal(again.predict_proba(sequences), fitted.predict_proba(sequences))
    with pytest.raises(ValueError, match="windows of 4 bases, but TFBSClassifier was fitted on"):
        again.predict(["ACGT"])


def test_several_classes(tmp_path):
    rng = np.random.default_rng(3)
    sites = {"CTCF": "CCACCAGGGGGCGC", "GATA1": "AGATAAGGAGATAA", "none": ""}
    names = np.array(list(sites) * 40)
    sequences = []
    for name in names:
        letters = rng.choice(list("ACGT"), 48)
        letters[17 : 17 + len(sites[name])] = list(sites[name])
        sequences.append("".join(letters))
    fitted = classifier(recipe="onehot").fit(sequences, names)
    proba = fitted.predict_proba(sequences)
    assert fitted.classes_.tolist() == ["CTCF", "GATA1", "none"]
    assert proba.shape == (120, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.classes_[proba.argmax(axis=1)], fitted.predict(sequences))
    # Each column is of its own class, which a matrix of the site tells as well.
    assert fitted.score(sequences, names) > 0.8
    again = TFBSClassifier.from_run(fitted.save(tmp_path / "run"), device="cpu")
    np.testing.assert_array_equal(again.predict_proba(sequences), proba)
    named = TFBSClassifier.from_run(tmp_path / "run").classes_
    assert named.tolist() == ["CTCF", "GATA1", "none"]


@pytest.mark.slow
def test_a_run_that_is_no_classifier(windows, tmp_path):
    sequences, labels, groups = windows
    with pytest.raises(InputError, match="no such run"):
        TFBSClassifier.from_run(tmp_path / "nothing")
    run = classifier().fit(sequences, labels, groups).save(tmp_path / "run")
    model, card = load_model(run / "model.safetensors")
    regression = replace(card, model=replace(card.model, task="regression"))
    save_model(run / "model.safetensors", model, regression)
    with pytest.raises(InputError, match=r"is a run for regression .*Use wavebind\.load"):
        TFBSClassifier.from_run(run)
    save_model(run / "model.safetensors", model, card)
    entries = read_json(run / "run.json")
    entries["classifier"]["classes"] = ["a", "b", "c"]
    write_json(run / "run.json", entries)
    with pytest.raises(InputError, match="names 3 classes of a network with 2"):
        TFBSClassifier.from_run(run)
