"""What a network is compared with.

Modules without a test file of their name, and the file that tests them:

- `allmatrices`: test_baselines.py
- `baseline`: test_baselines.py
- `networks`: test_baselines.py
- `registry`: test_baselines.py
- `regression`: test_baselines.py
"""
