"""How large is this effect? Its percentile among common variants, scored once a run.

Common variants have lived through selection, so that most of them change little. An effect that few
of them reach is large, whatever its p-value against shuffles says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.files import replace_file, sha256
from wavebind.core.shards import ChunkStore, Shard, job_fingerprint
from wavebind.core.workers import WorkerPool, Workers, run_chunks, silent
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.intervals import merged, overlapping
from wavebind.genome.peaks import place_on_genome
from wavebind.genome.vcf import VcfRecord, info_values, read_header, read_records
from wavebind.models.rundir import RunDir
from wavebind.variants.checks import VariantChecker
from wavebind.variants.effects import Change, score_changes
from wavebind.variants.plan import KINDS, VariantPlan, kind_of
from wavebind.variants.reservoir import Reservoir

__all__ = ["CommonEffects", "allele_frequencies", "common_effects"]

#: Files with fewer common alleles say nothing of percentiles, nor do fewer that can be scored.
#: Kinds with fewer than the latter are joined.
LEAST, FEWEST = 50, 20
#: More are drawn from, with the seed.
_MOST = 10_000
_CHUNK = 64


@dataclass(frozen=True)
class CommonEffects:
    """What common variants do.

    Attributes
    ----------
    sizes : tuple of dict
        For each output and each of :data:`KINDS`, absolute differences, ``float64``, sorted. A kind
        with too few is not there.
    every : tuple of numpy.ndarray
        For each output those of all kinds together.
    """

    sizes: tuple[dict[str, NDArray[np.float64]], ...]
    every: tuple[NDArray[np.float64], ...]

    @property
    def n(self) -> int:
        """Common alleles that were scored."""
        return len(self.every[0])

    def percentile(self, change: Change, difference: float, output: int = 0) -> float:
        """Percent of common alleles of the same kind with a smaller effect, ties counted half.

        Parameters
        ----------
        change : Change
        difference : float
            Of the logits.
        output : int
        """
        sizes = self.sizes[output].get(kind_of(change), self.every[output])
        below = np.searchsorted(sizes, abs(difference), side="left")
        equal = np.searchsorted(sizes, abs(difference), side="right") - below
        return float(100 * (below + equal / 2) / len(sizes))


def allele_frequencies(record: VcfRecord) -> list[float] | None:
    """The frequency of each ALT of a record, by AF or by AC and AN; None where neither is given.

    A frequency that is not a number is taken for 0.
    """
    info = info_values(record.text)
    total = _frequency(info.get("AN", ""))
    if "AF" in info:
        values = [_frequency(text) for text in info["AF"].split(",")]
    elif "AC" in info and total > 0:
        values = [_frequency(text) / total for text in info["AC"].split(",")]
    else:
        return None
    return values if len(values) == len(record.alts) else [0.0] * len(record.alts)


def _frequency(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def common_effects(
    plan: VariantPlan,
    pool: WorkerPool | Workers,
    *,
    note: Callable[[str], None] | None = None,
    total: Callable[[str, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> CommonEffects | None:
    """Effects of the common variants that a job names, from the run where they are kept.

    Parameters
    ----------
    plan : VariantPlan
    pool : WorkerPool or Workers
    note, total, progress : callable, optional
        As for :func:`wavebind.variants.score.score_variants`.

    Returns
    -------
    CommonEffects or None
        None where the job names none.

    Raises
    ------
    InputError
        If fewer than 50 of them are common, or 20 can be scored; or a file cannot be used.
    """
    config = plan.job.config
    if config.common is None:
        if config.common_regions is not None:
            raise InputError("common_regions says where common variants lie; name them with common")
        return None
    run = RunDir(Path(plan.job.run)).require_model()
    folder, description = run.path / "common", _description(plan, run)
    name = f"{_name(Path(config.common))}-{job_fingerprint(description)}"
    kept = folder / f"{name}.npz"
    if kept.is_file():
        if note:
            note(f"common variants were scored before: {kept}")
    else:
        changes, words = _choose(plan)
        if note:
            note(words)
        groups = [tuple(changes[at : at + _CHUNK]) for at in range(0, len(changes), _CHUNK)]
        if total:
            total("scoring common variants, alleles", len(changes))
        step = progress or silent
        store = ChunkStore(folder / f"{name}.parts", description)
        with store.claimed(Shard()):
            run_chunks(
                partial(score_changes, plan.task()),
                enumerate(groups),
                store,
                pool,
                lambda chunk: step(len(chunk)),
            )
            logits = [store.read(i)["logit"] for i in range(len(groups))]
            with replace_file(kept) as temporary, temporary.open("wb") as stream:
                np.savez_compressed(
                    stream,
                    logit=np.concatenate(logits).reshape(len(changes), 4, -1),
                    kind=np.array([KINDS.index(kind_of(change)) for change in changes]),
                )
            store.remove()
    return _read(kept, Path(config.common))


def _name(path: Path) -> str:
    """The name of a file without its endings, as a part of other names."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in path.name.split(".")[0])[:60]


