"""Datasets from a peak file and a genome: bound windows and matched negatives.

Ask it to choose windows and to build a dataset; a new kind of negatives goes into ``backgrounds``.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "backgrounds": ["BackgroundConfig"],
        "choose": ["choose_windows"],
        "job": ["PeakJob", "build_dataset", "merge_dataset"],
        "matching": ["match_composition"],
        "settings": ["PeakDatasetConfig"],
    },
)
