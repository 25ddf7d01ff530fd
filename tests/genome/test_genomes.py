import gzip
import os
import struct
import time

import numpy as np
import pytest

from genome_files import FORMATS, fasta_text, random_genome, twobit, write_genome
from helpers import CASES
from wavebind.core.cache import cache_folder
from wavebind.core.errors import InputError
from wavebind.genome import fastaindex, genomes
from wavebind.genome.genomes import match_chromosomes, open_genome

GENOME = random_genome()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_letters_that_were_written(tmp_path, monkeypatch, name):
    for module in (fastaindex, genomes):
        monkeypatch.setattr(module, "CHUNK", 7_001)
    path = write_genome(tmp_path, name, GENOME)
    seen = []
    with open_genome(path, cache=tmp_path / "cache", progress=seen.append) as genome:
        assert genome.lengths == {k: len(v) for k, v in GENOME.items()}
        for chrom, sequence in GENOME.items():
            assert genome.letters(chrom).tobytes().decode() == sequence
            assert genome.letters(chrom, 59, 182).tobytes().decode() == sequence[59:182]
            assert genome.letters(chrom, 5, 5).size == 0
    if not name.endswith("2bit"):
        assert sum(seen) == len(fasta_text(GENOME, end="\r\n" if "windows" in name else "\n"))


def test_a_gzipped_genome_is_unpacked_once_and_anew_when_it_changes(tmp_path):
    cache = tmp_path / "cache"
    path = write_genome(tmp_path, "genome.fa.gz", GENOME)
    open_genome(path, cache=cache)
    before = {p.name: p.stat().st_mtime_ns for p in (cache / "genomes").iterdir()}
    assert sorted(p.rsplit(".", 1)[1] for p in before) == ["fa", "fai"]
    open_genome(path, cache=cache)
    assert {p.name: p.stat().st_mtime_ns for p in (cache / "genomes").iterdir()} == before
    other = {"chr1": "ACGT" * 100}
    write_genome(tmp_path, "genome.fa.gz", other)
    with open_genome(path, cache=cache) as genome:
        assert genome.letters("chr1").tobytes().decode() == other["chr1"]


def test_nothing_is_written_beside_the_genome(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    open_genome(write_genome(folder, "genome.fa", GENOME), cache=tmp_path / "cache")
    assert [p.name for p in folder.iterdir()] == ["genome.fa"]


def test_the_cache_folder_is_a_setting(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "wavebind"
    monkeypatch.setenv("WAVEBIND_CACHE", str(tmp_path / "w"))
    assert cache_folder() == tmp_path / "w"


def test_chromosome_names_of_two_habits(tmp_path):
    path = write_genome(tmp_path, "genome.fa", {"chr1": "ACGT", "2": "ACGT", "chrM": "ACGT"})
    with open_genome(path, cache=tmp_path) as genome:
        found = match_chromosomes(["1", "chr1", "chr2", "MT", "chrUn"], genome)
    assert found == {"1": "chr1", "chr1": "chr1", "chr2": "2", "MT": "chrM", "chrUn": None}


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


GOOD = twobit({"chr1": "NNNNACGTacgtACGT" * 4})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"chrom\tstart\n", "is neither FASTA"),
        (b">a\nAC\0GT\n", "holds zero bytes"),
        (gzip.compress(fasta_text(GENOME).encode())[:-2000], "gzip data ends or breaks here"),
        (gzip.compress(b""), "holds nothing when unpacked"),
        (b">a\nACGT\n>a\nACGT\n", "cannot be indexed"),
        (b">a\nACGTAC\nAC\nACGTAC\n", "lines of a FASTA record have one length"),
        (b">a\n", "holds no sequence"),
        (b">a\nACGT-X\n", r"2 letters are not nucleotides .*the first is '-' at a"),
        (GOOD[:20], "2bit file is damaged .it ends within its index"),
        (GOOD[:-4], "needs more bytes than the file has"),
        (changed(GOOD, 8, 2**31), "it counts 2,147,483,648 sequences"),
        (changed(GOOD, 4, 1), "version 1 of 2bit is not known"),
        (changed(GOOD, 21, 10**6), "it ends within the record of 'chr1'"),
        (changed(GOOD, 29, 2**30), "has 1,073,741,824 blocks and the file too few bytes"),
        (changed(GOOD, 33, 10**6), "has a block beyond its end"),
        (struct.pack(">I", 0x1A412743) + GOOD[4:], "the byte order of another machine"),
    ],
)
def test_genomes_that_cannot_be_read(tmp_path, data, message):
    path = tmp_path / "genome"
    path.write_bytes(data)
    with (
        pytest.raises(InputError, match=message),
        open_genome(path, cache=tmp_path / "cache") as genome,
    ):
        genome.letters("a")
    kept = [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file() and ".part" in p.name]
    assert kept == []


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(fastaindex, "MAX_LINE", 1000)
    for module in (fastaindex, genomes):
        monkeypatch.setattr(module, "CHUNK", 300)
    path = tmp_path / "g.fa"
    path.write_text(">a\n" + "ACGT\n" * 150 + "A" * 1001 + "\n")
    with pytest.raises(InputError, match=r"g\.fa line 152: longer than 1,000 characters"):
        open_genome(path, cache=tmp_path)
    path.write_text(">a\n" + "A" * 1000 + "\n")
    assert open_genome(path, cache=tmp_path).lengths == {"a": 1000}


