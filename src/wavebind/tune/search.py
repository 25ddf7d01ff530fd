"""The search: trial after trial until there are enough, pruned on valid, shared among processes.

The test split is never looked at. Each trial trains with the same seed and number of epochs. A
trial of the base recipe is among them, and the winner's recipe repeats its run.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from wavebind.core.errors import InputError
from wavebind.core.events import Advanced, Event, Message, OnEvent, StageStarted, ignore
from wavebind.core.files import replace_file
from wavebind.core.settings import Settings, from_dict, to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.datasets.identity import work_identity
from wavebind.models import Classifier
from wavebind.models.rundir import RunDir
from wavebind.training.config import SCORES, EpochReport, TrainingConfig, score_words
from wavebind.training.recipes import Recipe, load_recipe, recipe_text
from wavebind.training.train import Devices, finished_card, train
from wavebind.tune.space import GROUPS, SearchSpace
from wavebind.tune.study import (
    ERROR,
    beating,
    best_trial,
    end_trial,
    ended,
    folder_number,
    join_study,
    next_trial,
    repeated,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

__all__ = ["TuneConfig", "Tuned", "space_of", "trial_rows", "tune", "winner"]

#: Trials before the median of the others ends one, and its first epochs, which are let be.
_PRUNE_FROM, _PRUNE_AFTER = 5, 2


@dataclass(frozen=True)
class TuneConfig(Settings):
    """A search.

    Attributes
    ----------
    trials : int
        Trials of the whole search, those of all its processes together.
    time_limit : float or None
        Minutes after which this process begins no further trial.
    search : tuple of str
        What is searched: groups of settings (encoding, wavelet, scales, network, augmentation,
        optimiser) and names of single settings.
    backbones : tuple of str
        Networks to choose from; that of the recipe where empty.
    recipe : str
        The base: what is not searched, and the first trial.
    epochs : int
        Epochs of every trial.
    seed : int
        Decides the training of every trial, and what is drawn.
    max_weights : int
        A network with more weights is not trained.
    max_epoch_seconds : float or None
        A trial with an epoch that takes longer is ended, and counts as not possible; None for no
        limit.
    train_bound : int or None
        Bound windows to train on, with unbound ones in proportion; None for all.
    device : str
        Where it computes: auto, cpu, cuda, cuda:N or mps.
    """

    trials: Annotated[int, Field(ge=1)] = 30
    time_limit: Annotated[float, Field(gt=0)] | None = None
    search: tuple[str, ...] = tuple(GROUPS)
    backbones: tuple[str, ...] = ()
    recipe: str = "default"
    epochs: Annotated[int, Field(ge=1)] = 6
    seed: Annotated[int, Field(ge=0)] = 0
    max_weights: Annotated[int, Field(ge=1)] = 2_000_000
    max_epoch_seconds: Annotated[float, Field(gt=0)] | None = None
    train_bound: Annotated[int, Field(ge=2)] | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Tuned:
    """What a search has found so far.

    Attributes
    ----------
    study : optuna.Study
    best : optuna.trial.FrozenTrial or None
    ended, running : int
        Trials that came to an end, and that other processes still run.
    score : str
        What the values of trials are, for people.
    """

    study: optuna.Study
    best: FrozenTrial | None
    ended: int
    running: int
    score: str


class _Pruned(Exception):  # noqa: N818
    """A trial that is not worth going on with; ends its training."""


def space_of(data: Dataset, config: TuneConfig) -> SearchSpace:
    """What a search on a dataset draws from."""
    base = load_recipe(config.recipe)
    return SearchSpace(base, data.length, config.search, config.backbones)


def tune(data: Dataset, out: Path, config: TuneConfig, on_event: OnEvent = ignore) -> Tuned:
    """Search until the study has the trials that were asked for.

    Leaves in the folder ``best.toml``, the winner's recipe, ``trials.tsv`` and ``trials/``, the
    runs of the trials that were trained to the end. Any number of processes can work on one search
    through its folder; each writes what it sees when it ends.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
        A search that was begun here is continued.
    config : TuneConfig
    on_event : callable
        Takes what happens; see :mod:`wavebind.core.events`.

    Raises
    ------
    InputError
        If the search is of other data or settings, or the folder holds something else.
    """
    space = space_of(data, config)
    agreed = _agreed(data, space, config)
    if config.train_bound is not None:
        data = data.with_fewer(config.train_bound, np.random.default_rng(config.seed))
    limit = float("inf") if config.time_limit is None else 60 * config.time_limit
    started = time.monotonic()
    with _quiet_optuna():
        study = join_study(out, agreed, space.values_of_base())
        n_ended, n_running = ended(study)
        if n_ended or n_running:
            on_event(Message(f"joining a search: {n_ended} trials ended, {n_running} running"))
        on_event(StageStarted("trials", config.trials))
        on_event(Advanced(n_ended))
        while time.monotonic() - started < limit:
            trial = next_trial(study, config.trials)
            if trial is None:
                break
            _one(study, trial, data, out, space, config, on_event)
            now = ended(study)[0]
            on_event(Advanced(now - n_ended))
            n_ended = now
        found = Tuned(study, best_trial(study), *ended(study), score_words(data.task))
        _write(out, found, space, config)
    return found


def _agreed(data: Dataset, space: SearchSpace, config: TuneConfig) -> dict[str, Any]:
    """What all processes of a search must have in common."""
    private = ("trials", "time_limit", "device", "recipe")
    return {
        "data": {k: v for k, v in work_identity(data.identity).items() if k != "path"},
        "base": to_dict(space.base),
        **{name: value for name, value in to_dict(config).items() if name not in private},
    }


def _one(
    study: optuna.Study,
    trial: Trial,
    data: Dataset,
    out: Path,
    space: SearchSpace,
    config: TuneConfig,
    on_event: OnEvent,
) -> None:
    """Train what a trial draws, and write down how it ended."""
    import optuna
    from optuna.trial import TrialState

    study.pruner = optuna.pruners.MedianPruner(_PRUNE_FROM, _PRUNE_AFTER)
    drawn = np.random.SeedSequence([config.seed, trial.number]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(drawn[0]))
    value, state = None, TrialState.FAIL
    try:
        with beating(trial):
            recipe = space.recipe(trial)
            on_event(Message(f"trial {trial.number}: {_values(trial.params)}"))
            value = _train(study, trial, data, out, recipe, config)
            state, words = TrialState.COMPLETE, f"valid {score_words(data.task)} {value:.4f}"
    except _Pruned:
        state, words = TrialState.PRUNED, "ended early, behind the others"
    except InputError as error:
        words = f"not possible: {error}"
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            trial.set_user_attr(ERROR, str(error)[:500])
    except optuna.exceptions.UpdateFinishedTrialError:
        state = TrialState.FAIL
        words = ""
    # This process was asleep or cut off for so long that another took the trial over, and its
    # folder with it, where the trial has ended already.
    if not words or not end_trial(study, trial.number, state, value):
        words = "taken over by another process"
    elif state != TrialState.COMPLETE:
        shutil.rmtree(_folder(out, trial), ignore_errors=True)
    best = best_trial(study)
    so_far = "" if best is None else f"; the best so far {best.value:.4f}"
    on_event(Message(f"trial {trial.number}: {words}{so_far}"))


def _values(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.rpartition('.')[2]} {f'{v:.3g}' if isinstance(v, float) else v}"
        for name, v in values.items()
    )


def _folder(out: Path, trial: Trial | FrozenTrial) -> Path:
    return out / "trials" / f"{folder_number(trial):05d}"


def _train(
    study: optuna.Study,
    trial: Trial,
    data: Dataset,
    out: Path,
    recipe: Recipe,
    config: TuneConfig,
) -> float:
    """The highest score on valid of a trial's training."""
    training = _training(recipe, config)
    model = recipe.model_for(data)
    n_weights = Classifier(model).n_weights
    trial.set_user_attr("weights", n_weights)
    if n_weights > config.max_weights:
        raise InputError(f"the network would have {n_weights:,} weights, which is too many")
    run = RunDir(_folder(out, trial))
    begun = run.run_json.is_file()
    card = finished_card(run.path) if begun else None
    if card is None:
        resume = begun and (run.checkpoints / "last.ckpt").is_file()
        if resume and folder_number(trial) != trial.number:
            lost = study.get_trials(deepcopy=False)[folder_number(trial)]
            for epoch, score in lost.intermediate_values.items():
                trial.report(score, epoch)

        def watch(event: Event) -> None:
            if isinstance(event, EpochReport):
                _judge(trial, event, config.max_epoch_seconds)

        card = train(
            data,
            run.path,
            model,
            training,
            devices=Devices(config.device),
            resume=resume,
            overwrite=begun and not resume,
            on_event=watch,
        )
    assert card is not None  # noqa: S101 - one process
    trial.set_user_attr("epoch", card.epoch)
    return next(card.valid[name] for name in SCORES if name in card.valid)


