"""Networks of this package as models of a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wavebind.core.devices import resolve_device
from wavebind.core.events import OnEvent, ignore
from wavebind.core.jsonfiles import read_json
from wavebind.core.settings import from_dict
from wavebind.datasets.dataset import Dataset
from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.genome.sequences import Codes
from wavebind.models import Classifier, load_model
from wavebind.models.prediction import predict_logits
from wavebind.models.rundir import RunDir
from wavebind.training.config import TrainingConfig
from wavebind.training.recipes import Recipe
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
    """

    seeded = True

    def __init__(self, recipe: Recipe, epochs: int | None = None, device: str = "auto") -> None:
        given = {} if epochs is None else {"epochs": epochs}
        self.recipe = recipe
        self.config = from_dict(TrainingConfig, {**recipe.training, **given}, "the recipe")
        self.device = device

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Train; an interrupted training is continued."""
        run = RunDir(folder / "run")
        config = replace(self.config, seed=seed)
        model = self.recipe.model_for(data)
        devices = Devices(self.device)
        train_once(data, run.path, model, config, devices=devices, on_event=on_event)
        self._model: Classifier
        self._model, card = load_model(run.model, resolve_device(self.device))
        history = read_json(run.history)
        started = card.training.get("weights", "none")
        weights = "random weights" if started == "none" else f"weights {Path(str(started)).name}"
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
