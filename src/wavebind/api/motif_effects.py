"""What a motif does to a run's predictions: set in, shuffled away, or beside another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from wavebind.api.frames import PathLike, opened_dataset
from wavebind.api.progress import advancing
from wavebind.api.settings import ExplainSettings, GivenSettings
from wavebind.core.errors import UsageError
from wavebind.core.events import OnEvent, ignore
from wavebind.core.files import replace_file
from wavebind.core.settings import with_values
from wavebind.datasets.dataset import Dataset
from wavebind.explain.motif_effects import (
    N_INSERTED,
    EffectOptions,
    MotifEffect,
    ablate_motif,
    insert_motif,
)
from wavebind.explain.motif_pairs import PairEffect, pair_motifs
from wavebind.report.effect_plots import draw_pair
from wavebind.report.plots import to_png

__all__ = ["ablate", "marginalize", "motif_experiment", "space"]


def marginalize(
    run: PathLike,
    data: PathLike | Dataset,
    motif: str,
    *,
    on_event: OnEvent = ignore,
    **options: Any,
) -> MotifEffect:
    """Set a motif into backgrounds: the mean change of the logit, beside shuffles of the motif.

    Raises what :func:`wavebind.explain.motif_effects.insert_motif` does.

    Parameters
    ----------
    run : path
    data : path or Dataset
    motif : str
        A matrix of JASPAR by identifier or factor, a MEME file, or letters, of which N keeps the
        base that is there.
    on_event : callable
    **options
        Of :class:`wavebind.explain.motif_effects.EffectOptions`.
    """
    return insert_motif(
        Path(run), opened_dataset(data), motif, EffectOptions(**options),
        advancing(on_event, "setting motifs in", N_INSERTED),
    )[0]  # fmt: skip


def ablate(
    run: PathLike,
    data: PathLike | Dataset,
    motif: str,
    *,
    on_event: OnEvent = ignore,
    **options: Any,
) -> MotifEffect:
    """Shuffle a motif's hits in bound windows: the mean change of the logit.

    Beside it stands that of stretches as wide elsewhere. Parameters as of :func:`marginalize`; the
    motif is a matrix.
    """
    return ablate_motif(
        Path(run), opened_dataset(data), motif, EffectOptions(**options),
        advancing(on_event, "shuffling hits", None),
    )[0]  # fmt: skip


def space(
    run: PathLike,
    data: PathLike | Dataset,
    first: str,
    second: str,
    *,
    on_event: OnEvent = ignore,
    **options: Any,
) -> PairEffect:
    """Set two motifs into backgrounds at every distance and in each orientation.

    Parameters as of :func:`marginalize`.
    """
    return pair_motifs(
        Path(run), opened_dataset(data), first, second, EffectOptions(**options),
        advancing(on_event, "setting pairs in", None),
    )[0]  # fmt: skip


def motif_experiment(
    run: PathLike,
    data: PathLike | Dataset,
    *,
    insert: str | None = None,
    away: str | None = None,
    pair: str | None = None,
    method: str | None = None,
    n: int | None = None,
    target: str | None = None,
    device: str = "auto",
    force: bool = False,
    settings: GivenSettings = (),
    on_event: OnEvent = ignore,
) -> tuple[str, Path]:
    """One of the three experiments, kept in the run; what was found, in a sentence, and where.

    Parameters
    ----------
    run : path
    data : path or Dataset
    insert, away, pair : str, optional
        One of them: a motif to set in, one to shuffle away, or two with a comma between them.
    method : str, optional
        Refused: scores of bases have methods, and these have none.
    n : int, optional
        Windows, drawn at random from more; by default 200, and 50 of pairs.
    target, device, force, on_event
        As of :meth:`wavebind.api.run.Run.save_explanations`.
    settings : sequence of str, or mapping
        ``split``, ``seed`` and ``background`` of :class:`wavebind.api.settings.ExplainSettings`.

    Raises
    ------
    UsageError
        If there is not one of them, or a pair is not two motifs.
    """
    if sum(x is not None for x in (insert, away, pair)) != 1:
        raise UsageError("give one of --insert, --ablate and --pair")
    if method is not None:
        raise UsageError("--method is for scores of bases, not for --insert, --ablate and --pair")
    given = with_values(ExplainSettings(), settings)
    used = replace(
        ExplainSettings(), split=given.split, seed=given.seed, background=given.background
    )
    if given != used:
        raise UsageError(
            "of the settings, --insert, --ablate and --pair take split, seed and background"
        )
    opened = opened_dataset(data)
    options = EffectOptions(given.split, n, given.background, given.seed, target, device, force)
    if insert is not None:
        advance = advancing(on_event, "setting motifs in", N_INSERTED)
        found, place = insert_motif(Path(run), opened, insert, options, advance)
        return found.words, place
    if away is not None:
        advance = advancing(on_event, "shuffling hits", None)
        found, place = ablate_motif(Path(run), opened, away, options, advance)
        return found.words, place
    names = [name.strip() for name in str(pair).split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(f"--pair takes two motifs with a comma between them; found {pair!r}")
    advance = advancing(on_event, "setting pairs in", None)
    curves, place = pair_motifs(Path(run), opened, names[0], names[1], options, advance)
    with replace_file(place / "curve.png") as temporary:
        temporary.write_bytes(to_png(draw_pair(curves)))
    return curves.words, place
