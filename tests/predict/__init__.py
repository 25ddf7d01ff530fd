"""Scores of sequences.

Modules without a test file of their name, and the file that tests them:

- `fasta`: ../cli/test_commands.py
"""
