"""Mutated files through every reader: an error in words or the right content, never a traceback.

Each reader gets files that are nearly right: a good one with bytes changed, cut, doubled and moved.
Where a strict reader of a few lines takes the file as well, the two must agree.

    python scripts/fuzz_readers.py --minutes 10 peaks fasta vcf table meme model
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from wavebind.core.errors import InputError
from wavebind.datasets.tables import read_labelled_table
from wavebind.genome.intervals import read_intervals
from wavebind.genome.sequences import read_fasta, to_letters
from wavebind.genome.vcf import read_header, read_records
from wavebind.models import ModelCard, ModelConfig, load_model, save_model
from wavebind.models.classifier import Classifier
from wavebind.motifs.pwms import read_meme

PEAKS = b"chr1\t100\t300\tp\t0\t.\t7.5\t-1\t2.5\t30\nchrX\t5\t9\tq\t0\t+\t1\t-1\t-1\t2\n"
FASTA = b">a chr1:1-8\nACGTNacg\nAC\n>b\nGGGG\n"
VCF = (
    b"##fileformat=VCFv4.2\n##contig=<ID=chr1,length=90>\n"
    b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n"
    b"chr1\t5\t.\tA\tT,<DEL>\t.\t.\tEND=9\tGT:PS\t0|1:3\nchr1\t7\tx\tAC\tA\t1\tPASS\t.\tGT\t1/1\n"
)
TABLE = (
    b"seq\tlabel\tsplit\tchrom\tstart\tend\nACGT\t1\ttrain\tchr1\t4\t8\nGGNa\t0\ttest\tchr2\t0\t4\n"
)
MEME = (
    b"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF m1 name\n"
    b"letter-probability matrix: w= 2 nsites= 9\n"
    b"0.7 0.1 0.1 0.1\n0.25 0.25 0.25 0.25\n"
)
INTERESTING = [
    *(word.encode() for word in ["\t", "\n", "\r\n", "\x00", ".", ">", "#", "<", ",", "|"]),
    *(word.encode() for word in ("-1", "1e5", "nan", "NaN", "1_0", " ", "9" * 20, "\u0663")),
    b"\xff",
]


def mutants(good: bytes) -> st.SearchStrategy[bytes]:
    """Files that are nearly the good one."""
    place = st.integers(0, len(good))
    edit = st.tuples(
        place,
        st.integers(0, 12),
        st.one_of(st.just(b""), st.sampled_from(INTERESTING), st.binary(max_size=3)),
    )

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        text = good
        for at, n, new in edits:
            text = text[:at] + new + text[at + n :]
        return text

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def peaks(path: Path, text: bytes) -> None:
    """NarrowPeak of exactly ten columns of plain numbers."""
    table = read_intervals(path, centre="any")
    lines = text.decode().split("\n")
    rows = [x.split("\t") for x in lines if x and not x.startswith(("#", "track", "browser"))]
    number = re.compile(r"\d{1,9}")
    if all(len(r) == 10 and number.fullmatch(r[1]) and number.fullmatch(r[2]) for r in rows):
        assert list(table["start"]) == [int(r[1]) for r in rows]
        assert list(table["end"]) == [int(r[2]) for r in rows]
        assert list(table["chrom"]) == [r[0].strip() for r in rows]


def lines_of(text: str) -> list[str]:
    """Lines as files have them: :meth:`str.splitlines` also breaks at a vertical tab and others."""
    return re.split(r"\r\n|\r|\n", text)


def fasta(path: Path, text: bytes) -> None:
    """Headers and letters, whatever the line ends."""
    found = [(r.name, to_letters(r.codes)) for r in read_fasta(path)]
    expected: list[list[str]] = []
    for line in lines_of(text.decode("latin-1").removeprefix("\xef\xbb\xbf")):
        bare = line.strip()
        if bare.startswith(">"):
            expected.append([bare[1:], ""])
        elif bare:
            expected[-1][1] += bare.upper()
    plain = re.compile(r"[ACGTN]+")
    if all(plain.fullmatch(s) for _, s in expected) and text.isascii():
        assert [s for _, s in found] == [s for _, s in expected]
        assert [n for n, _ in found] == [
            n.split()[0] if n.split() else f"record_{i}" for i, (n, _) in enumerate(expected, 1)
        ]


def vcf(path: Path, text: bytes) -> None:
    """Fixed columns of records."""
    header = read_header(path)
    records = list(read_records(path, 0 if header.samples else None))
    lines = [x for x in lines_of(text.decode()) if x.strip() and not x.startswith("#")]
    rows = [x.split("\t") for x in lines]
    assert [r.position for r in records] == [int(r[1]) - 1 for r in rows]
    assert [r.ref for r in records] == [r[3].upper() for r in rows]


def table(path: Path, text: bytes) -> None:
    """Sequences, labels and splits of a table."""
    found = [(to_letters(w.codes), w.label, w.part) for w in read_labelled_table(path)]
    lines = [x for x in text.decode().split("\n") if x.strip()]
    names = lines[0].lstrip("\ufeff#").split("\t")
    rows = [dict(zip(names, (c.strip() for c in x.split("\t")), strict=True)) for x in lines[1:]]
    letters = re.compile(r"[ACGTNacgtn]+")
    if all(letters.fullmatch(r["seq"]) for r in rows):
        assert found == [(r["seq"].upper(), int(r["label"]), r["split"]) for r in rows]


def meme(path: Path, text: bytes) -> None:
    """Rows of four probabilities."""
    motifs = read_meme(path)
    assert all(np.isfinite(m.counts).all() and (m.counts >= 0).all() for m in motifs)
    rows = [x.split() for x in lines_of(text.decode()) if re.match(r"\s*[\d.]", x)]
    if all(len(r) == 4 for r in rows):
        assert sum(m.width for m in motifs) <= len(rows)


def model(path: Path, text: bytes) -> None:
    """Finite weights of the shapes in the header."""
    del text
    network, card = load_model(path)
    assert all(bool(t.isfinite().all()) for t in network.state_dict().values())
    assert len(card.thresholds) == len(card.model.outputs)


def model_bytes() -> bytes:
    """A small model file."""
    config = ModelConfig(40, backbone="deepbind", options={"width": 2, "hidden": 2, "kernel": 4})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        save_model(path, Classifier(config), ModelCard(config, (0.5,), 0, 1))
        return path.read_bytes()


READERS: dict[str, tuple[Callable[[Path, bytes], None], Callable[[], bytes], str]] = {
    "peaks": (peaks, lambda: PEAKS, "p.bed"),
    "fasta": (fasta, lambda: FASTA, "s.fa"),
    "vcf": (vcf, lambda: VCF, "v.vcf"),
    "table": (table, lambda: TABLE, "t.tsv"),
    "meme": (meme, lambda: MEME, "m.meme"),
    "model": (model, model_bytes, "m.safetensors"),
}


def fuzz(name: str, minutes: float) -> tuple[int, int]:
    """Mutants until the time is over; how many there were, and how many were read."""
    check, make, file = READERS[name]
    end = time.monotonic() + 60 * minutes
    tried = read = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        round_ = 0
        while time.monotonic() < end:
            round_ += 1

            @seed(round_)
            @settings(max_examples=400, deadline=None, database=None,
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(mutants(make()))
            def one(text: bytes) -> None:
                nonlocal tried, read
                if time.monotonic() > end:
                    return
                tried += 1
                path.write_bytes(text)
                try:
                    check(path, text)
                    read += 1
                except InputError:
                    return

            one()
    return tried, read


def main() -> None:
    """Fuzz the readers that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], default=list(READERS))
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    for name in options.readers or READERS:
        tried, read = fuzz(name, options.minutes)
        sys.stdout.write(f"{name}: {tried:,} files, {read:,} read, the others refused in words\n")


if __name__ == "__main__":
    main()
