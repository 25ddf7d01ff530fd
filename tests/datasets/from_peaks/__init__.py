"""Datasets from peaks and a genome.

Modules without a test file of their name, and the file that tests them:

- `backgrounds`: test_choose.py
- `candidates`: test_choose.py
- `job`: test_choose.py
- `windows`: test_choose.py
"""
