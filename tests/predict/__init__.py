"""Scores of sequences."""
