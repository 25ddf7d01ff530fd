"""Numbers about scores, with their intervals.

Modules without a test file of their name, and the file that tests them:

- `tasks`: ../cli/test_tasks.py
"""
