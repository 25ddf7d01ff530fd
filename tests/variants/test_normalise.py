"""Variants as people write them: one score for each change, and a reason where there is none.

The files are in tests/cases; the genome is the first 60 kb of a stretch of chr22.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import CASES
from wavebind.core.errors import InputError
from wavebind.core.workers import WorkerPool
from wavebind.genome.genomes import open_genome
from wavebind.genome.sequences import to_codes
from wavebind.variants.normalise import Spelling, allele_kind, left_aligned, trimmed
from wavebind.variants.score import score_variants
from wavebind.variants.settings import VariantConfig, VariantJob, VariantSummary

pytestmark = pytest.mark.usefixtures("own_cache")
GENOME = CASES / "sixty_kb.fa.gz"
Score = Callable[..., tuple[VariantSummary, list[dict[str, str]]]]


@pytest.fixture
def score(trained: tuple[Path, Path], tmp_path: Path) -> Score:
    """Score a VCF: the summary, and the rows of the table."""

    def call(vcf: Path, **options: object) -> tuple[VariantSummary, list[dict[str, str]]]:
        out = tmp_path / f"{vcf.stem}.tsv"
        config = VariantConfig(**{"null": "none", "step": 7, **options})
        job = VariantJob(str(trained[0]), str(vcf), str(GENOME), str(out), config=config)
        summary = score_variants(job, pool=WorkerPool(1))
        assert summary is not None
        lines = [line.split("\t") for line in out.read_text().splitlines()]
        return summary, [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]

    return call


def numbers(row: dict[str, str]) -> list[str]:
    assert row["status"] == "scored", row
    return list(row.values())[6:]


def floats(row: dict[str, str]) -> np.ndarray:
    return np.array([np.nan if cell == "." else float(cell) for cell in _counted(numbers(row))])


def _counted(cells: list[str]) -> list[str]:
    """The cells that are numbers or missing ones."""
    return [cell for cell in cells if cell == "." or re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)]


def written(path: Path, *records: str, info: str = ".") -> Path:
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    rows = [f"chr1\t{record}" if record.count("\t") == 6 else record for record in records]
    rows = [r if r.count("\t") > 4 else f"chr1\t{r}\t.\t.\t{info}" for r in rows]
    path.write_text(head + "\n".join(rows) + "\n")
    return path


def reference() -> str:
    with open_genome(GENOME) as genome:
        return genome.letters("chr1").tobytes().decode().upper()


@given(
    st.text("AC", min_size=3, max_size=30),
    st.integers(0, 29),
    st.text("AC", max_size=4),
    st.text("AC", max_size=4),
)
def test_all_spellings_of_a_change_have_one_form(text: str, at: int, ref: str, alt: str) -> None:
    """Against every replacement that gives the same sequence, the leftmost of the shortest."""
    at = at % len(text)
    ref = text[at : at + len(ref)]
    edited = text[:at] + alt + text[at + len(ref) :]
    codes = to_codes(text)
    short = trimmed(Spelling(at, ref, alt))
    found = left_aligned(short, lambda a, b: codes[a:b])
    assert text[: found.position] + found.alt + text[found.position + len(found.ref) :] == edited
    if edited == text:
        assert not found.ref
        assert not found.alt
        return
    if short.ref and short.alt:
        assert found == short
        return
    size = abs(len(edited) - len(text))
    forms = []
    for start in range(len(text) + 1):
        n_ref, n_alt = (size, 0) if len(edited) < len(text) else (0, size)
        new = edited[start : start + n_alt]
        if text[:start] + new + text[start + n_ref :] == edited:
            forms.append(Spelling(start, text[start : start + n_ref], new))
    assert found == forms[0]


def test_a_long_repeat_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "G" + "CA" * 5000
    codes = to_codes(text)
    found = left_aligned(Spelling(9001, "", "CACA"), lambda a, b: codes[a:b])
    assert found == Spelling(1, "", "CACA")
    monkeypatch.setattr("wavebind.variants.normalise._FARTHEST", 100)
    assert left_aligned(Spelling(9001, "", "CA"), lambda a, b: codes[a:b]).position == 8901


def test_spellings_of_three_changes_have_three_scores(score: Score) -> None:
    summary, rows = score(CASES / "equiv.vcf")
    assert summary.n_scored == 17
    for kind, n in (("snp", 5), ("del", 6), ("ins", 6)):
        mine = [numbers(row) for row in rows if row["id"].startswith(kind)]
        assert len(mine) == n
        assert all(one == mine[0] for one in mine), kind
    # The records are written as they came.
    lines = [x.split("\t") for x in (CASES / "equiv.vcf").read_text().splitlines() if x[0] != "#"]
    assert [(r["position"], r["ref"], r["alt"]) for r in rows] == [(x[1], *x[3:5]) for x in lines]


def test_a_substitution_and_an_insertion_at_one_base_are_one_haplotype(score: Score) -> None:
    one = score(CASES / "ins_snp_same.vcf", haplotypes=True)[1][-1]
    other = score(CASES / "comb.vcf", haplotypes=True)[1][-1]
    assert one["id"] == other["id"] == "q"
    assert numbers(one) == numbers(other)
    alone = score(CASES / "comb.vcf")[1][-1]
    assert numbers(alone) != numbers(one)


def test_a_missing_phase_set_is_none(score: Score, tmp_path: Path) -> None:
    mixed = [numbers(r) for r in score(CASES / "ps_mixedfmt.vcf", haplotypes=True)[1]]
    text = (CASES / "ps_mixedfmt.vcf").read_text().replace("GT:PS\t0|1:.", "GT\t0|1")
    plain = tmp_path / "plain.vcf"
    plain.write_text(text)
    assert [numbers(r) for r in score(plain, haplotypes=True)[1]] == mixed
    assert [numbers(r) for r in score(plain)[1]] != mixed


def test_every_allele_is_scored_or_has_its_reason(score: Score) -> None:
    summary, rows = score(CASES / "alleles.vcf")
    status = {(row["id"], row["alt"]): row["status"] for row in rows}
    expected = {
        ("noalt", "."): "no_alt",
        ("star", "*"): "star",
        ("snp_star", "*"): "star",
        ("gvcf", "<NON_REF>"): "any",
        ("gvcf2", "<NON_REF>"): "any",
        ("star2", "<*>"): "any",
        ("bnd", "A]chr1:20000]"): "breakend",
        ("single_bnd", ".T"): "breakend",
        ("altN", "N"): "ambiguous",
        ("altR", "R"): "ambiguous",
        ("refN", "T"): "ambiguous",
        ("refR", "T"): "ambiguous",
        ("refpartN", "T"): "ambiguous",
        ("same", "A"): "same",
        ("plink0", "0"): "missing",
        ("dash", "-"): "missing",
        ("slash", "A/T"): "unreadable",
    }
    assert {key: value for key, value in status.items() if value != "scored"} == expected
    assert summary.left_out["alleles * (deleted by another record)"] == 2
    letters = reference()
    assert letters[15715] == "A"
    snp = next(numbers(r) for r in rows if r["id"] == "dup1")
    for name in ("snp_star", "lower", "lowref", "twice", "dup2", "tri", "gvcf2"):
        assert next(numbers(r) for r in rows if r["id"] == name) == snp, name


def test_deletions_duplications_and_inversions_are_those_of_their_bases(
    score: Score, tmp_path: Path
) -> None:
    letters = reference()
    inside = letters[15716:15800]
    turned = inside[::-1].translate(str.maketrans("ACGT", "TGCA"))
    spelled = written(
        tmp_path / "spelled.vcf",
        f"15716\tdel\tA{inside}\tA",
        f"15716\tdup\tA\tA{inside}",
        f"15716\tinv\tA{inside}\tA{turned}",
    )
    rows = {r["id"]: r for r in score(CASES / "alleles.vcf")[1]}
    for row in score(spelled)[1]:
        # Alleles that are scored together differ between the files, and so does the rounding.
        np.testing.assert_allclose(floats(rows[row["id"]]), floats(row), atol=1e-5)
        assert rows[row["id"]]["verdict"] == row["verdict"]
    assert numbers(rows["graphtyper"]) == numbers(rows["del"])
    sized = written(tmp_path / "svlen.vcf", "15716\tdel\tA\t<DEL>", info="SVLEN=-84")
    np.testing.assert_allclose(floats(score(sized)[1][0]), floats(rows["del"]), atol=1e-5)
    with pytest.raises(InputError, match=r"none of 1 alleles .*a REF or ALT that is too long"):
        score(sized, max_allele=80)
    for place, info in (
        ("15716", "."),
        ("15716", "END=15716"),
        ("15716", "END=x"),
        ("59990", "END=60500"),
    ):
        base = letters[int(place) - 1]
        lost = written(tmp_path / "lost.vcf", f"{place}\tdel\t{base}\t<DEL>", info=info)
        with pytest.raises(InputError, match="without END or SVLEN, or not on the genome"):
            score(lost)


def test_a_dash_for_no_bases_is_named_and_the_rest_is_scored(score: Score) -> None:
    summary, rows = score(CASES / "dashref.vcf")
    assert [row["status"] for row in rows] == ["missing", "scored"]
    ((words, n),) = summary.left_out.items()
    assert n == 1
    assert "bcftools norm" in words


def test_swapped_alleles_are_told_from_another_build(
    score: Score, tmp_path: Path, trained: tuple[Path, Path], cli: Callable[..., tuple]
) -> None:
    out = tmp_path / "o.vcf"
    code, _, err = cli(
        "variants", trained[0], CASES / "swap30.vcf", "--genome", GENOME, "--out", out
    )
    assert code == 1
    assert "ALT is what the genome has in 28 of 28: swapped?" in err
    assert not out.exists()
    letters = reference()
    places = [p for p in range(11_000, 12_000, 25) if letters[p - 1 : p + 1].isalpha()]
    for shift, word in ((-1, "after"), (1, "before")):
        rows = [f"{p + shift}\t.\t{letters[p - 1 : p + 3]}\tT" for p in places]
        with pytest.raises(InputError, match=rf"one base {word} POS in (\d+) of \1: is POS off by"):
            score(written(tmp_path / "off.vcf", *rows))
    rows = [f"{p + 377}\t.\t{letters[p - 1 : p + 9]}\tT" for p in places]
    with pytest.raises(InputError, match="wrong genome build"):
        score(written(tmp_path / "build.vcf", *rows))


def test_lengths_of_another_build_are_said(score: Score) -> None:
    summary, _ = score(CASES / "wronglen.vcf")
    assert "chr1 has 249,250,621 bp there and 60,000 here" in summary.notes[0]
    assert score(CASES / "alleles.vcf")[0].notes == ()


def test_unknown_chromosomes_are_named(score: Score) -> None:
    summary, rows = score(CASES / "name_mixed.vcf")
    assert [row["status"] for row in rows] == ["scored", "no_chromosome", "no_chromosome"]
    assert "NC_000001.11 (1), chrUn_1 (1)" in summary.notes[0]


@pytest.mark.parametrize("name", ["blankend.vcf", "bom.vcf"])
def test_blank_ends_and_byte_order_marks_are_read(score: Score, name: str) -> None:
    assert score(CASES / name)[0].n_scored == 1


def test_nothing_scored_is_an_error(
    trained: tuple[Path, Path], tmp_path: Path, cli: Callable[..., tuple]
) -> None:
    vcf = written(tmp_path / "in.vcf", "15716\t.\tA\t*", "15720\t.\tG\t.")
    out = tmp_path / "o.vcf"
    code, _, err = cli("variants", trained[0], vcf, "--genome", GENOME, "--out", out)
    assert code == 1
    assert "none of 1 alleles of 2 records can be scored (1 alleles * (deleted" in err
    assert not out.exists()
    code, _, err = cli("variants", trained[0], vcf, "--genome", GENOME, "--out", tmp_path / "o.txt")
    assert code == 1
    assert "the ending does not tell the format; end it in one of: .vcf, .vcf.gz" in err


@pytest.mark.parametrize(
    ("allele", "kind"),
    [("ACGT", "bases"), ("ACN", "ambiguous"), ("<INS>", "symbolic"), ("<CNV>", "symbolic"),
     ("<DUP:TANDEM>", "sized"), ("T[chr2:5[", "breakend"), ("G.", "breakend"), (".", "missing")],
)  # fmt: skip
def test_kinds_of_alleles(allele: str, kind: str) -> None:
    assert allele_kind(allele) == kind
