"""What variants do to binding: every allele of a VCF against the reference."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.files import replace_file
from wavebind.core.shards import Arrays, Shard
from wavebind.core.workers import WorkerPool, Workers, run_chunks, silent
from wavebind.genome.genomes import open_genome
from wavebind.models.results import MOTIFS, find_results
from wavebind.models.targets import ALL
from wavebind.variants.checks import REASONS
from wavebind.variants.common import CommonEffects, common_effects
from wavebind.variants.effects import Change, score_changes, score_shuffled
from wavebind.variants.files import VariantWriter
from wavebind.variants.plan import RECORDS_A_CHUNK, VariantPlan, kind_of, require_scored
from wavebind.variants.settings import VariantJob, VariantSummary
from wavebind.variants.verdicts import Effect, NullScores, judge

__all__ = ["choose_motifs", "merge_variants", "score_variants"]


def choose_motifs(run: Path, motif: str | None) -> str | None:
    """The motifs whose hits are given: those named, or those that the run's model has learnt.

    Returns
    -------
    str or None
        A MEME file or the name of a matrix; None where neither is there.
    """
    if motif is None:
        sets = [r.path / "motifs.meme" for r in find_results(run, MOTIFS)]
        found = next((path for path in sets if path.is_file()), None)
        return None if found is None else str(found.absolute())
    path = Path(motif)
    return str(path.absolute()) if path.is_file() else motif


def score_variants(
    job: VariantJob,
    *,
    shard: Shard | None = None,
    pool: WorkerPool | None = None,
    note: Callable[[str], None] | None = None,
    total: Callable[[str, int], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> VariantSummary | None:
    """Score every allele of a VCF, and write the VCF or table.

    Work that is done is kept beside the output, in ``OUT.parts``, until that is whole: the same
    call again continues where it stopped.

    Parameters
    ----------
    job : VariantJob
    shard : Shard, optional
        Do this share of the work only; :func:`merge_variants` joins the shares.
    pool : WorkerPool, optional
        Who does the work.
    note : callable, optional
        Takes what a person should know.
    total, progress : callable, optional
        Called for each stage with its name and the number of alleles to come, and then with those
        done since the last call.

    Returns
    -------
    VariantSummary or None
        None of a share.

    Raises
    ------
    InputError
        If an input cannot be used, most REF alleles are not those of the genome, or the output
        cannot be written.
    """
    share, workers = shard or Shard(), (pool or WorkerPool()).on(job.device)
    plan = VariantPlan(job)
    step = progress or silent
    nulls = [(i, item) for i, item in enumerate(plan.nulls) if share.has(i)]
    begin = total or silent
    if nulls and note:
        kind = "shuffled" if job.config.null == "shuffled" else "common"
        note(
            f"first the null distribution: {plan.n_nulls:,} {kind} alleles, for p-values down to "
            f"{1 / (1 + plan.smallest_null):.2g} (--set n_null=... for others, "
            f"--null none for none)"
        )
    with plan.store.claimed(share):
        with workers.started() as started:
            common = None
            if share.count == 1:
                common = common_effects(plan, started, note=note, total=total, progress=progress)
            _score_all(plan, nulls, share, started, begin, step)
        return _assemble(plan, common) if share.count == 1 else None


def _score_all(
    plan: VariantPlan,
    nulls: list[tuple[int, tuple[str, tuple[Change, ...]]]],
    share: Shard,
    workers: Workers,
    begin: Callable[..., None],
    step: Callable[[int], None],
) -> None:
    """Score the null distribution and the records of a share."""
    task = plan.task()
    if nulls:
        begin("scoring the null distribution, alleles", sum(len(c) for _, (_, c) in nulls))
    if plan.job.config.null == "shuffled":
        run_chunks(
            partial(score_shuffled, task),
            ((i, (i, changes)) for i, (_, changes) in nulls),
            plan.store,
            workers,
            lambda chunk: step(len(chunk[1])),
        )
    else:
        run_chunks(
            partial(score_changes, task),
            ((i, changes) for i, (_, changes) in nulls),
            plan.store,
            workers,
            lambda changes: step(len(changes)),
        )
    begin("scoring alleles", plan.summary.n_scored // share.count)
    run_chunks(
        partial(score_changes, task),
        plan.chunks(share),
        plan.store,
        workers,
        lambda changes: step(len(changes)),
    )


def merge_variants(job: VariantJob) -> VariantSummary:
    """Join the shares of scored variants.

    Raises
    ------
    InputError
        If a chunk is missing, or an input is not what it was.
    """
    plan = VariantPlan(job)
    with plan.store.claimed(Shard()):
        return _assemble(plan, common_effects(plan, WorkerPool().on(job.device)))


def _assemble(plan: VariantPlan, common: CommonEffects | None) -> VariantSummary:
    """Write the output from the chunks, in the order of the file."""
    n = len(plan.cards)
    nulls = [(kind, _by_output(plan.store.read(i), n)) for i, (kind, _) in enumerate(plan.nulls)]
    null = [NullScores.of((kind, logits[..., k]) for kind, logits in nulls) for k in range(n)]
    left_out = Counter(plan.summary.left_out)
    verdicts: Counter[str] = Counter()
    out = Path(plan.job.out)
    labels = [motif.label for motif in plan.motifs]
    names = [card.model.outputs[0] for card in plan.cards] if plan.job.output == ALL else []
    with replace_file(out) as temporary, contextlib.ExitStack() as stack:
        writer = stack.enter_context(
            VariantWriter(temporary, out.name, plan.header, labels, names, plan.more)
        )
        genome = stack.enter_context(
            open_genome(Path(plan.job.genome), checksum=plan.genome.checksum)
        )
        plan.genome = genome
        path = Path(plan.job.vcf)
        items = plan.checked(path, plan.checker(path))
        writer.write_header(plan.chromosomes, plan.job.run, plan.store.fingerprint)
        number = len(plan.nulls)
        while group := list(islice(items, RECORDS_A_CHUNK)):
            found = plan.store.read(number)
            number += 1
            at = 0
            for item in group:
                effects: list[list[Effect] | None] = []
                reasons = list(item.reasons)
                for i, change in enumerate(item.changes):
                    if change is None:
                        effects.append(None)
                        continue
                    logits = _by_output(found, n)[at].astype(np.float64)
                    if np.isfinite(logits[:2]).all():
                        hit = int(found["motif"][at]), found["hit"][at]
                        svm = float(found["delta_svm"][at]) if "delta_svm" in found else math.nan
                        mine = _effects(plan, null, common, change, logits, *hit, svm)
                        verdicts.update(effect.verdict for effect in mine)
                        effects.append(mine)
                    else:
                        reasons[i] = "unknown_bases"
                        left_out["unknown_bases"] += 1
                        effects.append(None)
                    at += 1
                writer.write(item.record, effects, reasons)
        n_scored = plan.summary.n_alleles - sum(left_out.values())
        summary = replace(plan.summary, n_scored=n_scored, left_out=dict(left_out))
        require_scored(path, summary)
    plan.store.remove()
    words = {REASONS[reason]: n for reason, n in left_out.items()}
    return replace(summary, left_out=words, verdicts=dict(verdicts))


def _by_output(found: Arrays, n_outputs: int) -> NDArray[np.float32]:
    """Logits of a chunk, ``(change, 4, output)``."""
    logits: NDArray[np.float32] = found["logit"]
    return logits.reshape(-1, 4, n_outputs)


def _effects(
    plan: VariantPlan,
    null: Sequence[NullScores],
    common: CommonEffects | None,
    change: Change,
    logits: NDArray[np.float64],
    motif: int,
    hits: NDArray[np.float32],
    delta_svm: float,
) -> list[Effect]:
    """What an allele does to each output, from logits ``(4, output)``."""
    effects = [
        judge(
            mine,
            card.probabilities(mine),
            card.threshold,
            card.quantity != "score",
            chance.p_value(kind_of(change), mine),
            plan.job.config.alpha,
            motif,
            hits,
        )
        for card, chance, mine in zip(plan.cards, null, logits.T, strict=True)
    ]
    return [
        replace(
            effect,
            delta_svm=delta_svm,
            common_percentile=math.nan
            if common is None
            else common.percentile(change, effect.difference, k),
        )
        for k, effect in enumerate(effects)
    ]
