"""VCF files: read, refused, and written back unchanged; allele sequences and their windows."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genome_files import bgzip
from wavebind.core.errors import InputError
from wavebind.genome.sequences import to_codes, to_letters
from wavebind.genome.vcf import Genotype, read_header, read_records, with_info
from wavebind.variants.alleles import Edit, allele_sequence, window_offsets

HEAD = "##fileformat=VCFv4.2\n##contig=<ID=1,length=99>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def write(path: Path, *rows: str, head: str = HEAD + COLUMNS) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_records_as_they_are_in_the_file(tmp_path: Path) -> None:
    rows = [
        "1\t10\trs1\tA\tC,<DEL>,*\t.\tPASS\tAF=0.1",
        "1\t12\t.\tacg\t.\t5\t.\t.",
        "2\t0\t.\tN\tA]3:5]\t.\t.\t.",
    ]
    path = write(tmp_path / "a.vcf", *rows)
    header = read_header(path)
    assert header.contigs == {"1"}
    assert header.samples == ()
    found = list(read_records(path))
    assert [r.text for r in found] == rows
    assert [(r.line, r.chrom, r.position) for r in found] == [
        (4, "1", 9),
        (5, "1", 11),
        (6, "2", -1),
    ]
    assert [r.ref for r in found] == ["A", "ACG", "N"]
    assert [r.alts for r in found] == [("C", "<DEL>", "*"), (), ("A]3:5]",)]


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzip"])
def test_packed_files_read_alike(tmp_path: Path, kind: str) -> None:
    text = (HEAD + COLUMNS + "\n1\t10\t.\tA\tC\t.\t.\t.\n").encode()
    packed = {"plain": text, "gzip": gzip.compress(text), "bgzip": bgzip(text)}[kind]
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(packed)
    read_header(path)
    assert [r.position for r in read_records(path)] == [9]


def test_genotypes(tmp_path: Path) -> None:
    head = HEAD + COLUMNS + "\tFORMAT\tA\tB"
    rows = [
        f"1\t{i}\t.\tA\tC,G\t.\t.\t.\t{form}\t0/0\t{value}"
        for i, (form, value) in enumerate(
            [
                ("GT", "0|1"),
                ("GT:PS", "2|0:77"),
                ("GT", "0/1"),
                ("GT", "1/1"),
                ("DP", "3"),
                ("GT", "1"),
                ("GT", "./."),
            ]
        )
    ]
    path = write(tmp_path / "a.vcf", *rows, head=head)
    assert read_header(path).samples == ("A", "B")
    assert [r.genotype for r in read_records(path, 1)] == [
        Genotype((0, 1), True),
        Genotype((2, 0), True, "77"),
        Genotype((0, 1), False),
        Genotype((1, 1), True),
        None,
        Genotype((1,), True),
        Genotype((-1, -1), True),
    ]
    for bad, message in (("0|3", "names an allele that is not there"), ("0|1|1", "one or two")):
        broken = write(tmp_path / "b.vcf", f"1\t9\t.\tA\tC\t.\t.\t.\tGT\t0/0\t{bad}", head=head)
        with pytest.raises(InputError, match=f"line 4: .*{message}"):
            list(read_records(broken, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t10\t.\tA\tC\t.\t.\t.\n", "has no VCF header"),
        ("##fileformat=VCFv4.2\n1\t10\t.\tA\tC\t.\t.\t.\n", "has no VCF header"),
        ("##source=x\n" + COLUMNS + "\n", "has no VCF header"),
        (HEAD + COLUMNS.replace("\t", " ") + "\n", "line 3: the columns of a VCF are"),
        ("BCF\x02", "is BCF; convert it with 'bcftools view -O z'"),
        ("", "the file is empty"),
    ],
)
def test_what_is_no_vcf(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.vcf"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_header(path)


def test_a_truncated_bgzip_file(tmp_path: Path) -> None:
    rows = "".join(f"1\t{i}\t.\tA\tC\t.\t.\t.\n" for i in range(1, 9000))
    whole = bgzip((HEAD + COLUMNS + "\n" + rows).encode())
    path = tmp_path / "a.vcf.gz"
    # Cut at the border of two blocks, where gzip itself sees nothing wrong, and elsewhere.
    second = whole.index(b"\x1f\x8b\x08\x04", 100)
    for cut in (second, len(whole) - 28, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="ends without its last block, so the file is trunc"):
            read_header(path)
    path.write_bytes(whole)
    read_header(path)
    path.write_bytes(gzip.compress(whole)[:-20])
    with pytest.raises(InputError, match=r"is not VCF|has no VCF header|not UTF-8|gzip data ends"):
        read_header(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\t10\t.\tA\tC\t.\t.", r"has 7 tab-separated columns and the header names 8"),
        ("1\tx\t.\tA\tC\t.\t.\t.", r"POS 'x' is not a whole number"),
        ("1\t-5\t.\tA\tC\t.\t.\t.", r"POS '-5' is not a whole number"),
        ("\t5\t.\tA\tC\t.\t.\t.", r"CHROM is empty"),
        ("1\t5\t.\t<X>\tC\t.\t.\t.", r"REF '<X>' is not a sequence"),
        ("1\t5\t.\t\tC\t.\t.\t.", r"REF '' is not a sequence"),
        ("1\t5\t.\tA\tC,\t.\t.\t.", r"ALT 'C,' has an empty allele"),
        ("\n1\t5\t.\tA\tC\t.\t.\t.", r"is empty; a VCF has a record on each line"),
    ],
)
def test_lines_that_are_no_records(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "a.vcf", "1\t1\t.\tA\tC\t.\t.\t.", row)
    with pytest.raises(InputError, match=f"line 5: {message}"):
        list(read_records(path))


def test_info_is_added_and_replaced() -> None:
    line = "1\t1\t.\tA\tC\t.\t.\t{}\tGT\t0|1"
    assert with_info(line.format("."), "WB=1,.") == line.format("WB=1,.")
    assert with_info(line.format("AF=0.1;DB"), "WB=1") == line.format("AF=0.1;DB;WB=1")
    assert with_info(line.format("WB=7;AF=0.1"), "WB=1;X=2") == line.format("AF=0.1;WB=1;X=2")


dna = st.text("ACGT", min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_alleles_in_their_surroundings_against_string_surgery(data: st.DataObject) -> None:
    reference = data.draw(st.text("ACGT", min_size=80, max_size=80))
    flank = data.draw(st.integers(1, 20))
    cuts = sorted(data.draw(st.lists(st.integers(20, 60), min_size=2, max_size=6, unique=True)))
    edits = [
        Edit(a, data.draw(st.integers(1, min(3, b - a))), data.draw(dna)) for a, b in pairwise(cuts)
    ]
    chosen = data.draw(st.integers(0, len(edits) - 1))
    edit, others = edits[chosen], edits[:chosen] + edits[chosen + 1 :]
    # The naive way: build the haplotype from the left, and note where the allele comes to lie.
    haplotype, at, place = "", 0, -1
    for e in edits:
        haplotype += reference[at : e.position]
        if e is edit:
            place = len(haplotype)
        haplotype += e.sequence
        at = e.end
    haplotype += reference[at:]
    wanted = haplotype[place - flank : place + len(edit.sequence) + flank]
    found = allele_sequence(to_codes(reference), 0, edit, flank, others)
    assert to_letters(found) == wanted
    # Neighbours that overlap the allele are passed over.
    clash = Edit(edit.position, 1, "GGGG")
    again = allele_sequence(to_codes(reference), 0, edit, flank, [*others, clash])
    assert to_letters(again) == wanted


@pytest.mark.parametrize("n_allele", [1, 2, 5, 30])
@pytest.mark.parametrize(("length", "step"), [(20, 1), (20, 3), (21, 10), (8, 8)])
def test_windows_that_see_an_allele(n_allele: int, length: int, step: int) -> None:
    found = window_offsets(n_allele, length, step).tolist()
    centred = n_allele // 2 - length // 2
    naive = [
        s
        for s in range(-length - 5, n_allele + 6)
        if set(range(s, s + length)) & set(range(n_allele)) and (s - centred) % step == 0
    ]
    assert found == naive
    assert centred in found


def test_one_window_at_least() -> None:
    assert np.array_equal(window_offsets(1, 10, 50), [-5])
