"""Runs and results as a notebook uses them; the commands call the same functions.

Ask :mod:`wavebind.api.run` what a run can do, and :mod:`wavebind.api.dataset` for datasets.
"""
