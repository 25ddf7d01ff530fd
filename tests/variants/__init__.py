"""Effects of alleles.

Modules without a test file of their name, and the file that tests them:

- `alleles`: test_score.py
- `checks`: test_score.py
- `effects`: test_score.py
- `files`: test_score.py
- `plan`: test_score.py
- `reservoir`: test_common.py
"""
