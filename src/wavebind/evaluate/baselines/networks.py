"""Networks of this package as models of a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import resolve_device
from wavebind.core.events import Message, OnEvent, ignore
from wavebind.core.jsonfiles import read_json
from wavebind.core.settings import from_dict, to_dict
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig
from wavebind.training.recipes import Recipe
from wavebind.training.starting import check_start, fine_tuning, settled_training
from wavebind.training.train import Devices, train_once

__all__ = ["Network"]


class Network(Baseline):
    """A recipe, trained.

    Parameters
    ----------
    recipe : Recipe
    epochs : int, optional
        Instead of those of the recipe.
    device : str
    start : str
        What training begins with; see :class:`wavebind.training.config.TrainingConfig`.
    """

    seeded = True

    def __init__(
        self, recipe: Recipe, epochs: int | None = None, device: str = "auto", start: str = ""
    ) -> None:
        self.given: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
        if start:
            self.given["start"] = start
        self.recipe = recipe
        from_dict(TrainingConfig, {**recipe.training, **self.given}, "the recipe")
        self.device = device

    def check(self) -> None:
        """Refuse a run to begin with that is not there.

        Raises
        ------
        InputError
        """
        check_start(str(self.given.get("start", "none")))

    def described(self) -> dict[str, Any]:
        """All settings of the training, whichever it turns out to be."""
        plain = from_dict(TrainingConfig, {**self.recipe.training, **self.given}, "the recipe")
        begun = [fine_tuning(n_bound) for n_bound in (0, 10**9)]
        return {**to_dict(plain), "given": self.given, "from_trained_weights": begun}

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Train; an interrupted training is continued."""
        run = RunDir(folder / "run")
        model = self.recipe.model_for(data)
        model, config, words = settled_training(model, self.recipe.training, self.given, data)
        config = replace(config, seed=seed)
        on_event(Message(words))
        devices = Devices(self.device)
        train_once(data, run.path, model, config, devices=devices, on_event=on_event)
        self._model: Classifier
        self._model, card = load_model(run.model, resolve_device(self.device))
        history = read_json(run.history)
        given = (card.training.get(name, "none") for name in ("start", "weights"))
        started = next((Path(str(name)).name for name in given if name != "none"), "")
        weights = f"weights of {started}" if started else "random weights"
        details = f"{card.model.backbone} on {card.model.front}, {weights}, epoch {card.epoch}"
        return Fitted(
            self._model.n_weights,
            len(data.indices("train")),
            f"{details} of {len(history)}",
            {
                "epoch": card.epoch,
                "seconds_an_epoch": float(np.median([e["seconds"] for e in history])),
            },
        )

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Logits, the mean of both strands."""
        return predict_logits(self._model, codes)
