"""Networks and the file that a trained one is kept in.

Modules without a test file of their name, and the file that tests them:

- `matrixparts`: networks/test_matrices.py
- `normalisation`: images/test_pretrained.py
- `registry`: test_classifier.py
- `results`: ../report/test_results.py
- `rundir`: ../training/test_train.py
"""
