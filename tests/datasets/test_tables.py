import pytest

from helpers import planted_rows, write_table
from wavebind.core.errors import InputError
from wavebind.datasets.splits import ChromosomeSplit, check_parts
from wavebind.datasets.tables import read_labelled_fasta, read_labelled_table
from wavebind.genome.sequences import to_letters

HEADER = "chrom\tstart\tend\tlabel\tsplit\tseq"


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz"])
def test_every_row_comes_back(tmp_path, name):
    rows = planted_rows(3)
    windows = list(read_labelled_table(write_table(tmp_path / name, rows)))
    found = [(w.chrom, w.start, w.end, w.label, w.part, to_letters(w.codes)) for w in windows]
    assert found == rows


def test_columns_in_another_order_and_others_beside_them(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("seq\tnote\tsplit\tlabel\r\nACGT\tx\ttest\t1\r\n")
    (window,) = read_labelled_table(path)
    assert (to_letters(window.codes), window.part, window.label) == ("ACGT", "test", 1)
    assert (window.chrom, window.start) == ("", -1)


def test_chromosomes_override_the_split_column(tmp_path):
    path = write_table(tmp_path / "t.tsv", planted_rows(1))
    split = ChromosomeSplit(test=("1",), valid=("chr3",))
    assert [w.part for w in read_labelled_table(path, split)] == [
        *["test"] * 2,
        *["train"] * 2,
        *["valid"] * 2,
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chrom\tseq\nchr1\tAC\n", "line 1: column label missing"),
        ("a,b,c\n1,2,3\n", "line 1: column seq and label missing"),
        ("seq\tseq\tlabel\n", "line 1: column seq is there more than once"),
        ("seq\tlabel\nAC\t1\n", "line 1: there is no split column"),
        (HEADER + "\n", "has a header and no rows"),
        (HEADER + "\nchr1\t0\t2\t1\ttrain\n", "line 2: found 5 tab-separated columns; .* has 6"),
        (HEADER + "\nchr1\t0\t2\t7\ttrain\tAC\n", "line 2: label '7' is not 1"),
        (HEADER + "\nchr1\t0\t2\t1\tdev\tAC\n", "line 2: split 'dev' is not train"),
        (HEADER + "\nchr1\t5\t2\t1\ttrain\tAC\n", "line 2: start 5 and end 2 are not an interval"),
        (HEADER + "\nchr1\tx\t2\t1\ttrain\tAC\n", "line 2: start 'x' and end '2' must be whole"),
        (HEADER + "\nchr1\t0\t3\t1\ttrain\tAC\n", "the interval 0-3 has 3 bp and the sequence 2"),
        (HEADER + "\nchr1\t0\t2\t1\ttrain\t \n", "line 2: the sequence is empty"),
        (
            HEADER + "\nchr1\t0\t2\t1\ttrain\tAZ\nchr1\t0\t2\t1\ttrain\t@Z\n",
            r"3 letters are not nucleotides .* first is 'Z' at .*t.tsv line 2, base 2",
        ),
    ],
)
def test_tables_that_break_a_rule(tmp_path, text, message):
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_labelled_table(path))


def test_splitting_by_chromosome_needs_one(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("seq\tlabel\nAC\t1\n")
    with pytest.raises(InputError, match="there is no chrom column"):
        list(read_labelled_table(path, ChromosomeSplit()))
    path.write_text("chrom\tseq\tlabel\n\tAC\t1\n")
    with pytest.raises(InputError, match="line 2: the chromosome is empty"):
        list(read_labelled_table(path, ChromosomeSplit()))


def test_labelled_fasta(tmp_path):
    path = tmp_path / "p.fa"
    path.write_text(">chr2:10-14\nACGT\n>chr8:11-14\nACGT\n")
    windows = list(read_labelled_fasta(path, 1, ChromosomeSplit()))
    assert [(w.chrom, w.start, w.part, w.label) for w in windows] == [
        ("chr2", 10, "test", 1),
        ("chr8", 10, "valid", 1),
    ]
    path.write_text(">chr2:10-14\nACGT\n>peak_2\nACGT\n")
    with pytest.raises(InputError, match=r"line 3: the name 'peak_2' is not chrom:start-end"):
        list(read_labelled_fasta(path, 1, ChromosomeSplit()))


@pytest.mark.parametrize(
    ("test", "valid", "message"),
    [
        ((), ("chr1",), "no test chromosome is given"),
        (("chr1",), (), "no valid chromosome is given"),
        (("chr1", "chr2"), ("2",), "chromosome 2 is named for test and for valid"),
    ],
)
def test_chromosome_splits_that_make_no_sense(test, valid, message):
    with pytest.raises(InputError, match=message):
        ChromosomeSplit(test, valid)


def test_parts_that_lack_a_class():
    full = {(p, label): 5 for p in ("train", "valid", "test") for label in (0, 1)}
    check_parts(full, "x", "mend it")
    with pytest.raises(InputError, match=r"x: the valid split has no bound \(label 1\) window"):
        check_parts({**full, ("valid", 1): 0}, "x", "mend it")
    unbound = {key: n for key, n in full.items() if key[1] == 0}
    with pytest.raises(InputError, match=r"there is no bound \(label 1\) window"):
        check_parts(unbound, "x", "mend it")