def _judge(trial: Trial, report: EpochReport, longest: float | None) -> None:
    """Tell the study of an epoch; end the trial if it takes too long or is behind the others."""
    trial.report(report.score, report.epoch)
    trial.set_user_attr("seconds_an_epoch", round(report.seconds, 1))
    if longest is not None and report.seconds > longest:
        raise InputError(f"an epoch took {report.seconds:.0f} s, which is too long")
    if trial.should_prune():
        raise _Pruned


def _training(recipe: Recipe, config: TuneConfig) -> TrainingConfig:
    given = {"epochs": config.epochs, "seed": config.seed}
    return from_dict(TrainingConfig, {**recipe.training, **given}, "the settings of the trial")


def winner(found: Tuned, space: SearchSpace, config: TuneConfig) -> Recipe:
    """The recipe of the best trial, with the epochs of a full training.

    A trial is trained for few epochs, to be told from others. They are noted in its source.

    Raises
    ------
    InputError
        If no trial is complete.
    """
    from optuna.trial import FixedTrial

    if found.best is None:
        raise InputError("no trial of the search has come to its end; let it go on")
    recipe = space.recipe(FixedTrial(found.best.params))
    return replace(
        recipe,
        about=f"The best of {found.ended} trials of 'wavebind tune'",
        source=f"trial {found.best.number}, valid {found.score} {found.best.value:.4f}, "
        f"{config.epochs} epochs, seed {config.seed}",
        training={**recipe.training, "seed": config.seed},
    )


