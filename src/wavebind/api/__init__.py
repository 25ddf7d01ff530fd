"""Runs and results as a notebook uses them; the commands call the same functions.

Ask it to make a dataset, to train, to open a run, and to compare. ``wavebind`` has the same verbs.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["benchmark", "compare", "tune"],
        "dataset": ["audit_dataset", "make_dataset"],
        "demo": ["demo_dataset"],
        "run": ["Run", "load"],
    },
)
