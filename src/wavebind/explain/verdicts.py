"""The checks of a run's explanations, in numbers and in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import write_json
from wavebind.datasets.dataset import Dataset, balanced_sample
from wavebind.explain.attribution import check_method
from wavebind.explain.checks import (
    faithfulness,
    find_sites,
    known_sites,
    randomised_weights,
    scores_of,
    tracking,
)
from wavebind.explain.run import default_method
from wavebind.metrics.binary import Estimate
from wavebind.models import Classifier
from wavebind.models.prediction import load_output
from wavebind.models.results import CHECKS, place_of, require_same_options
from wavebind.models.shipped import copy_shipped
from wavebind.motifs.jaspar import choose_motif, find_motif
from wavebind.motifs.pwms import Motif

__all__ = ["N_CHECKED", "check_explanations", "words"]

#: Bound windows with a hit of the motif that the checks are made on.
N_CHECKED = 200
#: Fewer where every window is explained once a segment of the network.
_N_RANDOMISED = 40


def check_explanations(
    run: Path,
    data: Dataset,
    *,
    methods: Sequence[str] = (),
    motif: str = "auto",
    control: Path | None = None,
    part: str = "test",
    n: int = N_CHECKED,
    seed: int = 0,
    output: str | None = None,
    device: str = "auto",
    force: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Check the explanations of a run by every method asked for.

    Writes ``checks.json`` into ``explanations/checks/NAME-SPLIT``.

    Parameters
    ----------
    run : pathlib.Path
        The run directory.
    data : Dataset
    methods : sequence of str
        Of :data:`wavebind.explain.attribution.METHODS`; the network's default method and Grad-CAM
        if none is named.
    motif : str
        The known motif, as ``MA0139.1`` or ``CTCF``; ``auto`` for the one of JASPAR that tells the
        training windows apart best.
    control : pathlib.Path, optional
        A run that was trained on shuffled labels: its scores must not find the motif.
    part : str
    n : int
        Bound windows with a hit of the motif, drawn at random from more.
    seed : int
    output : str, optional
        Of a model of several outputs, which one.
    device : str
    force : bool
        Whether checks of the same windows with other options are replaced.
    progress : callable, optional
        Called with the number of windows explained since the last call.

    Returns
    -------
    tuple of dict and pathlib.Path
        What the file holds: the motif, and for each method every check and a sentence about it. And
        its folder.

    Raises
    ------
    InputError
        If the run is not a trained one, the motif or a method is not known, or too few bound
        windows hold the motif.
    """
    model, card, data = load_output(run, data, device, output)
    chosen = list(methods) or list(dict.fromkeys([default_method(card.model), "gradcam"]))
    for method in chosen:
        check_method(method)
    known = _motif(motif, data)
    codes, index = _windows_with_sites(data, part, known, n, seed)
    options = {
        "motif": {"identifier": known.identifier, "name": known.name},
        "split": part,
        "n_windows": len(codes),
        "seed": seed,
        "control": None if control is None else str(control),
        "asked": chosen,
    }
    copy_shipped(run)
    place = place_of(run, CHECKS, data, part, "checks")
    require_same_options(place, CHECKS, options, force)
    other = None if control is None else _control(control, data, device, output)
    found: dict[str, Any] = {}
    for method in chosen:
        # Every method sees the same draws.
        found[method] = _check(model, codes, known, method, seed, other, progress)
    result = {
        **options,
        "data": {**data.identity, "path": str(data.path.resolve())},
        "windows": data.names(index),
        "methods": found,
    }
    write_json(place / CHECKS.marker, result)
    return result, place


def _motif(name: str, data: Dataset) -> Motif:
    if name != "auto":
        return find_motif(name)
    sample = partial(balanced_sample, data, np.random.default_rng(0))
    return choose_motif(sample, np.asarray(data.codes[data.indices("train")]))[0]


def _windows_with_sites(
    data: Dataset, part: str, motif: Motif, n: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if n < 2:
        raise InputError(f"the checks need 2 windows or more; found {n}")
    indices = data.indices(part)
    bound = indices[data.labels[indices] == 1]
    codes = np.asarray(data.codes[bound])
    held = find_sites(codes, motif).window
    if len(held) < 2:
        raise InputError(
            f"{data.path}: {len(held)} of {len(bound):,} bound windows of {part} hold a hit of "
            f"{motif.label}; name another with --set motif=NAME"
        )
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(held, min(n, len(held)), replace=False))
    return codes[chosen], bound[chosen]


