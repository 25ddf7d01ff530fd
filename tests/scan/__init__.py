"""Scores along a genome.

Modules without a test file of their name, and the file that tests them:

- `bigwig`: ../cli/test_devices.py
- `merge`: test_genome.py
- `tile_scores`: test_genome.py
- `track`: test_genome.py
"""
