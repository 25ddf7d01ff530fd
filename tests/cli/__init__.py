"""Commands: their options, exit codes and messages, and that their numbers are those of the Python
interface.

Modules without a test file of their name, and the file that tests them:

- `audit`: test_commands.py
- `benchmark`: ../evaluate/test_benchmark.py
- `compare`: ../evaluate/test_compare.py
- `console`: test_errors.py
- `dataset`: test_commands.py
- `demo`: test_commands.py
- `evaluate`: test_commands.py
- `explain`: ../explain/test_run.py
- `export`: test_commands.py
- `fetch`: ../genome/test_fetch.py
- `merge`: ../scan/test_genome.py
- `models`: test_commands.py
- `motifs`: ../explain/test_learned_motifs.py
- `options`: test_commands.py
- `predict`: test_commands.py
- `recipes`: test_commands.py
- `report`: ../report/test_run_page.py
- `run`: ../api/test_study.py
- `scalogram`: ../wavelets/test_scalograms.py
- `scan`: ../scan/test_genome.py
- `train`: test_commands.py
- `tune`: ../tune/test_search.py
- `variants`: ../variants/test_score.py
"""
