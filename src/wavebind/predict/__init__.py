"""Scores of sequences, and models for other programs."""
