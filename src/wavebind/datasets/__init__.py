"""Labelled windows on disk: written, opened, split and audited."""
