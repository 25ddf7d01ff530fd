"""Runs and results as a notebook uses them."""
