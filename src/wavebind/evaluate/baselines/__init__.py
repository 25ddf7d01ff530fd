"""The models that a comparison knows, each behind ``fit`` and ``predict``."""

from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.evaluate.baselines.registry import (
    DEFAULT_MODELS,
    MODELS,
    ModelSpec,
    make_baseline,
    parse_model,
)

__all__ = [
    "DEFAULT_MODELS",
    "MODELS",
    "Baseline",
    "Fitted",
    "ModelSpec",
    "make_baseline",
    "parse_model",
]
