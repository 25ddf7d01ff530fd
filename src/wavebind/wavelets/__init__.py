"""Bases to signals, signals to scalograms, and scalograms to images.

Ask it for the scalogram of a batch of sequences, in PyTorch and with gradients.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "encodings": ["encode", "get_encoding"],
        "filters": ["Wavelet", "filter_bank", "log_periods"],
        "images": ["ImageConfig", "ScalogramImage"],
        "scalograms": ["Scalogram", "ScalogramConfig"],
        "synchrosqueezing": ["Synchrosqueezed"],
        "transforms": ["make_transform"],
    },
)
