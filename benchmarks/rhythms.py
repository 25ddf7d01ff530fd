"""A task for which wavelets are made: a rhythm that is faint at any place and goes on for long.

Bound windows have A or T more often every 10.2 bp, as the DNA of nucleosomes has (Satchwell, Drew
and Travers 1986, J. Mol. Biol. 191:659), from a phase drawn for each; unbound ones are uniform
shuffles of such windows that keep every dinucleotide. No word, no composition and no place tells
them apart, only the rhythm. The sequences are made up: this says what the transform is good for,
not how well anything works on a genome.

Writes a table and its dataset, and prints what those who know the answer would score: the power of
A and T at 10.2 bp, over the whole window. 'benchmarks/fronts.py' compares networks on the dataset.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.cli.main import run
from wavebind.datasets.dataset import open_dataset
from wavebind.genome.sequences import to_letters
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.metrics.binary import auroc_with_interval

PERIOD = 10.2
#: Windows of a class, and where they are said to lie.
PARTS = {"train": ("chr1", 4000), "valid": ("chr2", 1000), "test": ("chr3", 2000)}


def rhythmic(n: int, length: int, depth: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Codes of windows in which the share of A and T goes up and down by `depth` about a half."""
    phases = rng.uniform(0, 2 * np.pi, (n, 1))
    share = 0.5 + depth * np.cos(2 * np.pi * np.arange(length) / PERIOD + phases)
    weak = rng.random((n, length)) < share
    first = rng.random((n, length)) < 0.5
    a, c, g, t = range(4)
    return np.where(weak, np.where(first, a, t), np.where(first, c, g)).astype(np.uint8)


def power(codes: NDArray[np.uint8], period: float = PERIOD) -> NDArray[np.float64]:
    """Of A and T at a period, over the window, whatever the phase; ``(window,)``."""
    weak = np.where((codes == 0) | (codes == 3), 1.0, -1.0)
    return np.abs(weak @ np.exp(-2j * np.pi * np.arange(codes.shape[1]) / period)) ** 2


def table(length: int, depth: float, seed: int) -> list[str]:
    """Lines of a labelled table, its header first."""
    rng = np.random.default_rng(seed)
    lines = ["chrom\tstart\tend\tlabel\tsplit\tseq"]
    for part, (chrom, n) in PARTS.items():
        # The shuffled windows are none of the bound ones, so that nothing is there twice.
        windows = rhythmic(2 * n, length, depth, rng)
        windows[n:] = dinucleotide_shuffle(windows[n:], rng)
        # Nor does the place on the chromosome tell.
        for i, place in enumerate(rng.permutation(2 * n)):
            start = 10 * length * int(place)
            label = int(i < n)
            lines.append(
                f"{chrom}\t{start}\t{start + length}\t{label}\t{part}\t{to_letters(windows[i])}"
            )
    return lines


def main() -> None:
    """Make the dataset, print the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("rhythms"))
    parser.add_argument("--length", type=int, default=200, help="of the windows, in bp")
    parser.add_argument("--depth", type=float, default=0.12, help="how strong the rhythm is")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not 0 < options.depth <= 0.5:
        parser.error(f"--depth is above 0 and at most 0.5; found {options.depth}")
    if not 40 <= options.length <= 5000:
        parser.error(f"--length is from 40 to 5000; found {options.length}")
    if options.out.exists():
        parser.error(f"{options.out} is there already")
    written = options.out.with_name(f"{options.out.name}.tsv")
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text("\n".join(table(options.length, options.depth, options.seed)) + "\n")
    if code := run(["dataset", str(written), "--out", str(options.out)]):
        raise SystemExit(code)
    data = open_dataset(options.out)
    for part in ("valid", "test"):
        rows = data.indices(part)
        labels, scores = data.labels[rows], power(data.codes[rows])
        found = auroc_with_interval(labels, scores, np.random.default_rng(0))
        print(
            f"power at {PERIOD} bp: AUROC {found.value:.3f} ({found.low:.3f}-{found.high:.3f}) on "
            f"{len(rows):,} {part} windows"
        )


if __name__ == "__main__":
    main()
