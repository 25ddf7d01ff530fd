"""Labelled windows on disk: written, opened, split and audited.

Ask it to write or open a dataset, and what but the motif tells its classes apart: the function
``audit`` of the module of that name. Datasets from peaks are made in ``from_peaks``.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["Dataset", "open_dataset"],
        "leakage": ["find_leakage"],
        "splits": ["BlockSplit", "ChromosomeSplit"],
        "tables": ["read_labelled_fasta", "read_labelled_table"],
        "targets": ["read_target"],
        "writing": ["write_dataset"],
    },
)
