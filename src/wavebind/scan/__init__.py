"""Probabilities along a genome, and called sites."""
