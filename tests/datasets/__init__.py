"""Labelled windows: from tables and from peaks, split, audited and kept.

Modules without a test file of their name, and the file that tests them:

- `composition_scores`: ../cli/test_tasks.py
- `demo`: ../api/test_notebook.py
- `in_memory`: ../training/test_estimator.py
- `targets`: ../cli/test_tasks.py
"""
