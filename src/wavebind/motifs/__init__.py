"""Position weight matrices: read, scored, discovered and named.

Ask it for a matrix of JASPAR, its hits in windows, and what a new matrix resembles.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "discovery": ["discover_motifs"],
        "jaspar": ["all_motifs", "choose_motif", "find_motif"],
        "matches": ["match_motifs"],
        "pwms": ["Motif", "best_hits", "motif_scores", "read_meme", "write_meme"],
    },
)
