"""Everything drawn, and everything written as HTML or as a table for a terminal.

Ask it for the page of a run, of a comparison, of a benchmark or of a search.
"""

import lazy_loader

# On demand: none of the modules is imported before it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "benchmark_page": ["write_benchmark_page"],
        "comparison_page": ["write_comparison_page"],
        "films": ["write_films"],
        "pictures": ["write_logos", "write_pictures"],
        "run_page": ["write_report"],
        "tuning_page": ["write_tuning_page"],
    },
)
