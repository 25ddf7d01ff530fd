"""What the estimator is given, and what it would misread."""

import numpy as np
import pandas as pd
import pytest

from helpers import planted_windows
from wavebind.genome.sequences import to_codes, to_letters
from wavebind.training.estimator import TFBSClassifier
from wavebind.training.estimator_input import (
    checked_codes,
    codes_of_text,
    positive_class,
    text_of,
)

LINES = ["ACGT" * 10, "TTGA" * 10]


@pytest.mark.parametrize(
    "given",
    [
        LINES,
        tuple(LINES),
        np.array(LINES),
        np.array(LINES, dtype=object),
        np.array(LINES)[:, None],
        pd.Series(LINES),
        pd.DataFrame({"seq": LINES}),
        [x.encode() for x in LINES],
        np.array([x.encode() for x in LINES]),
    ],
    ids=lambda x: type(x).__name__,
)
def test_sequences_in_every_wrapping(given):
    assert text_of(given) == LINES
    np.testing.assert_array_equal(codes_of_text(text_of(given)), [to_codes(x) for x in LINES])


def test_numbers_are_no_text():
    assert text_of(np.zeros((3, 40))) is None
    assert text_of([[0, 1], [2, 3]]) is None
    assert text_of(np.zeros((3, 1))) is None
    for one in ("ACGT", b"ACGT"):
        with pytest.raises(TypeError, match="X is one sequence; give a list of them"):
            text_of(one)


def flat_onehot(codes: np.ndarray, *, by_channel: bool) -> np.ndarray:
    onehot = np.eye(5, dtype=int)[codes][..., :4]
    return (onehot.transpose(0, 2, 1) if by_channel else onehot).reshape(len(codes), -1)


def test_what_would_be_misread_is_refused():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (20, 50))
    np.testing.assert_array_equal(checked_codes(codes, "X"), codes)
    with pytest.raises(ValueError, match=r"1, 2, 3 and 4 and no 0.*subtract 1"):
        checked_codes(codes + 1, "X")
    codes[3, :4] = 4
    for by_channel in (True, False):
        with pytest.raises(ValueError, match="looks like one-hot windows laid flat"):
            checked_codes(flat_onehot(codes, by_channel=by_channel), "X")
    # Windows of A and C alone are no one-hot windows.
    np.testing.assert_array_equal(checked_codes(codes % 2, "X"), codes % 2)
    codes[3] = 9
    with pytest.warns(UserWarning, match="1 of 20 windows have more than 10% unknown bases"):
        assert (checked_codes(codes, "X")[3] == 4).all()
    with pytest.raises(
        ValueError, match=r"1 of 2 sequences have more than 10% unknown.*sequence 1"
    ):
        codes_of_text(["ACGT" * 10, "ACGN" * 10])


@pytest.mark.parametrize(
    ("labels", "pos_label", "expected"),
    [
        (["bound", "unbound"], None, 0),
        (["Bound", "Unbound"], None, 0),
        (["negative", "positive"], None, 1),
        ([0, 1], None, 1),
        ([0, 1], 0, 0),
        (["a", "b"], "a", 0),
    ],
)
def test_the_label_of_bound_windows(labels, pos_label, expected):
    assert positive_class(np.array(labels), pos_label) == expected
    with pytest.raises(ValueError, match="pos_label 'x' is not a label; y holds"):
        positive_class(np.array(labels, dtype=object), "x")


def test_bound_is_the_positive_of_bound_and_unbound(tmp_path):
    """The same network as with 1 and 0, and scikit-learn's order of the classes."""
    codes, _ = planted_windows(60)
    rng = np.random.default_rng(1)
    codes = np.concatenate([codes, rng.integers(0, 4, codes.shape, dtype=np.uint8)])
    truth = np.repeat([1, 0], len(codes) // 2)
    words = np.where(truth == 1, "bound", "unbound")
    small = {"epochs": 3, "batch_size": 20, "random_state": 0, "device": "cpu"}
    letters = [to_letters(x) for x in codes]
    numbers = TFBSClassifier("onehot", **small).fit(letters, truth)
    named = TFBSClassifier("onehot", **small).fit(letters, words)
    assert named.classes_.tolist() == ["bound", "unbound"]
    np.testing.assert_allclose(
        named.predict_proba(letters)[:, 0], numbers.predict_proba(letters)[:, 1], atol=1e-6
    )
    np.testing.assert_allclose(
        named.decision_function(letters), -numbers.decision_function(letters), atol=1e-5
    )
    assert ((named.predict(letters) == "bound") == (numbers.predict(letters) == 1)).all()
    again = TFBSClassifier.from_run(named.save(tmp_path / "run"), device="cpu")
    assert (again.predict(letters) == named.predict(letters)).all()
