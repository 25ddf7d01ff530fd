"""A mean of networks, each of which held out other chromosomes of train and valid.

One network learns from train, and valid tells which epoch is kept and how logits become
probabilities. That is one chromosome or two, with a share of bound windows of their own. What is
wrong with it is in every probability. Here the chromosomes of train and valid are shared out to
several folds. Each is held out by one network, which learns from all the others: cross-fitting
(Chernozhukov et al. 2018, Econom. J. 21:C1). Platt (1999, Advances in Large Margin Classifiers, p.
61) fits one line to the scores of all folds. Networks that stop at different epochs do not share
one. Each has its own here, as in scikit-learn's ``CalibratedClassifierCV(ensemble=True)``. The
mean of the calibrated logits is the model, so that no single chromosome decides its level. Test is
not touched.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.errors import InputError
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.jsonfiles import read_json
from wavebind.datasets.dataset import Dataset
from wavebind.metrics.platt import PlattScaling
from wavebind.models import (
    ModelCard,
    ModelConfig,
    make_ensemble,
    require_ensemble,
)
from wavebind.models.prediction import load_run, predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig
from wavebind.training.means import save_mean
from wavebind.training.runjson import start_run, stored_configuration
from wavebind.training.train import Devices, train_once

__all__ = ["LEAST", "crossfit", "share_out", "without"]

#: Bound and unbound windows of a fold, which a line and a threshold hang on.
LEAST = 20


def share_out(data: Dataset, n_folds: int) -> list[tuple[str, ...]]:
    """Share the chromosomes of train and valid out to folds of about as many windows.

    Parameters
    ----------
    data : Dataset
        Of bound and unbound windows.
    n_folds : int

    Returns
    -------
    list of tuple of str
        The chromosomes of each fold; folds and names in the order of the chromosomes.

    Raises
    ------
    InputError
        If the labels are others, a window has no chromosome, or there are fewer chromosomes than
        folds. If a fold has fewer than :data:`LEAST` bound or unbound windows.
    """
    from sklearn.model_selection import GroupKFold

    if data.task != "binary":
        raise InputError(
            f"{data.path}: is for {data.task}; crossfit is for bound and unbound windows"
        )
    seen = np.flatnonzero(np.isin(data.parts, ("train", "valid")))
    names = data.chrom[seen]
    n_chromosomes = len(np.unique(names))
    if (names == "").any():
        raise InputError(
            f"{data.path}: {int((names == '').sum()):,} windows of train and valid have no "
            f"chromosome, which crossfit shares out; make the dataset with a column chrom"
        )
    if n_chromosomes < n_folds:
        raise InputError(
            f"{data.path}: train and valid have {n_chromosomes} chromosomes, which do not make "
            f"{n_folds} folds; take {n_chromosomes} or fewer"
        )
    found = []
    for _, held in GroupKFold(n_folds).split(seen, groups=names):
        labels = data.labels[seen[held]]
        chromosomes = tuple(sorted(set(names[held].tolist()), key=_place))
        for word, value in (("bound", 1), ("unbound", 0)):
            n = int((labels == value).sum())
            if n < LEAST:
                raise InputError(
                    f"{data.path}: a fold of {', '.join(chromosomes)} has {n} {word} windows, and "
                    f"{LEAST} are needed to calibrate on; take fewer folds than {n_folds}"
                )
        found.append(chromosomes)
    return sorted(found, key=lambda chromosomes: _place(chromosomes[0]))


def _place(name: str) -> tuple[int, str]:
    return len(name), name


def without(data: Dataset, chromosomes: tuple[str, ...]) -> Dataset:
    """The set with these chromosomes of train and valid as valid, and all others as train."""
    seen = np.isin(data.parts, ("train", "valid"))
    held = seen & np.isin(data.chrom, chromosomes)
    parts = data.parts.copy()
    parts[seen], parts[held] = "train", "valid"
    return replace(data, parts=parts, splits=None)


def crossfit(
    data: Dataset,
    out: Path,
    model: ModelConfig,
    config: TrainingConfig,
    *,
    devices: Devices | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_event: OnEvent = ignore,
) -> ModelCard:
    """Train the networks of all folds and leave a run directory of their mean.

    The networks themselves are runs in its folder ``folds``. The threshold and the metrics on the
    card are those of the calibrated logits that each network gave to what it held out. They are of
    single networks, not of their mean, which has seen every window of train and valid.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
    model : ModelConfig
    config : TrainingConfig
        With its number of folds, `crossfit`. With `resume` both configurations are read from the
        run and these are passed over.
    devices : Devices, optional
        One device.
    resume : bool
        Continue a run: networks that are trained are kept.
    overwrite : bool
        Whether an older run of that name is removed.
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Raises
    ------
    InputError
        As :func:`share_out`, :func:`wavebind.models.ensemble.require_ensemble` and
        :func:`wavebind.training.train.train` do, and if a run that is resumed has other folds.
    """
    run = RunDir(out)
    where = devices or Devices()
    if resume:
        model, config = stored_configuration(run, data)
    if where.n_processes > 1:
        raise InputError(
            "the networks of a cross-fit are trained on one device; leave devices.count out"
        )
    require_ensemble(model)
    folds = share_out(data, config.crossfit)
    if not resume:
        start_run(run, data, model, config, overwrite, folds=folds)
    elif read_json(run.run_json).get("folds") != [list(names) for names in folds]:
        raise InputError(
            f"{run.run_json}: has other folds than these data are shared out to now; train anew"
        )
    views = [without(data, chromosomes) for chromosomes in folds]
    for number, (view, chromosomes) in enumerate(zip(views, folds, strict=True), 1):
        on_event(
            Message(f"network {number} of {len(folds)}, which holds out {', '.join(chromosomes)}")
        )
        train_once(
            view, run.fold(number), model, config.fold(number), devices=where, on_event=on_event
        )
    return _join(run, data, views, config, where)


def _join(
    run: RunDir, data: Dataset, views: list[Dataset], config: TrainingConfig, where: Devices
) -> ModelCard:
    """The mean of the networks, and what their held-out windows say."""
    networks, cards, logits, indices = [], [], [], []
    for number, view in enumerate(views, 1):
        network, card = load_run(run.fold(number), view, where.device)
        held = view.indices("valid")
        line = card.calibration[0]
        logits.append(line.slope * predict_logits(network, view.codes, held) + line.intercept)
        indices.append(held)
        networks.append(network)
        cards.append(card)
    scores = np.concatenate(logits)
    labels: NDArray[np.int64] = data.labels[np.concatenate(indices)].astype(np.int64)
    merged = make_ensemble(networks, [card.calibration for card in cards])
    line = PlattScaling(prevalence=float(labels.mean()))
    return save_mean(run, merged, cards, config, data, labels=labels, logits=scores, line=line)
