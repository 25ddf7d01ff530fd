"""A small genome that is known letter by letter, in every format; written without wavebind."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

FORMATS = ("genome.fa", "genome.fa.gz", "genome.bgz.fa.gz", "genome.2bit", "windows_ends.fa")


def random_genome(seed: int = 0, sizes: dict[str, int] | None = None) -> dict[str, str]:
    """Random letters with GC waves, soft-masked stretches, and a stretch of N."""
    rng = np.random.default_rng(seed)
    genome = {}
    for name, size in (sizes or {"chr1": 60_000, "chr2": 50_003, "chr8": 30_017}).items():
        gc = 0.45 + 0.2 * np.sin(np.arange(size) / 1500)
        draws = rng.random(size)
        letters = np.where(
            draws < gc, np.where(rng.random(size) < 0.5, "G", "C"), rng.choice(["A", "T"], size)
        )
        for _ in range(size // 2000):
            at = int(rng.integers(0, size))
            letters[at : at + 300] = np.char.lower(letters[at : at + 300])
        letters[size // 3 : size // 3 + 500] = "N"
        genome[name] = "".join(letters)
    return genome


def fasta_text(genome: dict[str, str], width: int = 60, end: str = "\n") -> str:
    lines = []
    for name, sequence in genome.items():
        lines.append(f">{name} made for tests")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    return end.join(lines) + end


def bgzip(data: bytes) -> bytes:
    """Blocked gzip (SAM specification, section 4.1)."""
    out = b""
    for at in [*range(0, len(data), 40_000), len(data)]:
        block = data[at : at + 40_000]
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = deflate.compress(block) + deflate.flush()
        size = len(body) + 25
        out += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", size) + body
        out += struct.pack("<II", zlib.crc32(block), len(block))
    return out


def twobit(genome: dict[str, str]) -> bytes:
    """UCSC's 2bit format, version 0."""

    def blocks(mask: np.ndarray) -> bytes:
        edges = np.flatnonzero(np.diff(np.r_[0, mask.astype(int), 0]))
        starts, ends = edges[::2], edges[1::2]
        return (
            struct.pack("<I", len(starts))
            + starts.astype("<u4").tobytes()
            + (ends - starts).astype("<u4").tobytes()
        )

    records = []
    for sequence in genome.values():
        letters = np.frombuffer(sequence.encode(), dtype=np.uint8)
        upper = np.frombuffer(sequence.upper().encode(), dtype=np.uint8)
        code = np.zeros(-(-len(letters) // 4) * 4, dtype=np.uint8)
        for value, letter in enumerate(b"TCAG"):
            code[: len(upper)][upper == letter] = value
        packed = (code.reshape(-1, 4) << np.array([6, 4, 2, 0], dtype=np.uint8)).sum(1)
        records.append(
            struct.pack("<I", len(letters))
            + blocks(upper == ord("N"))
            + blocks(letters >= ord("a"))
            + struct.pack("<I", 0)
            + packed.astype(np.uint8).tobytes()
        )
    at = 16 + sum(5 + len(name) for name in genome)
    index = b""
    for name, record in zip(genome, records, strict=True):
        index += bytes([len(name)]) + name.encode() + struct.pack("<I", at)
        at += len(record)
    return struct.pack("<IIII", 0x1A412743, 0, len(genome), 0) + index + b"".join(records)


def write_genome(folder: Path, name: str, genome: dict[str, str]) -> Path:
    text = fasta_text(genome, end="\r\n" if "windows" in name else "\n").encode()
    data = {"genome.fa.gz": gzip.compress(text), "genome.bgz.fa.gz": bgzip(text)}.get(name, text)
    if name.endswith(".2bit"):
        data = twobit(genome)
    (folder / name).write_bytes(data)
    return folder / name