def test_places_that_are_not(tmp_path):
    with open_genome(write_genome(tmp_path, "genome.fa", GENOME), cache=tmp_path) as genome:
        with pytest.raises(InputError, match="has no chromosome 'chr9'"):
            genome.letters("chr9")
        with pytest.raises(InputError, match="chr1:59990-60001 leaves the chromosome"):
            genome.letters("chr1", 59_990, 60_001)


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = write_genome(tmp_path, "genome.fa", GENOME)
    with open_genome(path, cache=tmp_path) as genome:
        path.write_text(path.read_text()[:1000])
        with pytest.raises(InputError, match="chr1"):
            genome.letters("chr1")


def test_two_bits_of_nothing_known(tmp_path):
    path = write_genome(tmp_path, "genome.2bit", {"a": "N" * 37, "b": "acgt" * 9 + "A"})
    with open_genome(path) as genome:
        assert np.all(genome.letters("a") == ord("N"))
        assert genome.letters("b").tobytes() == b"acgt" * 9 + b"A"


def test_a_younger_copy_of_a_genome_is_no_reason_to_warn(tmp_path):
    first, second = tmp_path / "a.fa", tmp_path / "b.fa"
    first.write_text(">c\nACGTACGTAC\n")
    with open_genome(first, cache=tmp_path / "cache") as genome:
        assert genome.lengths == {"c": 10}
    second.write_bytes(first.read_bytes())
    ahead = time.time() + 1000
    os.utime(second, (ahead, ahead))
    with open_genome(second, cache=tmp_path / "cache") as genome:
        assert genome.lengths == {"c": 10}


def test_a_last_line_that_is_longer_is_refused_when_it_is_indexed():
    with pytest.raises(InputError, match="the lines of a FASTA record have one length"):
        open_genome(CASES / "longlast.fa.gz")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (">a\nACGT\nACGTA\n", 3),
        (">a\nACGT\nACGTA", 3),
        (">a\nACGT\nAC\n>b\nAC\nACG\n", 6),
        (">a\nACGTACGT\n>b\nAC\nAC\nACGTT", 6),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_longer_lines_are_found_wherever_a_chunk_ends(tmp_path, monkeypatch, text, line, chunk):
    monkeypatch.setattr("wavebind.genome.fastaindex.CHUNK", chunk)
    path = tmp_path / "g.fa"
    path.write_text(text)
    with pytest.raises(InputError, match=f"g.fa line {line}: has"):
        open_genome(path)
    path.write_text(">a\nACGT\nACGT\nAC\n>bcdefghij\nACG\nA\n\n>c\nACGTACGTA")
    with open_genome(path) as genome:
        assert genome.letters("b" + "cdefghij").tobytes() == b"ACGA"
        assert genome.letters("a").tobytes() == b"ACGTACGTAC"


def test_an_index_of_before_the_check_is_not_used(tmp_path, monkeypatch):
    from wavebind.core.files import sha256

    path = tmp_path / "g.fa"
    path.write_text(">a\nACGT\nACGTA\n")
    old = tmp_path / "cache" / "genomes" / f"{sha256(path)}.fai"
    old.parent.mkdir(parents=True)
    old.write_text("a\t9\t3\t4\t5\n")
    with pytest.raises(InputError, match="line 3: has 5 letters"):
        open_genome(path, cache=tmp_path / "cache")


def test_a_pipe_is_no_genome(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is a pipe, which can be read only once, and a genome"):
        open_genome(pipe)