def _description(plan: VariantPlan, run: RunDir) -> dict[str, Any]:
    """Everything that the effects hang on."""
    config = plan.job.config
    regions = config.common_regions
    return {
        "command": "common variants",
        "model": sha256(run.model),
        "variants": sha256(Path(str(config.common))),
        "regions": sha256(Path(regions)) if regions else None,
        "genome": plan.genome.checksum,
        "output": plan.job.output,
        "step": config.step,
        "length": plan.length,
        "frequency": config.common_frequency,
        "max_allele": config.max_allele,
        "seed": config.seed,
    }


def _read(path: Path, name: Path) -> CommonEffects:
    with np.load(path, allow_pickle=False) as found:
        logits, kinds = found["logit"].astype(np.float64), found["kind"]
    differences = np.abs(logits[:, 1] - logits[:, 0])
    known = np.isfinite(differences).all(axis=1)
    if known.sum() < FEWEST:
        raise InputError(
            f"{name}: {int(known.sum())} common alleles can be scored, and percentiles need "
            f"{FEWEST}"
        )
    differences, kinds = differences[known], kinds[known]
    sizes: list[dict[str, NDArray[np.float64]]] = []
    for k in range(differences.shape[1]):
        each = {kind: np.sort(differences[kinds == i, k]) for i, kind in enumerate(KINDS)}
        sizes.append({kind: found for kind, found in each.items() if len(found) >= FEWEST})
    every = tuple(np.sort(column) for column in differences.T)
    return CommonEffects(tuple(sizes), every)


def _choose(plan: VariantPlan) -> tuple[list[Change], str]:
    """Common alleles, at most so many, and a sentence on how they were chosen."""
    config = plan.job.config
    path, genome_path = Path(str(config.common)), Path(plan.job.genome)
    read_header(path)
    draw: Reservoir[Change] = Reservoir(_MOST, config.seed)
    n_alleles = n_without = n_rare = n_elsewhere = n_unscored = 0
    with open_genome(genome_path, checksum=plan.genome.checksum) as genome:
        near = _near(genome, config.common_regions, plan.length)
        checker = VariantChecker(genome, config.max_allele, path)
        for record in read_records(path):
            frequencies = allele_frequencies(record)
            item = checker.check(record)
            for i, change in enumerate(item.changes):
                n_alleles += 1
                if frequencies is None:
                    n_without += 1
                elif frequencies[i] < config.common_frequency:
                    n_rare += 1
                    continue
                if change is None:
                    n_unscored += 1
                elif near is not None and not near(change):
                    n_elsewhere += 1
                else:
                    draw.offer(change)
        checker.raise_if_wrong()
    left_out = [
        f"{n:,} {why}"
        for n, why in (
            (n_rare, f"rarer than {config.common_frequency:g}"),
            (n_elsewhere, "far from the regions"),
            (n_unscored, "that cannot be scored"),
        )
        if n
    ]
    n_common = draw.n_seen + n_unscored + n_elsewhere
    words = (
        f"{path}: effects are held against {draw.n_seen:,} of {n_alleles:,} alleles, the common "
        f"ones"
    )
    if left_out:
        words += f" (left out: {'; '.join(left_out)})"
    if n_without:
        words += f"; {n_without:,} have no AF (nor AC and AN) and are taken for common"
    if draw.n_seen > len(draw.items):
        words += f"; {len(draw.items):,} of them, drawn with the seed, are scored"
    if n_common < LEAST or len(draw.items) < FEWEST:
        raise InputError(
            f"{words}. Percentiles need {LEAST} common alleles, {FEWEST} of them scored; name more "
            f"variants, or lower the setting common_frequency"
        )
    return draw.items, words


def _near(genome: Genome, regions: str | None, length: int) -> Callable[[Change], bool] | None:
    """Whether a window that sees a change touches one of the regions."""
    if regions is None:
        return None
    table = merged([place_on_genome([Path(regions)], genome, centre=None, strict=False).table])

    def near(change: Change) -> bool:
        low = np.array([change.position - length])
        high = np.array([change.position + len(change.ref) + length])
        return bool(overlapping(change.chrom, low, high, table)[0])

    return near
