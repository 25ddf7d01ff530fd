"""Datasets from a peak file and a genome: bound windows and matched negatives."""
