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
from wavebind.training.members import settled_members, train_members
from wavebind.training.recipes import Recipe
from wavebind.training.starting import (
    AUTO,
    check_start,
    fine_tuning,
    settled_training,
    starts_of,
    weights_of,
)
from wavebind.training.train import Devices, finished_card, train_once

__all__ = ["Network"]

#: Whether trained weights fit a network does not depend on the length of its windows.
_ANY_LENGTH = 200


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
        start = str(self.given.get("start", self.recipe.training.get("start", AUTO)))
        return {
            **to_dict(plain),
            "given": self.given,
            "from_trained_weights": begun,
            # Other weights under one name or path make another model.
            "begins_with": weights_of(start, self.recipe.model(_ANY_LENGTH)),
        }

    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Train; an interrupted training is continued."""
        run = RunDir(folder / "run")
        model = self.recipe.model_for(data)
        devices = Devices(self.device)
        if len(starts_of(str(self.given.get("start", "")))) > 1:
            members = self._fit_members(data, run, seed, devices, on_event)
            histories = [read_json(RunDir(run.member(n + 1)).history) for n in range(members)]
        else:
            model, config, words = settled_training(model, self.recipe.training, self.given, data)
            on_event(Message(words))
            config = replace(config, seed=seed)
            train_once(data, run.path, model, config, devices=devices, on_event=on_event)
            histories = [read_json(run.history)]
        self._model: Classifier
        self._model, card = load_model(run.model, resolve_device(self.device))
        history = [epoch for one in histories for epoch in one]
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

    def _fit_members(
        self, data: Dataset, run: RunDir, seed: int, devices: Devices, on_event: OnEvent
    ) -> int:
        """Train the networks of a mean, and say how many they are."""
        model, configs, words = settled_members(
            self.recipe.model_for(data), self.recipe.training, self.given, data
        )
        on_event(Message("; ".join(words)))
        begun = run.run_json.is_file()
        if not (begun and finished_card(run.path)):
            train_members(
                data,
                run.path,
                model,
                [replace(config, seed=seed) for config in configs],
                devices=devices,
                resume=begun,
                on_event=on_event,
            )
        return len(configs)

    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Logits, the mean of both strands."""
        return predict_logits(self._model, codes)
