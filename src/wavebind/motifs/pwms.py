"""Position weight matrices: from counts to log-odds, in and out of MEME files, best hits.

Scores are those of FIMO (Grant, Bailey & Noble 2011, Bioinformatics 27:1017): the sum over the
positions of a site of ``log2(probability / background)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines, replace_file
from wavebind.genome.sequences import Codes

__all__ = [
    "Hits",
    "Motif",
    "best_hits",
    "letter_frequencies",
    "motif_scores",
    "read_meme",
    "write_meme",
]

Floats = NDArray[np.float64]

#: Added to every column in proportion to the background, as FIMO does.
PSEUDOCOUNT = 0.1
#: A MEME file gives probabilities to six places; its number of sites is often left out.
_DEFAULT_SITES = 20.0
_MOST_SITES = 1e9
_MAX_BYTES = 64 * 2**20
_MAX_LINE = 100_000
_MAX_WIDTH = 200
_BATCH = 1024
_UNIFORM = (0.25, 0.25, 0.25, 0.25)

#: Steadier than FIMO's 0.1 where a matrix was made of few sites.
_CLASSIFYING_PSEUDOCOUNT = 1.0


@dataclass(frozen=True)
class Motif:
    """A matrix of counts with a name.

    Attributes
    ----------
    identifier : str
        For example ``MA0139.1``.
    name : str
        For example ``CTCF``.
    counts : numpy.ndarray
        ``float64``, shape ``(position, base)``, bases A, C, G, T: how many of the sites have a
        base at a position.
    family : str
        Of the factor; empty where not known.
    """

    identifier: str
    name: str
    counts: Floats
    family: str = ""

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, dtype=np.float64)
        if counts.ndim != 2 or counts.shape[1] != 4 or not 1 <= len(counts) <= _MAX_WIDTH:
            raise InputError(
                f"motif {self.identifier}: counts have the shape (position, 4) and at most "
                f"{_MAX_WIDTH} positions; found {counts.shape}"
            )
        if not np.all(np.isfinite(counts)) or counts.min() < 0 or counts.sum(1).min() <= 0:
            raise InputError(
                f"motif {self.identifier}: counts are not negative, and every position has some"
            )
        object.__setattr__(self, "counts", counts)

    @property
    def width(self) -> int:
        """Positions."""
        return len(self.counts)

    @property
    def label(self) -> str:
        """Identifier and name, for people."""
        return f"{self.identifier} {self.name}".strip()

    def probabilities(
        self, pseudocount: float = PSEUDOCOUNT, background: Sequence[float] = _UNIFORM
    ) -> Floats:
        """Shape ``(position, base)``, each row adding up to 1."""
        counts = self.counts + pseudocount * np.asarray(background)
        share: Floats = counts / counts.sum(axis=1, keepdims=True)
        return share

    def log_odds(
        self, pseudocount: float = PSEUDOCOUNT, background: Sequence[float] = _UNIFORM
    ) -> Floats:
        """``log2(probability / background)``, shape ``(position, base)``, in bits."""
        share = self.probabilities(pseudocount, background)
        # Without a pseudocount a base that was never seen rules a site out.
        with np.errstate(divide="ignore"):
            odds: Floats = np.log2(share / np.asarray(background))
        return odds

    def information(self) -> Floats:
        """Information content in bits, shape ``(position,)`` (Schneider et al. 1986)."""
        share = self.probabilities(0.0)
        logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
        return np.asarray(2 + (share * logs).sum(axis=1))

    def reverse_complement(self) -> Motif:
        """The same sites read on the other strand."""
        return Motif(self.identifier, self.name, self.counts[::-1, ::-1], self.family)


@dataclass(frozen=True)
class Hits:
    """The best hit of each motif in each window.

    Attributes
    ----------
    score : numpy.ndarray
        ``float64``, shape ``(window, motif)``, bits; minus infinity where a window is shorter than
        the motif.
    start : numpy.ndarray
        ``int64``, the same shape: first base of the hit, 0-based, on the window as it is.
    reverse : numpy.ndarray
        ``bool``, the same shape: whether the hit lies on the other strand.
    """

    score: Floats
    start: NDArray[np.int64]
    reverse: NDArray[np.bool_]


def best_hits(
    codes: Codes,
    motifs: Sequence[Motif],
    *,
    pseudocount: float = PSEUDOCOUNT,
    background: Sequence[float] = _UNIFORM,
    progress: Callable[[int], None] | None = None,
) -> Hits:
    """The highest log-odds of each motif in each window, over positions and both strands.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``. An unknown base counts 0, as the background does.
    motifs : sequence of Motif
    pseudocount : float
    background : sequence of float
        Probabilities of A, C, G and T.
    progress : callable, optional
        Called with the number of windows done since the last call.

    Returns
    -------
    Hits
        Of equal hits the first, and that of the window's own strand.
    """
    length = codes.shape[1]
    shape = (len(codes), len(motifs))
    score = np.full(shape, -np.inf)
    start = np.zeros(shape, dtype=np.int64)
    reverse = np.zeros(shape, dtype=bool)
    groups: dict[int, list[int]] = {}
    for j, motif in enumerate(motifs):
        if motif.width <= length:
            groups.setdefault(motif.width, []).append(j)
    filters = {}
    for width, members in groups.items():
        tables = np.stack([motifs[j].log_odds(pseudocount, background) for j in members])
        both = np.concatenate([tables, tables[:, ::-1, ::-1]])
        filters[width] = torch.from_numpy(np.ascontiguousarray(both.transpose(0, 2, 1))).float()
    for at in range(0, len(codes), _BATCH):
        rows = slice(at, min(at + _BATCH, len(codes)))
        batch = torch.from_numpy(np.ascontiguousarray(codes[rows])).long()
        onehot = functional.one_hot(batch, 5)[:, :, :4].transpose(1, 2).float()
        for width, members in groups.items():
            found = functional.conv1d(onehot, filters[width])
            top, place = found.max(dim=2)
            ahead, behind = top[:, : len(members)], top[:, len(members) :]
            other = behind > ahead
            places = torch.where(other, place[:, len(members) :], place[:, : len(members)])
            score[rows, members] = torch.maximum(ahead, behind).double().numpy()
            start[rows, members] = places.numpy()
            reverse[rows, members] = other.numpy()
        if progress:
            progress(len(batch))
    return Hits(score, start, reverse)


def read_meme(path: Path) -> list[Motif]:
    """Motifs of a file in MEME's minimal format, plain or gzipped.

    Raises
    ------
    InputError
        If the file is not of that format, or a matrix is not whole.
    """
    lines, size = [], 0
    for _, line in read_lines(path, max_line=_MAX_LINE):
        size += len(line) + 1
        if size > _MAX_BYTES:
            raise InputError(
                f"{path}: larger than {_MAX_BYTES:,} bytes; it is not a list of motifs"
            )
        lines.append(line)
    if not any(line.startswith("MEME version") for line in lines[:50]):
        raise InputError(
            f"{path}: is not in MEME format; its first lines lack 'MEME version'{_converter(lines)}"
        )
    _check_alphabet(lines, path)
    motifs: list[Motif] = []
    identifier, name = "", ""
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if line.startswith("MOTIF"):
            words = line.split(maxsplit=2)[1:]
            if not words:
                raise InputError(f"{path} line {at}: MOTIF has no name")
            identifier, name = words[0], words[1] if len(words) > 1 else ""
        elif line.startswith("letter-probability matrix"):
            width = re.search(r"\bw=\s*(\d+)", line)
            sites = re.search(r"\bnsites=\s*(\S+)", line)
            n_line = at
            rows = []
            while at < len(lines) and re.match(r"\s*[\d.]", lines[at]):
                rows.append(_row(lines[at], path, at + 1))
                at += 1
            if not rows or (width and len(rows) != int(width.group(1))):
                raise InputError(
                    f"{path} line {at}: motif {identifier} has {len(rows)} rows and says "
                    f"{width.group(1) if width else 'nothing'} of its width"
                )
            n = _sites(sites[1], path, n_line) if sites else _DEFAULT_SITES
            motifs.append(Motif(identifier, name, np.array(rows) * max(n, 1.0)))
    if not motifs:
        raise InputError(f"{path}: holds no motif")
    return motifs


def _converter(lines: list[str]) -> str:
    """What the file may be instead, and what turns it into MEME format."""
    text = [line.strip() for line in lines if line.strip()]
    first = text[0] if text else ""
    bracket = any(re.match(r"[ACGT]?\s*\[", line) for line in text[1:6])
    if first.startswith(">") and bracket:
        return "; it looks like JASPAR's format, which 'jaspar2meme' turns into it"
    if first.startswith(">") and any(len(line.split()) == 4 for line in text[1:4]):
        return "; it looks like HOMER's format, which 'homer2meme' or 'chen2meme' turns into it"
    if any(re.match(r"(AC|ID|P0|PO|XX)\b", line) for line in text[:10]):
        return "; it looks like TRANSFAC's format, which 'transfac2meme' turns into it"
    return ""


def _check_alphabet(lines: list[str], path: Path) -> None:
    """Refuse letters in another order: every matrix would be read with its columns swapped."""
    for number, line in enumerate(lines, 1):
        found = re.match(r"\s*ALPHABET\s*=?\s*(.*)", line)
        if not found:
            continue
        letters = found[1].strip()
        if letters and letters != "ACGT" and not letters.startswith('"DNA"'):
            raise InputError(
                f"{path} line {number}: the alphabet is {letters[:30]!r}; matrices of DNA with the "
                f"letters in the order ACGT are read, so reorder the columns"
            )
        return


def _sites(text: str, path: Path, number: int) -> float:
    try:
        n = float(text)
    except ValueError:
        n = math.nan
    if not 0 <= n <= _MOST_SITES:
        raise InputError(
            f"{path} line {number}: nsites is the number of sites that a matrix was made of; found "
            f"{text[:30]!r}"
        )
    return n


def _row(line: str, path: Path, number: int) -> list[float]:
    words = line.split()
    try:
        row = [float(word) for word in words]
    except ValueError:
        row = []
    if len(row) != 4 or not 0.9 < sum(row) < 1.1 or min(row) < 0:
        raise InputError(
            f"{path} line {number}: a row of a matrix has four probabilities that add up to 1; "
            f"found {line.strip()[:60]!r}"
        )
    return row


def write_meme(path: Path, motifs: Sequence[Motif]) -> None:
    """Write motifs in MEME's minimal format; the file appears when whole."""
    lines = [
        "MEME version 4",
        "",
        "ALPHABET= ACGT",
        "",
        "strands: + -",
        "",
        "Background letter frequencies",
        "A 0.25 C 0.25 G 0.25 T 0.25",
        "",
    ]
    for motif in motifs:
        sites = motif.counts.sum(axis=1).max()
        lines.append(f"MOTIF {motif.identifier} {motif.name}".rstrip())
        lines.append(
            f"letter-probability matrix: alength= 4 w= {motif.width} nsites= {sites:g} E= 0"
        )
        lines += [" ".join(f"{p:.6f}" for p in row) for row in motif.probabilities(0.0)]
        lines.append("")
    with replace_file(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def letter_frequencies(codes: Codes) -> tuple[float, ...]:
    """Frequencies of A, C, G and T in windows ``(window, position)``, as a background."""
    counts = np.bincount(np.asarray(codes).ravel(), minlength=5)[:4] + 1.0
    return tuple((counts / counts.sum()).tolist())


def motif_scores(
    codes: Codes, motifs: Sequence[Motif], background: tuple[float, ...]
) -> NDArray[np.float64]:
    """Log-odds of the best hit of each matrix in each window, either strand.

    Parameters
    ----------
    codes : numpy.ndarray
        ``uint8``, shape ``(window, position)``.
    motifs : sequence of Motif
    background : tuple of float
        Frequencies of A, C, G and T.

    Returns
    -------
    numpy.ndarray
        ``float64``, bits, shape ``(window, motif)``.
    """
    return best_hits(
        codes, list(motifs), pseudocount=_CLASSIFYING_PSEUDOCOUNT, background=background
    ).score
