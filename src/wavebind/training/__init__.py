"""From a dataset and a recipe to a run.

Ask it to train: the function ``train`` of the module of that name, and ``crossfit`` likewise.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["Devices", "TrainingConfig"],
        "estimator": ["TFBSClassifier"],
        "recipes": ["Recipe", "load_recipe", "recipe_names"],
    },
)
