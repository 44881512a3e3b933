# m3sync from a fresh clone: `make demo` to see it, `make test` to prove it. PYTHON=... chooses another Python.

.DEFAULT_GOAL := help
.PHONY: help demo test check bench venv clean
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$name" && break; done)
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

# Nothing is left outside the clone, unless pip's cache was placed by who calls.
export PIP_CACHE_DIR ?= $(CURDIR)/.venv/cache

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq --no-input
# Stamps name the Python they were made with, so that another PYTHON makes a new environment.
MADE := .venv/made-$(VERSION)
RUNS := .venv/runs-$(VERSION)
TESTS := .venv/tests-$(VERSION)

help:
	@echo "make demo    m3sync between two sandbox systems, with its panel; Ctrl-C ends it"
	@echo "make test    every check and every test"
	@echo "make check   the checks without the tests"
	@echo "make bench   what is measured, beside what it is to reach (some minutes); QUANTITIES=... chooses"
	@echo "make venv    .venv with everything that development needs"
	@echo "make clean   remove .venv and .demo"

demo: $(RUNS)
	@exec $(BIN)/m3sync demo

test: check
	@$(BIN)/python -m pytest

check: $(TESTS)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache
	@$(BIN)/mypy

# Measured, never judged: a figure that misses its reach is shown and is no failure.
bench: $(TESTS)
	@$(BIN)/python -m tests.bench $(QUANTITIES)

venv: $(TESTS)

clean:
	rm -rf .venv .demo tests/peers/bayeux/node_modules tests/peers/bayeux/.npm

$(MADE):
	@if [ -z "$(VERSION)" ]; then \
		echo "$(or $(PYTHON),PATH) gives no Python 3.11 or newer. Install one, or name it: make $(MAKECMDGOALS) PYTHON=..."; \
		exit 3; fi
	@echo "Making .venv with $(PYTHON) ($(VERSION)) ..."
	@"$(PYTHON)" -m venv --clear .venv || { \
		echo "Python cannot make a virtual environment. On Debian: apt-get install python$(VERSION)-venv"; exit 3; }
	@$(PIP) install --constraint constraints.txt --upgrade pip
	@touch $@

$(RUNS): $(MADE) pyproject.toml constraints.txt
	@echo "Installing m3sync into .venv ..."
	@$(PIP) install --constraint constraints.txt --build-constraint constraints.txt --editable .
	@touch $@

$(TESTS): $(RUNS)
	@echo "Installing what the tests need ..."
	@$(PIP) install --constraint constraints.txt --group test
	@touch $@
