"""Architectures, one a file.

Modules without a test file of their name, and the file that tests them:

- `foldedscalenet`: ../test_stretches.py
- `gkm`: ../test_lsgkm.py
- `gkmkernel`: ../../evaluate/baselines/test_gkmall.py
- `layers`: test_sequencenets.py
- `localchanges`: ../../explain/test_contributions.py
- `residual`: ../test_classifier.py
- `scalenet`: ../test_classifier.py
- `segments`: ../images/test_featurecache.py
"""
