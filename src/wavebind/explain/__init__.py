"""Where the evidence for binding lies, and what a network has learnt.

Ask it for the scores of bases, whether they can be believed, and for motifs.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attribution": ["explain_windows"],
        "contributions": ["integrated_gradients", "mutagenesis", "occlusion"],
        "learned_motifs": ["find_motifs"],
        "run": ["explain_run", "read_explained"],
        "signal": ["compare_with_signal"],
        "verdicts": ["check_explanations"],
    },
)
