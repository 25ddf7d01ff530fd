import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavebind.core.errors import InputError
from wavebind.genome.sequences import (
    Locus,
    gc_fraction,
    parse_locus,
    read_fasta,
    reverse_complement,
    to_codes,
    to_letters,
)

letters = st.text(alphabet="ACGTNacgtn", min_size=1, max_size=200)


def test_codes_of_every_letter():
    assert to_codes("ACGTacgt").tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert to_codes("NRYSWKMBDHVnryswkmbdhv").tolist() == [4] * 22


@given(letters)
def test_letters_come_back_in_upper_case(text):
    assert to_letters(to_codes(text)) == text.upper()


@given(letters)
def test_reverse_complement_twice_is_the_identity(text):
    codes = to_codes(text)
    assert np.array_equal(reverse_complement(reverse_complement(codes)), codes)


def test_reverse_complement_of_a_known_sequence():
    assert to_letters(reverse_complement(to_codes("AACGTN"))) == "NACGTT"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACXGT-A", r"2 letters are not nucleotides \('-' 'X'\); the first is 'X' at s, base 3"),
        ("ACé", r"1 letters are not nucleotides \('\?'\)"),
        ("AUG", r"'U' at s, base 2"),
    ],
)
def test_letters_that_are_not_nucleotides(text, message):
    with pytest.raises(InputError, match=message):
        to_codes(text, place="s")


def test_gc_fraction_counts_known_bases_only():
    windows = np.stack([to_codes("GCAT"), to_codes("GCNN"), to_codes("NNNN"), to_codes("AATT")])
    assert gc_fraction(windows).tolist() == [0.5, 1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        ("chr1:10-30", 20, Locus("chr1", 10, 30)),  # bedtools: 0-based, half-open
        ("chr1:11-30", 20, Locus("chr1", 10, 30)),  # samtools: 1-based, closed
        ("chr1:10-30(-)", 20, Locus("chr1", 10, 30)),
        ("chr1:10-30", 25, None),
        ("peak_7", 20, None),
    ],
)
def test_parse_locus(name, length, expected):
    assert parse_locus(name, length) == expected


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_read_fasta(tmp_path, ending, gzipped):
    text = ending.join([">one first", "ACGT", "acgn", "", ">two", "TT", ""])
    path = tmp_path / "x.fa"
    path.write_bytes(gzip.compress(text.encode()) if gzipped else text.encode())
    records = list(read_fasta(path))
    assert [(r.name, to_letters(r.codes), r.line) for r in records] == [
        ("one", "ACGTACGN", 1),
        ("two", "TT", 5),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n", "line 1: found sequence before the first header"),
        (">a\n>b\nAC\n", "line 1: record 'a' has no sequence"),
        ("\n\n", "no FASTA record found"),
        (">a\nAC*T\nA7\n>b\n!\n", r"3 letters are not nucleotides .* 'a' \(line 1\), base 3"),
    ],
)
def test_fasta_that_is_not_one(tmp_path, text, message):
    path = tmp_path / "x.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_fasta(path))
