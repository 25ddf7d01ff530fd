"""A classifier for scripts, with the interface of scikit-learn."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from wavebind.core.devices import resolve_device
from wavebind.core.errors import InputError
from wavebind.core.jsonfiles import read_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.datasets.in_memory import dataset_in_memory
from wavebind.datasets.targets import TASKS
from wavebind.genome.sequences import UNKNOWN, Codes
from wavebind.metrics.platt import PlattScaling
from wavebind.models import load_model, save_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.estimator_input import (
    checked_codes,
    codes_of_text,
    positive_class,
    text_of,
)
from wavebind.training.recipes import load_recipe
from wavebind.training.runjson import begin_run
from wavebind.training.train import Devices, TrainingConfig, train

__all__ = ["TFBSClassifier"]

#: Shorter sequences are filled up with unknown bases, which a scalogram does not see.
_MIN_LENGTH = 32


class TFBSClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classes of sequences, as an estimator of scikit-learn: bound and unbound, or several.

    Part of the windows given to :meth:`fit` is held out to choose the epoch and the calibration.
    These are whole groups where groups are given, for example chromosomes, otherwise a stratified
    sample.

    Parameters
    ----------
    recipe : str
        Representation, network and training: a name of ``wavebind recipes``, or a TOML file.
    model : str, optional
        The network, instead of that of the recipe.
    epochs, batch_size, learning_rate, unbound_ratio, max_shift, patience : optional
        Instead of those of the recipe; see :class:`wavebind.training.train.TrainingConfig`.
    valid_fraction : float
        What is held out within :meth:`fit`, of the groups or of the windows.
    pos_label : optional
        The label of bound windows, where there are two. By default ``bound`` of ``bound`` and
        ``unbound``, and otherwise the greater one.
    device : str
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : numpy.ndarray
        The labels, sorted; the probabilities of column ``i`` are of label ``i``.
    n_features_in_ : int
        Length of the windows.
    model_ : Classifier
        The trained network.
    card_ : ModelCard
        What is known of it beside its weights: calibration, best epoch, settings.
    n_iter_ : int
        The epoch (from 1) whose weights these are.
    """

    def __init__(
        self,
        recipe: str = "default",
        *,
        model: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        unbound_ratio: float | None = None,
        max_shift: int | None = None,
        patience: int | None = None,
        valid_fraction: float = 0.15,
        pos_label: Any = None,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.recipe = recipe
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.unbound_ratio = unbound_ratio
        self.max_shift = max_shift
        self.patience = patience
        self.valid_fraction = valid_fraction
        self.pos_label = pos_label
        self.device = device
        self.random_state = random_state

    #: Which of two classes is bound; settled by :meth:`fit`.
    _positive = 1

    def __sklearn_tags__(self) -> Any:
        """Sequences, as strings or as codes."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> TFBSClassifier:
        """Train on windows.

        Parameters
        ----------
        X : list of str, or array
            Sequences of one length, as ``str`` or ``bytes``; or ``int`` codes, shape ``(window,
            position)``, A C G T = 0 1 2 3 and anything above unknown.
        y : array
            Shape ``(window,)``, two or more different labels. Of two one is bound, see `pos_label`;
            several exclude each other.
        groups : array, optional
            Shape ``(window,)``: windows of one group are held out together, or not at all.

        Returns
        -------
        TFBSClassifier
            Itself.

        Raises
        ------
        ValueError
            If a window or a label is not one, or settings are out of range.
        """
        labels = self._labels(y)
        codes = self._codes(X, reset=True)
        if len(labels) != len(codes):
            raise ValueError(f"X has {len(codes)} windows and y {len(labels)} labels")
        if len(self.classes_) == 2:
            self._positive = positive_class(self.classes_, self.pos_label)
            labels = (labels == self._positive).astype(np.int8)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        held_out = self._hold_out(labels, groups, seed)
        names_of_classes = [str(name) for name in self.classes_]
        data = dataset_in_memory(_filled_up(codes), labels, names_of_classes, held_out)
        try:
            recipe = load_recipe(self.recipe)
            if self.model is not None:
                recipe = recipe.with_backbone(self.model)
            names = ("epochs", "batch_size", "learning_rate", "unbound_ratio", "max_shift")
            given = {name: getattr(self, name) for name in (*names, "patience")}
            given = {name: value for name, value in given.items() if value is not None}
            config = from_dict(
                TrainingConfig, {**recipe.training, **given, "seed": seed}, "the settings"
            )
            with tempfile.TemporaryDirectory(prefix="wavebind-") as folder:
                out = Path(folder) / "run"
                network = recipe.model_for(data)
                train(data, out, network, config, devices=Devices(self.device))
                self.model_, self.card_ = load_model(out / "model.safetensors")
        except InputError as error:
            raise ValueError(str(error)) from error
        self.n_iter_ = self.card_.epoch
        return self

    @classmethod
    def from_run(cls, run: str | Path, device: str = "auto") -> TFBSClassifier:
        """A fitted classifier, of a run that ``wavebind train`` or :meth:`save` left.

        Parameters
        ----------
        run : path
            The run directory.
        device : str
            Where it computes.

        Returns
        -------
        TFBSClassifier
            Its labels are those of :meth:`fit`; of a run of ``wavebind train`` 0 and 1, or the
            names of its classes.

        Raises
        ------
        InputError
            If it is not a run, its training has not ended, or its outputs are not classes.
        """
        folder = RunDir(Path(run)).require_model()
        model, card = load_model(folder.model, resolve_device(device))
        task = card.model.task_name
        if task not in ("binary", "multiclass"):
            raise InputError(
                f"{run}: is a run for {task} ({TASKS[task]}); a classifier has classes that "
                f"exclude each other. Use wavebind.load, which reads every run"
            )
        stored = read_json(folder.run_json).get("classifier", {})
        names = list(card.model.outputs) if task == "multiclass" else [0, 1]
        fitted = cls(device=device)
        fitted.classes_ = np.array(stored.get("classes", names))
        if fitted.classes_.shape != (len(names),):
            raise InputError(
                f"{folder.run_json}: names {fitted.classes_.size} classes of a network with "
                f"{len(names)}; train again"
            )
        fitted.n_features_in_ = int(stored.get("n_features_in", card.model.length))
        fitted.model_, fitted.card_, fitted.n_iter_ = model, card, card.epoch
        fitted._positive = int(stored.get("positive", 1))
        return fitted

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the network as a run directory, which :meth:`from_run` and the commands read.

        Parameters
        ----------
        folder : path
        overwrite : bool
            Whether an older run of that name is removed.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        InputError
            If the folder holds another run and `overwrite` is not set, or other files.
        """
        check_is_fitted(self)
        run, card = RunDir(Path(folder)), self.card_
        about = {
            "classes": self.classes_.tolist(),
            "n_features_in": int(self.n_features_in_),
            "positive": self._positive,
        }
        begin_run(
            run,
            {
                "data": card.data,
                "model": to_dict(card.model),
                "training": card.training,
                "versions": card.versions,
                "classifier": about,
            },
            overwrite,
        )
        save_model(run.model, self.model_, card)
        return run.path

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Calibrated logits, the mean of both strands.

        Parameters
        ----------
        X : list of str, or array

        Returns
        -------
        numpy.ndarray
            ``float64``, shape ``(window,)``, above 0 for the second of two classes; or ``(window,
            class)``, of each class against all others.
        """
        check_is_fitted(self)
        codes = _filled_up(self._codes(X, reset=False))
        logits = predict_logits(self.model_, codes)
        lines = self.card_.calibration or (PlattScaling(),) * len(self.card_.model.outputs)
        slope = np.array([line.slope for line in lines])
        intercept = np.array([line.intercept for line in lines])
        moved: NDArray[np.float64] = slope * logits.reshape(len(codes), -1) + intercept
        if len(lines) > 1:
            return moved
        # scikit-learn's sign is that of the second label, whichever of them is bound.
        return moved[:, 0] if self._positive else -moved[:, 0]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, ``float64`` of shape ``(window, class)``; each row adds up to 1."""
        found: NDArray[np.float64] = expit(self.decision_function(X))
        if found.ndim == 1:
            return np.stack([1 - found, found], axis=1)
        # The mean of two strands' log-odds, which no longer add up to 1 by themselves.
        found /= np.maximum(found.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        return found

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each window, shape ``(window,)``."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        found: NDArray[Any] = self.classes_[chosen]
        return found

    def _codes(self, X: ArrayLike, *, reset: bool) -> Codes:
        lines = text_of(X)
        if lines is not None:
            codes = codes_of_text(lines)
            if reset:
                self.n_features_in_ = codes.shape[1]
            elif codes.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"X has windows of {codes.shape[1]} bases, but {type(self).__name__} was "
                    f"fitted on windows of {self.n_features_in_}"
                )
            return codes
        values = validate_data(self, X, reset=reset, dtype="numeric", ensure_min_samples=1)
        return checked_codes(values, type(self).__name__)

    def _labels(self, y: ArrayLike) -> NDArray[np.int8]:
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} learns "
                f"from labels"
            )
        labels = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=True)
        if labels.ndim == 2 and labels.shape[1] == 1:
            import warnings

            from sklearn.exceptions import DataConversionWarning

            warnings.warn(
                "A column-vector y was passed when a 1d array was expected",
                DataConversionWarning,
                stacklevel=3,
            )
            labels = labels.ravel()
        check_classification_targets(labels)
        self.classes_, encoded = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y holds one class, {self.classes_[0]!r}; a classifier needs at least two"
            )
        return encoded.astype(np.int8)

    def _hold_out(
        self, labels: NDArray[np.int8], groups: ArrayLike | None, seed: int
    ) -> NDArray[np.int64]:
        """The windows that choose epoch and calibration; all of them where there are too few."""
        if not 0 < self.valid_fraction < 1:
            raise ValueError(
                f"valid_fraction is a fraction between 0 and 1; found {self.valid_fraction!r}"
            )
        everything, n_classes = np.arange(len(labels)), len(np.unique(labels))
        splitter: Any
        if groups is not None:
            names = np.asarray(groups)
            if names.shape != labels.shape:
                raise ValueError(f"X has {len(labels)} windows and groups shape {names.shape}")
            splitter = GroupShuffleSplit(20, test_size=self.valid_fraction, random_state=seed)
            for fit, held in splitter.split(everything, labels, names):
                if all(len(np.unique(labels[part])) == n_classes for part in (fit, held)):
                    return np.asarray(held)
            raise ValueError(
                "no part of the groups that could be held out has windows of every class, with "
                "every class left to train on; use more groups"
            )
        if min(np.bincount(labels)) * min(self.valid_fraction, 1 - self.valid_fraction) < 1:
            return everything
        splitter = StratifiedShuffleSplit(1, test_size=self.valid_fraction, random_state=seed)
        return np.asarray(next(splitter.split(everything, labels))[1])


def _filled_up(codes: Codes) -> Codes:
    missing = _MIN_LENGTH - codes.shape[1]
    if missing <= 0:
        return codes
    left = missing // 2
    return np.pad(codes, ((0, 0), (left, missing - left)), constant_values=UNKNOWN)
