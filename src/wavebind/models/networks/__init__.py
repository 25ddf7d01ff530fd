"""The networks of this package, one file an architecture."""
