"""The Python interface: what a notebook calls, and what the commands call.

Modules without a test file of their name, and the file that tests them:

- `comparison`: test_comparison.py
- `demo`: test_notebook.py
- `explanations`: test_run.py
- `genome`: test_run.py
- `known_alleles`: ../evaluate/test_known_alleles.py
- `lsgkm`: ../models/test_lsgkm.py
- `motif_effects`: ../explain/test_perturb.py
- `predictions`: test_run.py
- `progress`: ../cli/test_commands.py
- `results`: test_run.py
- `scalogram`: test_run.py
- `scratch`: test_frames.py
- `settings`: ../cli/test_commands.py
- `studyplan`: test_study.py
- `training`: test_run.py
- `windows`: ../datasets/test_splitfiles.py
"""
