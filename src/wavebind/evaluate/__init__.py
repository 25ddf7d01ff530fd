"""How good a run is, beside baselines, on one dataset or many."""
