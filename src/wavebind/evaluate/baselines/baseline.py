"""What every model of a comparison is: something that is fitted and predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavebind.core.events import OnEvent, ignore
from wavebind.datasets.dataset import Dataset
from wavebind.genome.sequences import Codes

__all__ = ["Baseline", "Fitted"]


@dataclass(frozen=True)
class Fitted:
    """What is known of a fitted model beside its scores.

    Attributes
    ----------
    n_parameters : int
        Numbers that were chosen by looking at the training windows.
    n_windows : int
        Training windows that it saw.
    details : str
        What it turned out to be, in a few words.
    extra : dict
        More of it, as plain data.
    """

    n_parameters: int
    n_windows: int
    details: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Baseline(ABC):
    """A model behind two calls.

    Attributes
    ----------
    seeded : bool
        Whether another seed gives another model.
    """

    seeded: bool = False

    @abstractmethod
    def fit(self, data: Dataset, folder: Path, seed: int, on_event: OnEvent = ignore) -> Fitted:
        """Learn from the train split; choose on valid what has to be chosen.

        Parameters
        ----------
        data : Dataset
        folder : pathlib.Path
            An empty folder for what is to be kept.
        seed : int
        on_event : callable
            Takes what happens; see :mod:`wavebind.core.events`.
        """

    @abstractmethod
    def predict(self, codes: Codes) -> NDArray[np.float64]:
        """Scores, higher for bound, shape ``(window,)``, of windows ``(window, position)``."""
