"""A search for better settings on the validation split.

Ask it to begin or to join a search.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "search": ["TuneConfig", "Tuned", "tune"],
        "space": ["SearchSpace"],
    },
)
