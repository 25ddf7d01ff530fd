"""Sequences, genomes, intervals, peaks and variants as they stand in files."""
