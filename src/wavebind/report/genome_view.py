"""The genome view of a page: small slices of sequence and tracks, shown by igv.js within it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from wavebind.genome.bigwigs import name_in_track, open_bigwig
from wavebind.genome.genomes import Genome, match_chromosomes
from wavebind.genome.intervals import read_intervals
from wavebind.genome.sequences import to_letters
from wavebind.genome.tiles import read_codes

__all__ = ["GenomeFiles", "igv_script", "view_genome"]

#: Places that a page holds, of variants and of sites each, and bases to either side of one.
_PLACES, _FLANK = 6, 1_000


@dataclass(frozen=True)
class GenomeFiles:
    """What lies along the genome.

    Attributes
    ----------
    genome : Genome
    peaks : pathlib.Path or None
        The peaks that the model was trained on.
    sites, scores : pathlib.Path or None
        Called sites (narrowPeak), and probabilities (bigWig).
    """

    genome: Genome
    peaks: Path | None = None
    sites: Path | None = None
    scores: Path | None = None


def igv_script() -> str:
    """The text of igv.js, which the package carries."""
    packed = (files("wavebind") / "resources" / "igv.min.js.gz").read_bytes()
    return gzip.decompress(packed).decode("utf-8")


def view_genome(
    given: GenomeFiles, variants: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any] | None:
    """Slices around the strongest variants and sites, as igv.js takes them.

    Parameters
    ----------
    given : GenomeFiles
    variants : sequence of mapping
        ``chrom``, ``position`` (from 1), ``id``, ``ref``, ``alt`` and ``difference`` of each, the
        strongest first.

    Returns
    -------
    dict or None
        ``options`` of igv.js, and ``places``: a name and a locus each. None where there is no
        place to show.
    """
    genome = given.genome
    named = match_chromosomes({row["chrom"] for row in variants}, genome)
    marks: list[dict[str, Any]] = [
        {
            "chr": named[row["chrom"]],
            "start": int(row["position"]) - 1,
            "end": int(row["position"]) - 1 + len(row["ref"]),
            "name": f"{row['ref'][:8]}>{row['alt'][:8]} {float(row['difference']):+.2f}",
        }
        for row in variants
        if named[row["chrom"]] is not None
    ]
    sites = _features(given.sites, genome)
    strongest = sorted(sites, key=lambda s: -s["score"])[:_PLACES]
    centres = [
        (f"{mark['chr']}:{mark['start'] + 1} {mark['name']}", mark["chr"], mark["start"])
        for mark in marks[:_PLACES]
    ]
    centres += [
        (f"site {s['chr']}:{s['start'] + 1}", s["chr"], (s["start"] + s["end"]) // 2)
        for s in strongest
    ]
    if not centres:
        return None
    slices = [
        (chrom, max(at - _FLANK, 0), min(at + _FLANK, genome.lengths[chrom]))
        for _, chrom, at in centres
    ]
    tracks: list[dict[str, Any]] = []
    if given.scores is not None:
        tracks.append(
            {
                "type": "wig", "name": "probability of binding", "min": 0, "max": 1,
                "autoscale": False, "height": 90, "color": "#2f6fd0",
                "features": _values(given.scores, slices),
            }
        )  # fmt: skip
    rows = (
        ("peaks", _features(given.peaks, genome), "#8a8a8a"),
        ("called sites", sites, "#2a9d4a"),
        ("variants (change in log-odds)", marks, "#d1495b"),
    )
    for name, features, colour in rows:
        kept = [f for f in features if any(_touches(f, *place) for place in slices)]
        if kept:
            tracks.append(
                {
                    "type": "annotation", "name": name, "color": colour, "height": 50,
                    "displayMode": "EXPANDED", "features": kept,
                }
            )  # fmt: skip
    return {
        "options": {
            "reference": {
                "id": "slices",
                "name": genome.path.name,
                "fastaURL": "data:text/plain;base64," + _fasta(genome, slices),
                "indexed": False,
                "tracks": [],
            },
            "locus": _locus(*slices[0]),
            "showIdeogram": False,
            # A page needs no network: no list of genomes is asked for.
            "loadDefaultGenomes": False,
            "showNavigation": True,
            "tracks": tracks,
        },
        "places": [
            {"name": name, "locus": _locus(*place)}
            for (name, _, _), place in zip(centres, slices, strict=True)
        ],
    }


def _locus(chrom: str, start: int, end: int) -> str:
    return f"{chrom}:{start + 1}-{end}"


def _touches(feature: Mapping[str, Any], chrom: str, start: int, end: int) -> bool:
    return bool(feature["chr"] == chrom and feature["start"] < end and feature["end"] > start)


def _fasta(genome: Genome, slices: Sequence[tuple[str, int, int]]) -> str:
    """Slices as igv.js reads them: places in the names, and lengths of whole chromosomes."""
    lines = []
    for chrom, start, end in slices:
        lines.append(f">{_locus(chrom, start, end)} @len={genome.lengths[chrom]}")
        lines.append(to_letters(read_codes(genome, chrom, start, end)))
    return base64.b64encode("\n".join(lines).encode("utf-8")).decode("ascii")


def _features(path: Path | None, genome: Genome) -> list[dict[str, Any]]:
    """Intervals of a file, with the genome's names of chromosomes."""
    if path is None or path.stat().st_size == 0:
        return []
    table = read_intervals(path)
    names = match_chromosomes(table["chrom"].unique(), genome)
    # A BED file of three columns has no scores.
    scores = np.nan_to_num(table["score"])
    return [
        {"chr": names[chrom], "start": int(start), "end": int(end), "score": float(score)}
        for chrom, start, end, score in zip(
            table["chrom"], table["start"], table["end"], scores, strict=True
        )
        if names[chrom] is not None
    ]


def _values(path: Path, slices: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """Probabilities of a bigWig in the slices."""
    # By place: slices may overlap.
    found: dict[tuple[str, int], dict[str, Any]] = {}
    with open_bigwig(path) as track:
        sizes = track.chroms()
        for chrom, start, end in slices:
            name = name_in_track(chrom, sizes)
            if name is None or start >= sizes[name]:
                continue
            for first, last, value in track.intervals(name, start, min(end, sizes[name])) or ():
                at = {"chr": chrom, "start": first, "end": last, "value": float(f"{value:.3g}")}
                found[chrom, first] = at
    return list(found.values())
