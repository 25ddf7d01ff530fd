"""From a dataset to a run.

Modules without a test file of their name, and the file that tests them:

- `checkpoints`: test_train.py
- `engine`: test_train.py
- `initial`: ../models/images/test_pretrained.py
- `means`: test_members.py
- `runjson`: test_train.py
"""
