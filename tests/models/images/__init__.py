"""The published route: scalograms as colour pictures.

Modules without a test file of their name, and the file that tests them:

- `timmnet`: test_pretrained.py
"""