def _control(control: Path, data: Dataset, device: str, output: str | None) -> Classifier:
    model, card, _ = load_output(control, data, device, output)
    if not card.training.get("shuffle_labels"):
        raise InputError(
            f"{control}: was not trained on shuffled labels; make a control with 'wavebind train "
            f"{data.path} --set training.shuffle_labels=true --out {control}'"
        )
    return model


def _check(
    model: Classifier,
    codes: NDArray[np.uint8],
    motif: Motif,
    method: str,
    seed: int,
    control: Classifier | None,
    progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    sites = find_sites(codes, motif)
    scores = scores_of(model, codes, method, progress)
    generator = torch.Generator().manual_seed(seed)
    few = codes[:_N_RANDOMISED]
    found: dict[str, Any] = {
        "tracking": tracking(model, codes, sites, method, rng, progress=progress),
        "randomised_weights": randomised_weights(model, few, method, generator, progress),
        "faithfulness": faithfulness(model, codes, scores, sites, rng),
        "known_sites": known_sites(scores, sites, rng),
    }
    if control is not None:
        shuffled = scores_of(control, codes, method, progress)
        found["shuffled_labels"] = known_sites(shuffled, sites, rng)
    plain: dict[str, Any] = _plain(found)
    plain["words"] = words(plain, motif.name or motif.identifier)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return dataclasses.asdict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def words(found: dict[str, Any], motif: str) -> dict[str, str]:
    """One sentence a check.

    Parameters
    ----------
    found : dict
        The checks of one method, as plain data.
    motif : str
        What the motif is called.
    """
    said = {}
    t = found["tracking"]
    slope = t["slope"]
    verdict = (
        "they move further than the motif: with the edge of the window, or by leaps"
        if slope["value"] > 1.1
        else "they follow the motif"
        if slope["value"] >= 0.9
        else "they follow it in part"
        if slope["value"] >= 0.5
        else "they are mostly a habit of position"
    )
    said["tracking"] = (
        f"When a window is shifted, the scores move {slope['value']:.2f} bp for each bp "
        f"({slope['low']:.2f} to {slope['high']:.2f}; R2 {t['r2']:.2f}; {t['n_windows']:,} "
        f"windows): {verdict}."
    )
    steps = found["randomised_weights"]
    last = list(steps)[-1]
    gone = "they come from what was learnt" if abs(steps[last]) < 0.3 else (
        "part of them does not come from what was learnt"
    )  # fmt: skip
    said["randomised_weights"] = (
        f"With all weights drawn anew the scores resemble what they were with a rank correlation "
        f"of {steps[last]:.2f}: {gone}."
    )
    f = found["faithfulness"]
    deleted, filled = f["deletion"], f["insertion"]
    span = f"{f['steps'][0]} to {f['steps'][-1]}"
    said["faithfulness"] = (
        f"Hiding the bases that score most costs the prediction "
        f"{deleted['over_random']['value']:.2f} (logits, mean over {span} bases) more than hiding "
        f"bases at random, and {deleted['over_motif']['value']:.2f} more than hiding the {motif} "
        f"hit; showing them alone restores {filled['over_random']['value']:.2f} more than bases at "
        f"random."
    )
    k = found["known_sites"]
    said["known_sites"] = (
        f"A base of a {motif} hit weighs more, for or against, than another base of its window "
        f"with a probability of {k['auroc']['value']:.2f} ({k['auroc']['low']:.2f} to "
        f"{k['auroc']['high']:.2f}); counting only what speaks for binding, "
        f"{k['auroc_signed']['value']:.2f} ({k['auroc_signed']['low']:.2f} to "
        f"{k['auroc_signed']['high']:.2f})."
    )
    if "shuffled_labels" in found:
        s = found["shuffled_labels"]["auroc"]
        said["shuffled_labels"] = (
            f"A model trained on shuffled labels scores them so with a probability of "
            f"{s['value']:.2f} ({s['low']:.2f} to {s['high']:.2f}); 0.50 is chance."
        )
    return said
