"""bigWig files from anywhere."""

import pyBigWig
import pytest

from wavebind.core.errors import InputError
from wavebind.genome.bigwigs import name_in_track, open_bigwig


@pytest.fixture
def track(tmp_path):
    path = tmp_path / "t.bw"
    with pyBigWig.open(str(path), "w") as stream:
        stream.addHeader([("chr1", 1000), ("2", 500)])
        stream.addEntries("chr1", [10], values=[0.5], span=4)
    return path


def test_values_and_names(track):
    with open_bigwig(track) as file:
        assert file.values("chr1", 9, 12)[1:] == [0.5, 0.5]
        sizes = file.chroms()
    assert [name_in_track(name, sizes) for name in ("chr1", "1", "chr2", "2", "chr3")] == [
        "chr1", "chr1", "2", "2", None,
    ]  # fmt: skip


def test_what_is_no_bigwig(tmp_path, track):
    with (
        pytest.raises(InputError, match=r"none\.bw: no such file"),
        open_bigwig(tmp_path / "none.bw"),
    ):
        pass
    text = tmp_path / "x.bw"
    text.write_text("no bigWig at all, but long enough to be looked at\n" * 10)
    with pytest.raises(InputError, match=r"x\.bw: "), open_bigwig(text):
        pass
    # What the reader finds wrong later is said of the file.
    with pytest.raises(InputError, match=r"t\.bw: is damaged"), open_bigwig(track) as file:
        file.values("chr1", 900, 5000)
