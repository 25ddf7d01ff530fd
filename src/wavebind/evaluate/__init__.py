"""How good a run is, beside baselines, on one dataset or many.

Ask it the functions ``assess``, ``compare`` and ``benchmark`` of the modules of these names.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "assess": ["read_scores", "read_values"],
        "benchmark": ["BenchmarkConfig"],
        "compare": ["read_comparison"],
        "compare_runs": ["ComparisonConfig"],
        "ranking": ["rank_models"],
    },
)
