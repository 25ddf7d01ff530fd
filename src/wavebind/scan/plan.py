"""A scan laid out: tiles, shuffled sequence and threshold, the same for every worker and shard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import sha256
from wavebind.core.settings import to_dict
from wavebind.core.shards import ChunkStore, chunks_folder
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.intervals import merged
from wavebind.genome.peaks import place_on_genome
from wavebind.genome.tiles import Tile, few_unknown, reach_grid, read_codes, tiles_of
from wavebind.models.prediction import load_selected
from wavebind.models.rundir import RunDir
from wavebind.models.stretches import StretchScorer
from wavebind.scan.settings import ScanJob
from wavebind.scan.sites import decoy_threshold
from wavebind.scan.tile_scores import Decoys, ScanTask

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["ScanPlan"]

#: Bases of a tile, about: a few megabytes of work and of result.
_TILE = 2**19
_DECOY_TRIES = 50
#: Bases of a shuffled stretch, at least, and of all that are in a chunk, about.
_DECOY, _DECOY_PIECE = 2_000, 250_000


class ScanPlan:
    """A scan laid out: the same for every worker, shard and merge."""

    def __init__(self, job: ScanJob, progress: Callable[[int], None] | None) -> None:
        self.job, config = job, job.config
        run = RunDir(Path(job.run)).require_model()
        model, card = load_selected(Path(job.run), "cpu", job.output, config.length)
        self.length = card.model.length
        self.card = card if config.prevalence is None else card.at_prevalence(config.prevalence)
        wanted = config.threshold
        if wanted is not None and card.quantity == "probability" and not 0 < wanted < 1:
            raise InputError(
                f"threshold must be between 0 and 1, as a probability is; found {wanted!r}"
            )
        self.step = StretchScorer(model).step
        self.stride = config.stride or _default_stride(self.step)
        if self.stride > self.length:
            raise InputError(
                f"a stride of {self.stride} bp leaves gaps between windows of {self.length} bp; "
                f"use {self.length} or less"
            )
        self.genome: Genome = open_genome(Path(job.genome), progress=progress)
        with self.genome:
            regions, self.notes = self._regions()
            self.tiles = tiles_of(self.genome, self.length, _TILE, regions)
            if not self.tiles:
                raise InputError(
                    f"{job.regions or job.genome}: no window of {self.length} bp fits there"
                )
            self.decoys = self._decoys() if config.uses_decoys else []
        self.description = {
            "command": "scan",
            "job": to_dict(job),
            "model": sha256(run.model),
            "genome": self.genome.checksum,
            "regions": sha256(Path(job.regions)) if job.regions else None,
        }
        self.store = ChunkStore(chunks_folder(Path(job.out)), self.description)

    def _regions(self) -> tuple[pd.DataFrame | None, list[str]]:
        """The regions that are scanned, and what a person should know of them."""
        job = self.job
        if job.regions is None:
            return None, []
        placed = place_on_genome([Path(job.regions)], self.genome, centre=None, strict=False)
        if not len(placed.table):
            raise InputError(
                f"{job.regions}: none of its regions is on a chromosome of {job.genome}; wrong "
                f"genome?"
            )
        table, notes = merged([placed.table]), list(placed.notes)
        reached = reach_grid(table, self.genome.lengths, self.length, self.stride)
        if len(reached) < len(table):
            notes.append(
                f"{job.regions}: {len(table) - len(reached):,} of {len(table):,} regions left "
                f"out: their chromosomes are shorter than a window, {self.length} bp"
            )
        return merged([reached]), notes

    def _decoys(self) -> list[Decoys]:
        """Stretches that begin anywhere in the tiles, each base as likely, few of it unknown."""
        rng = np.random.default_rng([self.job.config.seed, 0])
        size = max(_DECOY, 4 * self.length)
        wanted = max(1, round(self.job.config.decoys * 1e6 / size))
        spans = [
            (tile.chrom, low - self.length // 2, high - self.length // 2)
            for tile in self.tiles
            for low, high in tile.regions
            or ((tile.start + self.length // 2, tile.end + self.length // 2),)
        ]
        weights = np.array([high - low for _, low, high in spans], dtype=np.float64)
        weights /= weights.sum()
        places: list[tuple[str, int]] = []
        for _ in range(_DECOY_TRIES * wanted):
            if len(places) == wanted:
                break
            chrom, low, high = spans[int(rng.choice(len(spans), p=weights))]
            start = int(rng.integers(low, high)) - size // 2
            codes = read_codes(self.genome, chrom, start, start + size)
            if few_unknown(codes, np.zeros(1, dtype=np.int64), size)[0]:
                places.append((chrom, start))
        if len(places) < wanted:
            raise InputError(
                f"{self.job.genome}: too few stretches of {size:,} known bases to shuffle "
                f"{self.job.config.decoys:g} Mb; ask for less (--set decoys=...)"
            )
        each = max(1, _DECOY_PIECE // size)
        return [
            Decoys(tuple(places[i : i + each]), size, (self.job.config.seed, 1, i))
            for i in range(0, wanted, each)
        ]

    def threshold(self) -> float:
        """The logit at or above which a window is called; needs the decoys."""
        config = self.job.config
        if config.false_positives is not None:
            return decoy_threshold(*self.decoy_logits(), config.false_positives)
        probability = config.threshold
        if probability is None:
            probability = self.card.threshold
        return self.logit(probability)

    def logit(self, probability: float) -> float:
        """Of a probability."""
        line = self.card.calibration[0] if self.card.calibration else None
        if line is None:
            return float(np.log(probability) - np.log1p(-probability))
        return float(line.logits(np.array([probability]))[0])

    def probabilities(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Of logits."""
        return self.card.probabilities(logits.astype(np.float64))

    def decoy_logits(self) -> tuple[NDArray[np.float32], int]:
        """Of the shuffled sequence, and its bases."""
        found = [self.store.read(i) for i in range(len(self.decoys))]
        peaks = np.concatenate([f["peak"] for f in found])
        return peaks, int(sum(f["n_bases"][0] for f in found))

    def task(self) -> ScanTask:
        """What workers must know."""
        job = self.job
        return ScanTask(
            job.run,
            job.genome,
            self.genome.checksum,
            self.stride,
            job.config.precision,
            job.output,
            job.device,
            job.config.length,
        )

    @property
    def chunks(self) -> list[tuple[int, tuple[Tile, ...]]]:
        """The tiles, in groups of about one full tile, numbered after the decoys.

        A draft genome has a hundred thousand scaffolds. A chunk for each of them would be a file,
        and the index of the genome read again.
        """
        groups: list[list[Tile]] = []
        held = 0
        for tile in self.tiles:
            size = tile.end - tile.start
            if not groups or held + size > _TILE:
                groups.append([])
                held = 0
            groups[-1].append(tile)
            held += size
        return [(len(self.decoys) + i, tuple(tiles)) for i, tiles in enumerate(groups)]


def _default_stride(step: int) -> int:
    """The multiple of a network's step nearest below 8 bp, or the step."""
    return max(step, 8 // step * step) if step else 8
