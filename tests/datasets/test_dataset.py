import json
import tracemalloc

import numpy as np
import pytest

from helpers import planted_rows, random_dna
from wavebind.core.errors import InputError
from wavebind.datasets.dataset import epoch_indices, open_dataset
from wavebind.datasets.tables import LabelledWindow, read_labelled_table
from wavebind.datasets.writing import DROP_CONFLICT, DROP_DUPLICATE, DROP_UNKNOWN, write_dataset
from wavebind.genome.sequences import reverse_complement, to_codes, to_letters


def window(text, label=1, part="train", place="here"):
    return LabelledWindow(to_codes(text), label, part, "chr1", 0, len(text), place)


def complete(rng, length=20):
    """One window of every class and part, so that a set is whole."""
    return [
        window(random_dna(rng, length), label, part)
        for part in ("train", "valid", "test")
        for label in (0, 1)
    ]


def test_what_is_written_is_read(tmp_path, table):
    summary = write_dataset(
        read_labelled_table(table), tmp_path / "d", inputs=[table], settings={"a": 1}
    )
    data = open_dataset(tmp_path / "d")
    rows = planted_rows(6)
    assert summary.n_windows == len(rows) == len(data.labels)
    assert [to_letters(c) for c in data.codes] == [row[5] for row in rows]
    assert data.labels.tolist() == [row[3] for row in rows]
    assert data.parts.tolist() == [row[4] for row in rows]
    assert data.names(np.array([0, 3])) == ["chr1:0-48", "chr1:3000-3048"]
    assert data.indices("valid").tolist() == list(range(12, 24))
    assert isinstance(data.codes, np.memmap)
    # An independent reader of the format agrees.
    assert np.load(tmp_path / "d" / "codes.npy").tolist() == data.codes.tolist()
    description = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert description["counts"]["test"] == {"bound": 6, "unbound": 6}
    assert description["settings"] == {"a": 1}


def test_more_windows_than_one_buffer(tmp_path):
    rng = np.random.default_rng(0)
    windows = [
        window(random_dna(rng, 20), i % 2, ("train", "valid", "test")[i % 3]) for i in range(9001)
    ]
    summary = write_dataset(windows, tmp_path / "d")
    data = open_dataset(tmp_path / "d")
    kept = len(data.labels)
    assert kept == summary.n_windows == 9001 - sum(summary.dropped.values())
    assert np.array_equal(data.codes[-1], windows[-1].codes)


def test_what_is_dropped_is_counted(tmp_path):
    rng = np.random.default_rng(0)
    first = random_dna(rng, 20)
    other = to_letters(reverse_complement(to_codes(first)))
    windows = [
        window(first, 1),
        window(first, 1),
        window(other, 1),
        window(other, 0),
        window("N" * 3 + random_dna(rng, 17)),
        window("N" * 2 + random_dna(rng, 18)),
        *complete(rng),
    ]
    summary = write_dataset(windows, tmp_path / "d")
    assert summary.dropped == {DROP_DUPLICATE: 2, DROP_CONFLICT: 1, DROP_UNKNOWN: 1}
    assert summary.n_windows == 8


def test_several_lengths_are_an_error(tmp_path):
    rng = np.random.default_rng(0)
    windows = [*complete(rng), window("ACGTACGT", place="t.tsv line 9"), window("ACGTACGA")]
    with pytest.raises(
        InputError,
        match=r"differ in length: 20 bp \(6 windows\) and 8 bp \(2 windows, the first "
        r"at t.tsv line 9\)",
    ):
        write_dataset(windows, tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_windows(tmp_path):
    """A hundred thousand windows of 2,000 bp are 200 MB; the writer holds a fraction of it."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (64, 2000), dtype=np.uint8)

    def stream(n):
        for i in range(n):
            row = codes[i % 64].copy()
            row[:8] = [(i >> (2 * k)) & 3 for k in range(8)]
            yield LabelledWindow(row, i % 2, ("train", "valid", "test")[i % 3], "chr1", 0, 1, "x")

    tracemalloc.start()
    write_dataset(stream(30_000), tmp_path / "d")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "d" / "codes.npy").stat().st_size > 50e6
    assert peak < 40e6


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "dataset.json").unlink(), "is not a dataset"),
        (lambda d: (d / "dataset.json").write_text("{"), "the dataset is damaged"),
        (lambda d: (d / "dataset.json").write_text("[]"), "the dataset is damaged"),
        (lambda d: (d / "dataset.json").write_text('{"format": 99}'), "format 99 of a dataset"),
        (lambda d: (d / "codes.npy").write_bytes(b"\x80\x04N."), "the dataset is damaged"),
        (lambda d: (d / "codes.npy").unlink(), "the dataset is damaged"),
        (lambda d: (d / "windows.parquet").write_bytes(b"PAR1"), "the dataset is damaged"),
        (lambda d: np.save(d / "codes.npy", np.zeros((3, 3), np.uint8)), "codes.npy has shape"),
    ],
)
def test_damaged_datasets(tmp_path, table, damage, message):
    write_dataset(read_labelled_table(table), tmp_path / "d")
    damage(tmp_path / "d")
    with pytest.raises(InputError, match=message):
        open_dataset(tmp_path / "d")


def test_unknown_splits(tmp_path, table):
    write_dataset(read_labelled_table(table), tmp_path / "d")
    with pytest.raises(InputError, match="split 'dev' is not known"):
        open_dataset(tmp_path / "d").indices("dev")


def test_epochs_draw_every_bound_window_and_fresh_unbound_ones():
    labels = np.array([1] * 10 + [0] * 100, dtype=np.int8)
    indices = np.arange(2, 110)
    drawn = [epoch_indices(labels, indices, 3.0, np.random.default_rng(s)) for s in (0, 0, 1)]
    for part in drawn:
        assert len(set(part)) == len(part) == 8 + 24
        assert set(part[labels[part] == 1]) == set(range(2, 10))
    assert np.array_equal(drawn[0], drawn[1])
    assert set(drawn[0]) != set(drawn[2])
    assert sorted(epoch_indices(labels, indices, None, np.random.default_rng(0))) == list(indices)
    assert len(epoch_indices(labels, indices, 1000.0, np.random.default_rng(0))) == 108
