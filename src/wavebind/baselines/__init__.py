"""The models that a comparison knows, each behind ``fit`` and ``predict``."""

from wavebind.baselines.registry import DEFAULT_MODELS, MODELS, ModelSpec, make_rival, parse_model
from wavebind.baselines.rival import Fitted, Rival

__all__ = [
    "DEFAULT_MODELS",
    "MODELS",
    "Fitted",
    "ModelSpec",
    "Rival",
    "make_rival",
    "parse_model",
]
