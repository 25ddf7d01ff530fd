"""What a study chooses by its data, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wavebind.core.errors import InputError
from wavebind.core.files import read_lines
from wavebind.datasets.splits import ChromosomeSplit
from wavebind.genome.genomes import open_genome
from wavebind.genome.peaks import place_on_genome

__all__ = ["Choices", "choose", "choose_split", "count_alleles", "duration"]

#: More bound windows than this add little, and take long.
MOST_PEAKS = 20_000
#: Fewer peaks than this cannot be split into three parts.
LEAST_PEAKS = 50
#: Peaks of a part that is held out.
_LEAST_HELD = 10
_TEST, _VALID = 0.15, 0.10


@dataclass(frozen=True)
class Choices:
    """What was chosen.

    Attributes
    ----------
    n_peaks : int
        That are used.
    n_bases : int
        Of the genome.
    settings : dict
        Of the dataset, by name.
    background_words : str
        Where unbound windows come from.
    words : tuple of str
        Each choice and its reason, a sentence each.
    """

    n_peaks: int
    n_bases: int
    settings: dict[str, str]
    background_words: str
    words: tuple[str, ...]


def choose(peaks: Path, genome: Path, accessible: bool) -> Choices:
    """Look at peaks and genome, and choose split, number of peaks and background.

    Parameters
    ----------
    peaks, genome : pathlib.Path
    accessible : bool
        Whether open chromatin is given.

    Raises
    ------
    InputError
        If a file cannot be used, or there are fewer than 50 peaks.
    """
    with open_genome(genome) as opened:
        placed = place_on_genome([peaks], opened)
        n_bases = sum(opened.lengths.values())
    table = placed.table
    if len(table) < LEAST_PEAKS:
        raise InputError(
            f"{peaks}: has {len(table)} peaks on {genome}; a model of its own needs {LEAST_PEAKS}. "
            f"The package's model needs none: 'wavebind predict factors'"
        )
    counts = {str(chrom): int(n) for chrom, n in table["chrom"].value_counts().items()}
    settings, words = choose_split(counts)
    n_peaks = len(table)
    if n_peaks > MOST_PEAKS and not table["score"].isna().any():
        settings["top"] = str(MOST_PEAKS)
        words.append(
            f"Of {n_peaks:,} peaks the {MOST_PEAKS:,} strongest are taken: more add little, and "
            f"take longer."
        )
        n_peaks = MOST_PEAKS
    if accessible:
        background = "from open chromatin without a peak"
        words.append("Unbound windows are open chromatin without a peak: the hardest comparison.")
    else:
        background = "from anywhere, alike in GC and repeats"
        words.append(
            "Unbound windows are matched in GC and repeats, since no open chromatin was given; "
            "with --accessible the comparison is harder, and says more."
        )
    return Choices(n_peaks, n_bases, settings, background, tuple(words))


def choose_split(counts: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """Which chromosomes are held out.

    Parameters
    ----------
    counts : mapping
        Peaks by chromosome.

    Returns
    -------
    tuple of dict and list
        Settings of the dataset, and sentences that say why.
    """
    usual = ChromosomeSplit()
    held = {part: sum(n for c, n in counts.items() if usual.part(c) == part) for part in _PARTS}
    if min(held.values()) >= _LEAST_HELD:
        return {}, [
            f"Test is {', '.join(usual.test)} and valid {', '.join(usual.valid)}, as always."
        ]
    total = sum(counts.values())
    ordered = sorted(counts, key=lambda c: (-counts[c], c))

    def nearest(share: float, among: list[str]) -> str:
        return min(among, key=lambda c: (abs(counts[c] / total - share), c))

    if len(ordered) >= 3:
        test = nearest(_TEST, ordered)
        valid = nearest(_VALID, [c for c in ordered if c != test])
        rest = total - counts[test] - counts[valid]
        if min(counts[test], counts[valid]) >= _LEAST_HELD and rest >= total / 2:
            return {"split.test": test, "split.valid": valid}, [
                f"Test is {test} and valid {valid}: the chromosomes with about "
                f"{_TEST:.0%} and {_VALID:.0%} of the peaks."
            ]
    return {"split.blocks": "true"}, [
        "Splits are blocks of 1 Mb with gaps between them: the peaks lie on too few chromosomes to "
        "hold any out."
    ]


_PARTS = ("test", "valid", "train")


def count_alleles(vcf: Path) -> int:
    """Records of a VCF, roughly its alleles."""
    return sum(1 for _, line in read_lines(vcf) if not line.startswith("#"))


def duration(minutes: float) -> str:
    """A time in words, no finer than is known."""
    if minutes < 1.5:
        return "a minute"
    if minutes < 90:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours"
