"""What everything stands on.

Modules without a test file of their name, and the file that tests them:

- `download`: ../genome/test_fetch.py
- `filekinds`: test_files.py
- `events`: ../training/test_train.py
- `jsonfiles`: test_files.py
- `versions`: ../models/test_modelfile.py
"""
