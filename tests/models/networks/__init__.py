"""Architectures, one a file.

Modules without a test file of their name, and the file that tests them:

- `layers`: test_sequencenets.py
- `residual`: ../test_classifier.py
- `scalenet`: ../test_classifier.py
- `segments`: ../images/test_featurecache.py
"""
