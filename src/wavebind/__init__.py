"""wavebind: finds where transcription factors bind DNA, by wavelets and convolutional networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavebind.training.estimator import TFBSClassifier

__all__ = ["TFBSClassifier"]


def __getattr__(name: str) -> Any:
    # Imported on demand: the command line must not wait for PyTorch.
    if name == "TFBSClassifier":
        from wavebind.training.estimator import TFBSClassifier

        return TFBSClassifier
    raise AttributeError(f"module 'wavebind' has no attribute {name!r}")
