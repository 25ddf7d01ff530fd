"""Scores of alleles: the work on variants that is handed out in chunks.

Each allele is put into its surroundings, and every window that sees it is scored, both strands. The
reference allele of the same surroundings is its comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import resolve_device
from wavebind.core.shards import Arrays
from wavebind.genome.genomes import Genome, open_genome
from wavebind.genome.sequences import Codes, to_codes
from wavebind.genome.shuffling import dinucleotide_shuffle
from wavebind.genome.tiles import few_unknown, read_codes
from wavebind.models import load_model
from wavebind.models.networks.gkm import Gkm
from wavebind.models.prediction import load_selected
from wavebind.models.rundir import RunDir
from wavebind.models.stretches import StretchScorer
from wavebind.models.targets import ALL
from wavebind.motifs.jaspar import find_motif
from wavebind.motifs.pwms import Motif, best_hits, read_meme
from wavebind.variants.alleles import Edit, allele_sequence, window_offsets

__all__ = [
    "Change",
    "EffectTask",
    "delta_svm",
    "read_motifs",
    "score_changes",
    "score_shuffled",
]

#: Bases of the alleles of one length that are scored at once.
_BASES = 2**16


@dataclass(frozen=True)
class Change:
    """One allele against the reference.

    Attributes
    ----------
    chrom : str
        The genome's name of it.
    position : int
        0-based.
    ref, alt : str
        Bases.
    neighbours : tuple of Edit
        Other changes on the same haplotype.
    """

    chrom: str
    position: int
    ref: str
    alt: str
    neighbours: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class EffectTask:
    """What a worker must know.

    Attributes
    ----------
    run, genome : str
        Paths.
    checksum : str
        SHA-256 of the genome's file.
    step : int
        Base pairs between the windows that see an allele.
    motifs : str or None
        See :func:`read_motifs`.
    seed : int
        Of the shuffles.
    output : str or None
    device : str
    length : int or None
        Of windows, for a model that has none of its own.
    """

    run: str
    genome: str
    checksum: str
    step: int
    motifs: str | None = None
    seed: int = 0
    output: str | None = None
    device: str = "auto"
    length: int | None = None


# A process does many chunks of the same job, and loading takes longer than one of them.
@lru_cache(maxsize=1)
def _load(task: EffectTask) -> tuple[StretchScorer, tuple[Motif, ...]]:
    if task.output == ALL:
        folder = RunDir(Path(task.run)).require_model()
        model, _ = load_model(folder.model, resolve_device(task.device))
    else:
        model, _ = load_selected(Path(task.run), task.device, task.output, task.length)
    # In bfloat16 a logit of 4 has steps of 0.03, which is what many a substitution does.
    return StretchScorer(model, bf16=False), read_motifs(task.motifs)


def read_motifs(name: str | None) -> tuple[Motif, ...]:
    """The motifs of a MEME file, or a matrix of JASPAR by its name; none without a name.

    Raises
    ------
    InputError
        If it is neither.
    """
    if name is None:
        return ()
    path = Path(name)
    if path.is_file() or len(path.parts) > 1:
        return tuple(read_meme(path))
    return (find_motif(name),)


def score_changes(task: EffectTask, changes: Sequence[Change]) -> Arrays:
    """Logits of the reference and the changed allele.

    Parameters
    ----------
    task : EffectTask
    changes : sequence of Change

    Returns
    -------
    dict of numpy.ndarray
        ``logit`` (float32, shape ``(change, 4)``, or ``(change, 4, output)`` of all outputs): the
        highest of the windows that see the reference allele, of those that see the other, and of
        those centred on either; NaN where too many bases are unknown, as beyond the end of a
        chromosome. ``motif`` (int64, shape
        ``(change,)``): the one with the best hit on either allele, -1 without motifs; ``hit``
        (float32, shape ``(change, 2)``): its best hit on each, in bits. Of a gapped k-mer machine
        also ``delta_svm`` (float32, shape ``(change,)``).
    """
    scorer, motifs = _load(task)
    flank = scorer.length - 1
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        pairs = [_pair(genome, change, flank) for change in changes]
    found = _scores(scorer, motifs, pairs, task.step)
    machine = scorer.model.backbone
    if isinstance(machine, Gkm):
        found["delta_svm"] = np.array(
            [delta_svm(machine, *pair, flank) for pair in pairs], dtype=np.float32
        )
    return found


def delta_svm(machine: Gkm, ref: Codes, alt: Codes, flank: int) -> float:
    """DeltaSVM of an allele (Lee et al. 2015, Nat. Genet. 47:955).

    Parameters
    ----------
    machine : Gkm
    ref, alt : numpy.ndarray
        ``uint8``, shape ``(base,)``: each allele with `flank` bases to either side.
    flank : int
        At least l - 1 bases.

    Returns
    -------
    float
        The scores of all l-mers that hold a base of ALT, each as a sequence by itself, less those
        that hold a base of REF. Where REF or ALT has no base, of those that span its place.
    """
    reach = machine.config.l - 1
    sums = []
    for codes in (ref, alt):
        cut = codes[flank - reach : len(codes) - flank + reach]
        words = np.lib.stride_tricks.sliding_window_view(cut, machine.config.l)
        # Weights of l-mers are scores without the bias, which would tell lengths apart.
        sums.append(float((machine.scores(words) - float(machine.bias)).sum()))
    return sums[1] - sums[0]


def score_shuffled(task: EffectTask, chunk: tuple[int, Sequence[Change]]) -> Arrays:
    """The same changes where nothing binds: in shuffles of their own surroundings.

    Dinucleotides of either side are kept, and of what is inserted or deleted, which is shuffled
    as well: it could be a site by itself.

    Parameters
    ----------
    task : EffectTask
    chunk : tuple of int and sequence of Change
        A number of its own, which decides the shuffles, and the changes.

    Returns
    -------
    dict of numpy.ndarray
        As :func:`score_changes`.
    """
    number, changes = chunk
    scorer, motifs = _load(task)
    flank = scorer.length - 1
    rng = np.random.default_rng([task.seed, number])
    pairs = []
    with open_genome(Path(task.genome), checksum=task.checksum) as genome:
        for change in changes:
            whole, _ = _pair(genome, change, flank)
            sides = dinucleotide_shuffle(np.stack([whole[:flank], whole[-flank:]]), rng)
            pairs.append(
                tuple(
                    np.concatenate([sides[0], allele, sides[1]])
                    for allele in _shuffled_alleles(change, rng)
                )
            )
    return _scores(scorer, motifs, pairs, task.step)


def _shuffled_alleles(change: Change, rng: np.random.Generator) -> tuple[Codes, Codes]:
    ref, alt = to_codes(change.ref), to_codes(change.alt)
    if len(ref) > len(alt):
        ref = dinucleotide_shuffle(ref[None], rng)[0]
    elif len(alt) > len(ref):
        alt = dinucleotide_shuffle(alt[None], rng)[0]
    return ref, alt


def _pair(genome: Genome, change: Change, flank: int) -> tuple[Codes, Codes]:
    """The reference and the changed allele, each with its flanks."""
    end = change.position + len(change.ref)
    removed = sum(n.n_replaced for n in change.neighbours)
    low = change.position - flank - removed
    codes = read_codes(genome, change.chrom, low, end + flank + removed)
    ref, alt = (
        allele_sequence(
            codes,
            low,
            Edit(change.position, len(change.ref), allele),
            flank,
            change.neighbours,
        )
        for allele in (change.ref, change.alt)
    )
    return ref, alt


def _scores(
    scorer: StretchScorer,
    motifs: Sequence[Motif],
    pairs: Sequence[tuple[Codes, ...]],
    step: int,
) -> Arrays:
    length = scorer.length
    flank = length - 1
    # Equal alleles in equal surroundings, as the reference of several, are scored once.
    sequences: list[Codes] = []
    by_size: dict[int, list[int]] = {}
    known_as: dict[bytes, int] = {}
    which_of = np.empty(2 * len(pairs), dtype=np.int64)
    for i, codes in enumerate(codes for pair in pairs for codes in pair):
        number = known_as.setdefault(codes.tobytes(), len(sequences))
        if number == len(sequences):
            sequences.append(codes)
            by_size.setdefault(len(codes), []).append(number)
        which_of[i] = number
    n_outputs = scorer.n_outputs
    logits = np.full((len(sequences), 2, n_outputs), np.nan, dtype=np.float32)
    like = _likened(sequences, which_of.reshape(-1, 2))
    for size, members in by_size.items():
        offsets = window_offsets(size - 2 * flank, length, step)
        centred = int(np.flatnonzero(offsets == (size - 2 * flank) // 2 - length // 2)[0])
        starts = offsets + flank
        each = max(1, _BASES // size)
        changed = np.array([i for i in members if like[i] >= 0], dtype=np.int64)
        compared = set(like[changed].tolist())
        alone = np.array([i for i in members if like[i] < 0 and i not in compared], dtype=np.int64)
        for at in range(0, len(alone), each):
            mine = alone[at : at + each]
            codes = np.stack([sequences[i] for i in mine])
            known = _known(codes, starts, length)
            logits[mine] = _summarised(scorer.batch(codes, starts), known, centred)
        for at in range(0, len(changed), each):
            mine = changed[at : at + each]
            base, which = np.unique(like[mine], return_inverse=True)
            whole, codes = (np.stack([sequences[i] for i in part]) for part in (base, mine))
            found = scorer.changed(whole, codes, which, starts)
            logits[base] = _summarised(found[0], _known(whole, starts, length), centred)
            logits[mine] = _summarised(found[1], _known(codes, starts, length), centred)
    of_alleles = logits[which_of].reshape(len(pairs), 2, 2, n_outputs).swapaxes(1, 2)
    both = of_alleles.reshape(len(pairs), 4, *((n_outputs,) if n_outputs > 1 else ()))
    which, hits = _motif_hits(motifs, pairs, flank)
    return {"logit": both, "motif": which, "hit": hits}


def _known(codes: Codes, starts: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Which windows have few unknown bases, ``(sequence, window)``."""
    return np.stack([few_unknown(row, starts, length) for row in codes])


