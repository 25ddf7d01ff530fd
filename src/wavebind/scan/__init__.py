"""Probabilities along a genome, and called sites.

Ask it to scan a genome, and to join what was done in shares.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "genome": ["merge_scan", "scan_genome"],
        "merge": ["merge_parts"],
        "settings": ["ScanConfig", "ScanJob"],
        "sites": ["call_sites"],
    },
)
