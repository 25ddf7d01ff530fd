"""Known motifs, and those found in sequences.

Modules without a test file of their name, and the file that tests them:

- `matches`: ../explain/test_learned_motifs.py
"""