def _summarised(
    logits: NDArray[np.float32], known: NDArray[np.bool_], centred: int
) -> NDArray[np.float32]:
    """The highest logit and that of the centred window, ``(sequence, 2, output)``."""
    found = np.where(known[..., None], logits.reshape(*known.shape, -1), -np.inf)
    highest = np.where(known.any(axis=1, keepdims=True), found.max(axis=1), np.nan)
    middle = np.where(known[:, centred, None], found[:, centred], np.nan)
    return np.stack([highest, middle], axis=1).astype(np.float32)


def _likened(sequences: Sequence[Codes], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each sequence the one of its length that it is best computed from, or -1.

    That is the reference allele of its pair. None that others are computed from is itself computed
    from another.
    """
    like = np.full(len(sequences), -1, dtype=np.int64)
    base: set[int] = set()
    for ref, alt in pairs.tolist():
        same = ref != alt and len(sequences[ref]) == len(sequences[alt])
        if same and like[ref] < 0 and like[alt] < 0 and alt not in base:
            like[alt] = ref
            base.add(ref)
    return like


def _motif_hits(
    motifs: Sequence[Motif], pairs: Sequence[tuple[Codes, ...]], flank: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best hit that covers a base of the allele, of each motif."""
    which = np.full(len(pairs), -1, dtype=np.int64)
    hits = np.full((len(pairs), 2), np.nan, dtype=np.float32)
    if not motifs:
        return which, hits
    scores = np.full((len(pairs), 2, len(motifs)), -np.inf)
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    widths = {motif.width for motif in motifs}
    for i, pair in enumerate(pairs):
        for j, codes in enumerate(pair):
            for width in widths:
                groups.setdefault((len(codes) - 2 * flank, width), []).append((i, j))
    for (n_allele, width), members in groups.items():
        reach = min(width - 1, flank)
        stop = flank + n_allele + reach
        cut = np.stack([pairs[i][j][flank - reach : stop] for i, j in members])
        mine = [k for k, motif in enumerate(motifs) if motif.width == width]
        found = best_hits(cut, [motifs[k] for k in mine]).score
        rows, columns = np.array(members).T
        scores[rows[:, None], columns[:, None], np.array(mine)[None]] = found
    which = scores.max(axis=1).argmax(axis=1)
    hits = scores[np.arange(len(pairs)), :, which].astype(np.float32)
    return which, hits
