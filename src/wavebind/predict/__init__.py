"""Scores of sequences, and models for other programs.

Ask it to score a FASTA file of any size, or for an ONNX file.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fasta": ["score_fasta"],
        "onnx": ["export_onnx"],
    },
)