def trial_rows(study: optuna.Study) -> list[dict[str, Any]]:
    """Every trial that came to an end or runs, as plain data, in order."""
    rows = []
    lost = repeated(study)
    for trial in study.get_trials(deepcopy=False):
        void = trial.state.name == "FAIL" and ERROR not in trial.user_attrs
        if void or trial.number in lost or trial.state.name == "WAITING":
            continue
        values = trial.intermediate_values
        rows.append(
            {
                "trial": trial.number,
                "state": {"FAIL": "impossible"}.get(trial.state.name, trial.state.name.lower()),
                "valid_score": trial.value
                if trial.value is not None
                else (values[max(values)] if values else None),
                "epochs": max(values, default=0),
                "weights": trial.user_attrs.get("weights"),
                "seconds_an_epoch": trial.user_attrs.get("seconds_an_epoch"),
                "worker": trial.user_attrs.get("worker", ""),
                "error": trial.user_attrs.get(ERROR, ""),
                "values": dict(trial.params),
            }
        )
    return rows


def _write(out: Path, found: Tuned, space: SearchSpace, config: TuneConfig) -> None:
    rows = trial_rows(found.study)
    names = sorted({name for row in rows for name in row["values"]})
    fixed = [name for name in rows[0] if name != "values"] if rows else []
    lines = ["\t".join([*fixed, *names])]
    for row in rows:
        cells = [row[name] for name in fixed] + [row["values"].get(name) for name in names]
        lines.append("\t".join("" if c is None else str(c).replace("\n", " ") for c in cells))
    with replace_file(out / "trials.tsv") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if found.best is not None:
        with replace_file(out / "best.toml") as temporary:
            temporary.write_text(recipe_text(winner(found, space, config)), encoding="utf-8")


@contextlib.contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Optuna speaks of every trial by itself; we do."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
