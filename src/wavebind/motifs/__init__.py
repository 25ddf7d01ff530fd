"""Position weight matrices: read, scored, discovered and named."""
