"""Pages, tables and pictures.

Modules without a test file of their name, and the file that tests them:

- `benchmark_page`: ../evaluate/test_benchmark.py
- `allele_plots`: ../explain/test_allele_views.py
- `choice`: test_run_page.py
- `comparison_page`: ../evaluate/test_compare.py
- `effect_plots`: ../explain/test_perturb.py
- `explanation_plots`: ../explain/test_run.py
- `films`: ../explain/test_signal.py
- `html`: test_run_page.py, test_browser.py
- `model_card`: ../api/test_hub.py
- `pictures`: ../explain/test_run.py
- `plots`: test_run_page.py
- `text`: ../cli/test_commands.py
- `tuning_page`: ../tune/test_search.py
"""
