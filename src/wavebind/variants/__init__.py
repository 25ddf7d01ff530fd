"""What variants do to binding.

Ask it to score the alleles of a VCF against a genome.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "score": ["merge_variants", "score_variants"],
        "settings": ["VariantConfig", "VariantJob"],
        "verdicts": ["judge"],
    },
)
