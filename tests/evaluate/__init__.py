"""Runs scored, and compared with baselines.

Modules without a test file of their name, and the file that tests them:

- `assess`: ../report/test_run_page.py
"""
