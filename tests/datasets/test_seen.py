"""Windows that are known again: against the bases they share."""

import numpy as np
import pytest

from wavebind.core.errors import InputError
from wavebind.datasets.seen import K, SeenWindows, read_seen, seen_words


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(0).integers(0, 4, (3000, 200)).astype(np.uint8)


@pytest.fixture(scope="module")
def sketch(codes):
    return SeenWindows.of(codes, np.arange(2000))


def everything(codes):
    return np.arange(len(codes))


def test_windows_themselves_on_either_strand(codes, sketch):
    assert sketch.find(codes, np.arange(2000)).all()
    other = (3 - codes)[:, ::-1]
    assert sketch.find(other, np.arange(2000)).all()


def test_other_windows_are_hardly_ever_taken_for_them(codes, sketch):
    assert sketch.find(codes, np.arange(2000, 3000)).mean() < 0.01


@pytest.mark.parametrize(("shared", "least", "most"), [(170, 0.97, 1), (60, 0, 0.05)])
def test_windows_that_share_a_part(codes, sketch, shared, least, most):
    moved = np.random.default_rng(1).integers(0, 4, (2000, 200)).astype(np.uint8)
    moved[:, :shared] = codes[:2000, -shared:]
    assert least <= sketch.find(moved, everything(moved)).mean() <= most


def test_unknown_bases_are_no_evidence(sketch):
    unknown = np.full((3, 200), 4, dtype=np.uint8)
    assert not sketch.find(unknown, everything(unknown)).any()


def test_windows_too_short_for_a_word(sketch):
    short = np.zeros((2, K - 1), dtype=np.uint8)
    assert not sketch.find(short, everything(short)).any()


def test_short_windows_out_of_seen_ones(codes, sketch):
    # 101 bp hold 82 words, more than a stretch of 64.
    assert sketch.find(np.ascontiguousarray(codes[:2000, 50:151]), np.arange(2000)).mean() > 0.95


def test_a_sketch_is_read_as_it_was_written(codes, sketch, tmp_path):
    sketch.write(tmp_path / "seen.npy")
    assert (read_seen(tmp_path / "seen.npy").bits == sketch.bits).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"no array", "is not a sketch of windows"),
        (None, r"is not a sketch of windows \(it holds float64 of shape \(7,\)\)"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "seen.npy"
    if content is None:
        np.save(path, np.zeros(7))
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_seen(path)


def test_words_about_them():
    assert seen_words("test", np.zeros(4, dtype=bool)) == ""
    words = seen_words("test", np.array([True, False, False, True]))
    assert words.startswith("2 of 4 test windows (50.0%) share about half of their sequence")
