"""Bases to signals, signals to scalograms, and scalograms to images."""
