# Each target does its own set-up: a fresh machine needs Python 3.11 or later, make and a package
# registry, nothing else.
PYTHON ?= python3
VENV ?= .venv
OUT ?= wavebind-demo
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test test-all lint docs tutorials bench clean

demo: $(VENV)/.installed
	$(BIN)/wavebind demo --out $(OUT) --force

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto --dist loadfile

test-all: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not gpu" -n auto --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Every command and every line of the tutorials, beside what the pages show.
tutorials: $(VENV)/.installed-test
	$(BIN)/python scripts/tutorials.py
	$(BIN)/python -m pytest -q -m "slow or not slow" tests/api/test_notebook.py

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/scalograms.py

clean:
	rm -rf $(VENV) $(OUT) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "wavebind needs Python 3.11 or later; name one with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	$(PIP) install -q -c constraints.txt -e .
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed $(SOURCES)
	$(PIP) install -q -c constraints.txt -e '.[docs]'
	touch $@

$(VENV)/.installed-test: $(VENV)/bin/python $(SOURCES)
	$(PIP) install -q -c constraints.txt -e '.[test]'
	touch $@ $(VENV)/.installed
