"""Small files to try every command on: a made-up genome in which real windows lie.

The windows are those of the demo (:mod:`wavebind.datasets.demo`). Between them lie other unbound
windows of the demo with their dinucleotides shuffled. So sites are real; distances, open chromatin
and variants are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavebind.core.files import replace_dir
from wavebind.datasets.demo import demo_table
from wavebind.datasets.tables import LabelledWindow, read_labelled_table
from wavebind.genome.sequences import Codes, to_letters
from wavebind.genome.shuffling import dinucleotide_shuffle

__all__ = ["ExampleFiles", "write_example"]

#: Unbound windows that lie in the genome, beside one bound one.
_UNBOUND = 2
#: Shuffled windows between two that lie in the genome.
_BETWEEN = 3
#: Variants in the middle of bound windows, and anywhere else.
_N_VARIANTS = 60
#: Bases to either side of a bound window's middle within which its variant lies.
_NEAR = 12
_LINE = 60


@dataclass(frozen=True)
class ExampleFiles:
    """What was written.

    Attributes
    ----------
    genome : pathlib.Path
        FASTA.
    peaks : pathlib.Path
        BED with a peak for every bound window.
    accessible : pathlib.Path
        BED around all windows of the demo: what is open in this genome.
    variants : pathlib.Path
        VCF of single substitutions: half of them in the middle of peaks.
    """

    genome: Path
    peaks: Path
    accessible: Path
    variants: Path


def write_example(folder: Path, *, seed: int = 0, force: bool = False) -> ExampleFiles:
    """Write a small genome with its peaks, open chromatin and variants.

    Parameters
    ----------
    folder : pathlib.Path
    seed : int
        Decides what lies where.
    force : bool
        Whether an older example is replaced.

    Returns
    -------
    ExampleFiles

    Raises
    ------
    InputError
        If the folder is there and may not be replaced.
    """
    rng = np.random.default_rng(seed)
    with demo_table() as table:
        windows = list(read_labelled_table(table))
    bound = [w for w in windows if w.label == 1]
    unbound = [w for w in windows if w.label == 0]
    rng.shuffle(unbound)
    placed = _UNBOUND * len(bound)
    shuffled = dinucleotide_shuffle(np.stack([w.codes for w in unbound[placed:]]), rng)
    # An unbound window goes to the chromosome of a bound one, so that all have both.
    chosen = [(w.chrom, w) for w in bound]
    chosen += [(bound[i % len(bound)].chrom, w) for i, w in enumerate(unbound[:placed])]
    genome, places = _laid_out(chosen, shuffled, rng)
    names = ExampleFiles(
        *(folder / name for name in ("genome.fa", "peaks.bed", "open.bed", "variants.vcf"))
    )
    with replace_dir(folder, overwrite=force, marker=names.genome.name) as temporary:
        with (temporary / names.genome.name).open("w", encoding="ascii") as stream:
            for chrom, codes in genome.items():
                letters = to_letters(codes)
                stream.write(f">{chrom}\n")
                stream.writelines(
                    letters[at : at + _LINE] + "\n" for at in range(0, len(letters), _LINE)
                )
        peaks = "".join(f"{c}\t{s}\t{e}\n" for c, s, e, label in places if label)
        (temporary / names.peaks.name).write_text(peaks, encoding="ascii")
        around = "".join(f"{c}\t{s - 100}\t{e + 100}\n" for c, s, e, _ in places)
        (temporary / names.accessible.name).write_text(around, encoding="ascii")
        (temporary / names.variants.name).write_text(
            _vcf(genome, [(c, (s + e) // 2) for c, s, e, label in places if label], rng),
            encoding="ascii",
        )
    return names


def _laid_out(
    chosen: list[tuple[str, LabelledWindow]], between: Codes, rng: np.random.Generator
) -> tuple[dict[str, Codes], list[tuple[str, int, int, int]]]:
    """Chromosomes of windows with shuffled ones between; and where each window came to lie."""
    order = rng.permutation(len(chosen))
    pieces: dict[str, list[Codes]] = {}
    ends: dict[str, int] = {}
    places = []
    for i in order:
        chrom, window = chosen[i]
        gap = between[rng.integers(0, len(between), _BETWEEN)].reshape(-1)
        start = ends.get(chrom, 0) + len(gap)
        ends[chrom] = start + len(window.codes)
        pieces.setdefault(chrom, []).extend((gap, window.codes))
        places.append((chrom, start, ends[chrom], window.label))
    tail = between[0]
    genome = {
        chrom: np.concatenate([*pieces[chrom], tail])
        for chrom in sorted(pieces, key=lambda name: (len(name), name))
    }
    return genome, sorted(places, key=lambda place: (list(genome).index(place[0]), place[1]))


def _vcf(genome: dict[str, Codes], middles: list[tuple[str, int]], rng: np.random.Generator) -> str:
    """Substitutions, sorted as the genome is."""
    near = rng.permutation(len(middles))[:_N_VARIANTS]
    sites = {(middles[i][0], middles[i][1] + int(rng.integers(-_NEAR, _NEAR))) for i in near}
    names = list(genome)
    while len(sites) < 2 * _N_VARIANTS:
        chrom = names[int(rng.integers(len(names)))]
        sites.add((chrom, int(rng.integers(len(genome[chrom])))))
    lines = ["##fileformat=VCFv4.2"]
    lines += [f"##contig=<ID={chrom},length={len(codes)}>" for chrom, codes in genome.items()]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    for number, (chrom, at) in enumerate(
        sorted(sites, key=lambda site: (names.index(site[0]), site[1])), 1
    ):
        ref = int(genome[chrom][at])
        alt = (ref + int(rng.integers(1, 4))) % 4
        lines.append(f"{chrom}\t{at + 1}\tv{number}\t{'ACGT'[ref]}\t{'ACGT'[alt]}\t.\t.\t.")
    return "\n".join(lines) + "\n"
