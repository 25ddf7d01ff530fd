"""Genomes, intervals, peaks and variants, as files and as codes.

Modules without a test file of their name, and the file that tests them:

- `composition`: ../datasets/test_audit.py
- `fastaindex`: test_genomes.py
- `kmers`: ../motifs/test_discovery.py
- `peaks`: ../datasets/from_peaks/test_choose.py
- `twobit`: test_genomes.py
- `tiles`: ../scan/test_genome.py
"""
