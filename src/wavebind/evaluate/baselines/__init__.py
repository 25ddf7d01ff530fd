"""The models that a comparison knows, each behind ``fit`` and ``predict``."""

from wavebind.evaluate.baselines.baseline import Fitted, Rival
from wavebind.evaluate.baselines.registry import (
    DEFAULT_MODELS,
    MODELS,
    ModelSpec,
    make_rival,
    parse_model,
)

__all__ = [
    "DEFAULT_MODELS",
    "MODELS",
    "Fitted",
    "ModelSpec",
    "Rival",
    "make_rival",
    "parse_model",
]
