"""The search: trial after trial until there are enough, pruned on valid, shared among processes.

The test split is never looked at. Each trial trains with the same seed and number of epochs, so
that a trial of the base recipe is among them, and the winner's recipe repeats its run.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from wavebind.dataset import Dataset
from wavebind.errors import InputError
from wavebind.models import Classifier
from wavebind.recipebook import Recipe, load_recipe, recipe_text
from wavebind.rundir import RunDir, write_json
from wavebind.searchspace import GROUPS, SearchSpace
from wavebind.settings import from_dict, to_dict
from wavebind.studies import (
    ERROR,
    beating,
    best_trial,
    counts,
    end,
    folder_number,
    give_up,
    is_first_again,
    is_lost,
    open_storage,
    open_study,
    put_first,
    reclaim,
    stand,
)
from wavebind.textfiles import replace_file
from wavebind.training import Devices, finished_card, train
from wavebind.trainingconfig import (
    SCORES,
    EpochReport,
    TrainingConfig,
    TrainingMonitor,
    score_words,
)

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = ["TuneConfig", "TuneMonitor", "Tuned", "space_of", "trial_rows", "tune", "winner"]

#: Trials before the median of the others ends one, and its first epochs, which are let be.
_PRUNE_FROM, _PRUNE_AFTER = 5, 2


@dataclass(frozen=True)
class TuneConfig:
    """A search.

    Attributes
    ----------
    trials : int
        In the whole study, those of all processes together.
    time_limit : float or None
        Seconds after which this process begins no further trial.
    search : tuple of str
        What is searched: names of :data:`wavebind.searchspace.GROUPS` and of single settings.
    backbones : tuple of str
        Networks to choose from; that of the recipe where empty.
    recipe : str
        The base: what is not searched, and the first trial.
    epochs : int
        Of every trial.
    seed : int
        Of every trial's training, and of what is drawn.
    max_weights : int
        A network with more is not trained.
    max_epoch_seconds : float or None
        A trial with an epoch that takes longer is ended, and counts as not possible; None for no
        limit.
    train_bound : int or None
        Train on so many bound windows, and unbound ones in proportion; None for all.
    device : str
    storage : str or None
        See :func:`wavebind.studies.open_storage`.
    study : str
        Its name in the storage.
    """

    trials: int = 30
    time_limit: float | None = None
    search: tuple[str, ...] = tuple(GROUPS)
    backbones: tuple[str, ...] = ()
    recipe: str = "default"
    epochs: int = 6
    seed: int = 0
    max_weights: int = 2_000_000
    max_epoch_seconds: float | None = None
    train_bound: int | None = None
    device: str = "auto"
    storage: str | None = None
    study: str = "wavebind"

    def __post_init__(self) -> None:
        for name in ("trials", "epochs", "max_weights"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more; found {getattr(self, name)}")
        for name, value in (
            ("the time", self.time_limit),
            ("the longest epoch", self.max_epoch_seconds),
        ):
            if value is not None and value <= 0:
                raise InputError(f"{name} must be above 0; found {value}")
        if self.seed < 0:
            raise InputError(f"seed must be 0 or more; found {self.seed}")
        if not self.study:
            raise InputError("a study has a name; found none")


class TuneMonitor(Protocol):
    """Who wants to know how a search goes."""

    def joined(self, ended: int, running: int, reclaimed: int) -> None:
        """What was found of the study at the start."""

    def trial(self, number: int, changes: dict[str, Any]) -> None:
        """Before a trial, with what it draws."""

    def ended(self, number: int, words: str, total_ended: int, best: float | None) -> None:
        """After a trial."""


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


class _Watch:
    """A training monitor that reports to the study."""

    def __init__(
        self, trial: optuna.Trial, before: dict[int, float], longest: float | None
    ) -> None:
        self.trial, self.epochs, self.longest = trial, max(before, default=0), longest
        for epoch, value in before.items():
            trial.report(value, epoch)

    def said(self, text: str) -> None:
        del text

    def teaching(self, n_windows: int) -> None:
        del n_windows

    def taught(self, n_windows: int) -> None:
        del n_windows

    def caching(self, n_windows: int, n_bytes: int) -> None:
        del n_windows, n_bytes

    def cached(self, n_windows: int) -> None:
        del n_windows

    def start(self, n_weights: int, first_epoch: int, epochs: int, steps: int) -> None:
        del first_epoch, epochs, steps
        self.trial.set_user_attr("weights", n_weights)

    def step(self) -> None:
        """Nothing is said of single steps."""

    def epoch(self, report: EpochReport) -> None:
        self.epochs = report.epoch
        self.trial.report(report.score, report.epoch)
        self.trial.set_user_attr("seconds_an_epoch", round(report.seconds, 1))
        if self.longest is not None and report.seconds > self.longest:
            raise InputError(f"an epoch took {report.seconds:.0f} s, which is too long")
        if self.trial.should_prune():
            raise _Pruned


def space_of(data: Dataset, config: TuneConfig) -> SearchSpace:
    """What a search on a dataset draws from."""
    base = load_recipe(config.recipe)
    return SearchSpace(base, data.length, config.search, config.backbones)


def tune(data: Dataset, out: Path, config: TuneConfig, monitor: TuneMonitor | None = None) -> Tuned:
    """Search until the study has the trials that were asked for.

    Leaves in the folder ``best.toml``, the winner's recipe, ``trials.tsv`` and ``trials/``, the
    runs of the trials that were trained to the end. Any number of processes can work on one study;
    each writes what it sees when it ends.

    Parameters
    ----------
    data : Dataset
    out : pathlib.Path
        A search that was begun here is continued.
    config : TuneConfig
    monitor : TuneMonitor, optional

    Raises
    ------
    InputError
        If the study is of other data or settings, or its storage cannot be opened.
    """
    space = space_of(data, config)
    if config.train_bound is not None:
        data = data.with_fewer(config.train_bound, np.random.default_rng(config.seed))
    _open_folder(out, data)
    with _quiet_optuna():
        study = open_study(
            open_storage(config.storage, out), config.study, _agreed(data, space, config)
        )
        if not study.get_trials(deepcopy=False):
            _begin(study, space)
        reclaimed = reclaim(study)
        if monitor:
            ended, running, _ = stand(study)
            monitor.joined(ended, running, reclaimed)
        deadline = None if config.time_limit is None else time.monotonic() + config.time_limit
        while deadline is None or time.monotonic() < deadline:
            if not _one(study, data, out, space, config, monitor):
                break
        ended, running, _ = stand(study)
        found = Tuned(study, best_trial(study), ended, running, score_words(data.task))
        _write(out, found, space, config)
    return found


def _open_folder(out: Path, data: Dataset) -> None:
    marker = out / "tune.json"
    if out.exists() and not marker.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there and is not a search; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(marker, {"data": {"path": str(data.path), "codes_sha256": data.checksum}})


def _agreed(data: Dataset, space: SearchSpace, config: TuneConfig) -> dict[str, Any]:
    """What all processes of a study must have in common."""
    return {
        "data": data.checksum,
        "base": to_dict(space.base),
        "search": list(config.search),
        "backbones": list(config.backbones),
        "epochs": config.epochs,
        "seed": config.seed,
        "max_weights": config.max_weights,
        "max_epoch_seconds": config.max_epoch_seconds,
        "train_bound": config.train_bound,
    }


def _begin(study: optuna.Study, space: SearchSpace) -> None:
    """The base recipe goes first, where the bounds hold it."""
    values = space.values_of_base()
    if values is not None:
        put_first(study, values)


def _one(
    study: optuna.Study,
    data: Dataset,
    out: Path,
    space: SearchSpace,
    config: TuneConfig,
    monitor: TuneMonitor | None,
) -> bool:
    """Run one trial; False where there is none left to run."""
    import optuna
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    reclaim(study)
    ended, running, _ = stand(study)
    if ended + running >= config.trials:
        return False
    study.pruner = optuna.pruners.MedianPruner(_PRUNE_FROM, _PRUNE_AFTER)
    trial = study.ask()
    if is_first_again(study, trial):
        give_up(study, trial)
        return True
    # Another process may have asked at the same time: those with the lower numbers stay.
    before = [t for t in study.get_trials(deepcopy=False) if t.number < trial.number]
    if sum(counts(t) or t.state == TrialState.RUNNING for t in before) >= config.trials:
        give_up(study, trial)
        return False
    drawn = np.random.SeedSequence([config.seed, trial.number]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(drawn[0]))
    try:
        words = _run(study, trial, data, out, space, config, monitor)
    except UpdateFinishedTrialError:
        # This process was asleep or cut off for so long that another took the trial over, and its
        # folder with it.
        words = "taken over by another process"
    best = best_trial(study)
    if monitor:
        monitor.ended(trial.number, words, stand(study)[0], best.value if best else None)
    return True


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    data: Dataset,
    out: Path,
    space: SearchSpace,
    config: TuneConfig,
    monitor: TuneMonitor | None,
) -> str:
    """Train what a trial draws and write down how it ended; returned for people.

    Raises
    ------
    optuna.exceptions.UpdateFinishedTrialError
        If another process has given the trial up.
    """
    from optuna.trial import TrialState

    value, state = None, TrialState.FAIL
    with beating(trial):
        try:
            recipe = space.recipe(trial)
            if monitor:
                monitor.trial(trial.number, trial.params)
            value = _train(study, trial, data, out, recipe, config)
            state, words = TrialState.COMPLETE, f"valid {score_words(data.task)} {value:.4f}"
        except _Pruned:
            state = TrialState.PRUNED
            last = _last(study, trial.number)
            words = f"ended early at valid {score_words(data.task)} {last:.4f}"
        except InputError as error:
            trial.set_user_attr(ERROR, str(error)[:500])
            words = f"not possible: {error}"
        # Tells that the folder is still this trial's, before it is removed.
        end(study, trial, state, value)
    if state != TrialState.COMPLETE:
        shutil.rmtree(_folder(out, trial), ignore_errors=True)
    return words


def _last(study: optuna.Study, number: int) -> float:
    values = study.get_trials(deepcopy=False)[number].intermediate_values
    return float(values[max(values)])


def _folder(out: Path, trial: optuna.Trial | FrozenTrial) -> Path:
    return out / "trials" / f"{folder_number(trial):05d}"


def _train(
    study: optuna.Study,
    trial: optuna.Trial,
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
    before: dict[int, float] = {}
    if begun and folder_number(trial) != trial.number:
        before = dict(study.get_trials(deepcopy=False)[folder_number(trial)].intermediate_values)
    if card is None:
        resume = begun and (run.checkpoints / "last.ckpt").is_file()
        watch: TrainingMonitor = _Watch(trial, before if resume else {}, config.max_epoch_seconds)
        card = train(
            data,
            run.path,
            model,
            training,
            devices=Devices(config.device),
            resume=resume,
            overwrite=begun and not resume,
            monitor=watch,
        )
    assert card is not None  # noqa: S101 - one process
    trial.set_user_attr("epoch", card.epoch)
    return next(card.valid[name] for name in SCORES if name in card.valid)


def _training(recipe: Recipe, config: TuneConfig) -> TrainingConfig:
    given = {"epochs": config.epochs, "seed": config.seed}
    return from_dict(TrainingConfig, {**recipe.training, **given}, "the settings of the trial")


class _Fixed:
    """A finished trial's values, as a trial that draws them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        del choices
        return self.values[name]

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        del low, high, step, log
        return int(self.values[name])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        del low, high, log
        return float(self.values[name])


def winner(found: Tuned, space: SearchSpace, config: TuneConfig) -> Recipe:
    """The recipe of the best trial, with the epochs and the seed that it was trained with.

    Raises
    ------
    InputError
        If no trial is complete.
    """
    if found.best is None:
        raise InputError("no trial of the search has come to its end; let it go on")
    recipe = space.recipe(_Fixed(found.best.params))
    return replace(
        recipe,
        about=f"The best of {found.ended} trials of 'wavebind tune'",
        source=f"trial {found.best.number}, valid {found.score} {found.best.value:.4f}, "
        f"{config.epochs} epochs, seed {config.seed}",
        training=to_dict(_training(recipe, config)),
    )


def trial_rows(study: optuna.Study) -> list[dict[str, Any]]:
    """Every trial that came to an end or runs, as plain data, in order."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        if is_lost(trial) or trial.state.name == "WAITING":
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
    settings = json.loads(json.dumps(asdict(replace(config, storage=None))))
    data = found.study.user_attrs.get("data", "")
    write_json(out / "tune.json", {"data": {"codes_sha256": data}, "settings": settings})


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
