"""A short run of scripts/fuzz_readers.py; CONTRIBUTING has the long one."""

import importlib.util

import pytest

from helpers import ROOT
from wavebind.core.errors import InputError

spec = importlib.util.spec_from_file_location("fuzz_readers", ROOT / "scripts" / "fuzz_readers.py")
assert spec is not None
assert spec.loader is not None
fuzz_readers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_readers)


@pytest.mark.parametrize("name", list(fuzz_readers.READERS))
def test_the_good_file_is_read_and_agrees(tmp_path, name):
    check, make, file = fuzz_readers.READERS[name]
    path = tmp_path / file
    path.write_bytes(make())
    check(path, make())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(fuzz_readers.READERS))
def test_mutants_are_read_right_or_refused_in_words(name):
    tried, read = fuzz_readers.fuzz(name, 0.1)
    assert tried > 100
    assert 0 < read < tried


def test_a_reader_that_is_wrong_is_found(monkeypatch):
    """Of a reader that loses a line the strict one says so."""
    broken = fuzz_readers.read_intervals
    monkeypatch.setattr(
        fuzz_readers, "read_intervals", lambda path, **o: broken(path, **o).iloc[:-1]
    )
    with pytest.raises((AssertionError, InputError)):
        fuzz_readers.fuzz("peaks", 0.05)
