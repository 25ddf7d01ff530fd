"""The models that a comparison knows, each behind ``fit`` and ``predict``."""

from wavebind.evaluate.baselines.baseline import Baseline, Fitted
from wavebind.evaluate.baselines.registry import (
    MODELS,
    STANDARD_MODELS,
    ModelSpec,
    make_baseline,
    parse_model,
)

__all__ = [
    "MODELS",
    "STANDARD_MODELS",
    "Baseline",
    "Fitted",
    "ModelSpec",
    "make_baseline",
    "parse_model",
]
