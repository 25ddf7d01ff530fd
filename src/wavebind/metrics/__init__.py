"""How good scores are, with intervals, and how probabilities are made of them.

Ask it for the metrics of labels and scores, alone or of two models on the same windows.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "binary": ["curves", "evaluate"],
        "paired": ["compare_paired"],
        "platt": ["PlattScaling", "fit_calibration"],
        "reliability": ["ReliabilityCurve", "calibration_error", "reliability_curve"],
        "tasks": ["evaluate_classes", "evaluate_numbers"],
    },
)
