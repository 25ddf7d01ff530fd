"""Networks behind one registry, and the file that a trained one is kept in."""

from wavebind.models.classifier import Classifier, ModelConfig, build_model
from wavebind.models.ensemble import make_ensemble, require_ensemble
from wavebind.models.modelfile import ModelCard, load_model, save_model
from wavebind.models.registry import Backbone, all_backbones, get_backbone

__all__ = [
    "Backbone",
    "Classifier",
    "ModelCard",
    "ModelConfig",
    "all_backbones",
    "build_model",
    "get_backbone",
    "load_model",
    "make_ensemble",
    "require_ensemble",
    "save_model",
]
