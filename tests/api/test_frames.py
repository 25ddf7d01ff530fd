"""Tables of pandas and sequences in place of files."""

import numpy as np
import pandas as pd
import pytest

import wavebind as wb
from genome_files import random_genome, write_genome
from helpers import planted_rows
from wavebind.api.frames import read_windows, regions_file, table_file, variants_file
from wavebind.api.scratch import scratch_folder
from wavebind.core.errors import InputError, UsageError
from wavebind.genome.intervals import read_intervals
from wavebind.genome.sequences import to_letters


def test_sequences_and_labels_are_a_dataset():
    rows = planted_rows(20, seed=3)[:40]
    sequences, labels = [row[5] for row in rows], [row[3] for row in rows]
    told = []
    data = wb.make_dataset(sequences, labels, seed=2, on_event=told.append)
    assert data.labels.tolist() == labels
    assert data.sequences(range(len(rows))) == sequences
    assert any("drawn at random" in getattr(event, "text", "") for event in told)
    assert [int(np.sum(data.parts == part)) for part in ("train", "valid", "test")] == [32, 4, 4]
    split = ["train"] * 20 + ["valid"] * 10 + ["test"] * 10
    mine = wb.make_dataset(sequences, labels, split=split)
    assert mine.parts.tolist() == split
    flags = wb.make_dataset(sequences, np.array(labels) == 1, split=split)
    assert flags.labels.tolist() == labels


def test_what_is_wrong_with_sequences_is_said_without_the_name_of_a_folder():
    rows = planted_rows(20, seed=3)[:40]
    sequences = [row[5] for row in rows]
    with pytest.raises(InputError, match="sequences need labels, 1 for bound and 0 for unbound"):
        wb.make_dataset(sequences)
    with pytest.raises(InputError, match="label must have an entry for each of 40 sequences"):
        wb.make_dataset(sequences, [1, 0])
    with pytest.raises(InputError, match=r"^windows\.tsv: there is no unbound \(label 0\) window"):
        wb.make_dataset(sequences, [1] * 40)
    with pytest.raises(UsageError, match="or --peaks and a --genome"):
        wb.make_dataset()


def test_tables_are_the_files_that_they_would_be(tmp_path):
    frame = pd.DataFrame(
        {"chrom": ["chr1", "2"], "start": [5, 7], "end": [10, 9], "summit": [1, 0]}
    )
    path = regions_file(frame, tmp_path, "peaks")
    assert path.suffix == ".narrowPeak"
    read = read_intervals(path)
    assert read["chrom"].tolist() == ["chr1", "2"]
    assert read[["start", "end"]].to_numpy().tolist() == [[5, 10], [7, 9]]
    assert regions_file("a.bed", tmp_path, "x").name == "a.bed"
    with pytest.raises(InputError, match="the table of peaks has no column 'end'; it needs"):
        regions_file(frame.drop(columns="end"), tmp_path, "peaks")
    variants = pd.DataFrame({"chrom": ["chr1"], "position": [3], "ref": ["A"], "alt": ["C"]})
    lines = variants_file(variants, tmp_path).read_text().splitlines()
    assert lines[-1].split("\t")[:5] == ["chr1", "3", ".", "A", "C"]


def test_a_labelled_table_keeps_its_columns(tmp_path):
    frame = pd.DataFrame({"seq": ["ACGT" * 8] * 2, "label": [1, 0], "split": ["train", "test"]})
    path = table_file(frame, None, None, 0, tmp_path)
    read = pd.read_csv(path, sep="\t")
    assert read["seq"].tolist() == frame["seq"].tolist()
    assert read["split"].tolist() == ["train", "test"]


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ("ACGT", "the windows are one sequence; give a list of them"),
        ([], "there is no window"),
        (["ACG"], "sequence 0 has 3 bp and the model was trained on windows of 4 bp"),
        (pd.DataFrame({"x": [1]}), "has no column 'chrom'"),
    ],
)
def test_what_is_no_window(windows, message):
    with pytest.raises(InputError, match=message):
        read_windows(windows, 4)


def test_windows_that_have_a_place(tmp_path):
    frame = pd.DataFrame({"seq": ["ACGT"], "chrom": ["chr1"], "start": [12]})
    read = read_windows(frame, 4)
    assert (read.chrom.tolist(), read.start.tolist(), read.names) == (["chr1"], [12], ["0"])
    genome = random_genome(1, {"chr1": 100})
    path = write_genome(tmp_path, "g.fa", genome)
    peaks = pd.DataFrame({"chrom": ["chr1"], "start": [50], "end": [60]})
    placed = read_windows(peaks, 20, genome=path)
    assert to_letters(placed.codes[0]).upper() == genome["chr1"][45:65].upper()
    assert placed.names == ["chr1:45-65"]


def test_messages_do_not_name_a_folder_that_nobody_made():
    def fail():
        with scratch_folder() as folder:
            raise UsageError(f"{folder}/a.bed line 3: wrong")

    with pytest.raises(UsageError, match=r"^a\.bed line 3: wrong$"):
        fail()
