# m3sync from a fresh clone: `make demo` to see it, `make test` to prove it. PYTHON=... chooses another Python.

.DEFAULT_GOAL := help
.PHONY: help demo test check crash faults soak bench explore venv clean
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

# Most tests wait for something most of the time: four processes keep two cores busy.
AT_ONCE ?= --numprocesses=4 --dist=worksteal
LONG_crash := tests/acceptance/every_crash_point.py tests/acceptance/every_entity_crash_point.py
LONG_faults := tests/acceptance/every_call_fault.py tests/acceptance/every_entity_call_fault.py tests/acceptance/every_outage.py
LONG_soak := tests/acceptance/every_soak.py tests/acceptance/every_entity_scale.py

help:
	@echo "make demo    m3sync between two sandbox systems, with its panel; Ctrl-C ends it"
	@echo "make test    every check and every test"
	@echo "make check   the checks without the tests"
	@echo "make crash   the daemon killed at every commit and outside write (45 minutes)"
	@echo "make faults  every fault at every kind of call, the database killed (an hour)"
	@echo "make soak    250,000 events and 400,000 copies in bounded memory (an hour)"
	@echo "make bench   what is measured, what it is to reach; QUANTITIES=... chooses"
	@echo "make explore random changes and kills; SEED=... EXAMPLES=... choose"
	@echo "make venv    .venv with everything that development needs"
	@echo "make clean   remove .venv and .demo"

demo: $(RUNS)
	@exec $(BIN)/m3sync demo

test: check
	@$(BIN)/python -m pytest $(AT_ONCE)

# The long forms of what `make test` samples.
crash faults soak: $(TESTS)
	@$(BIN)/python -m pytest $(AT_ONCE) $(wildcard $(LONG_$@))

check: $(TESTS)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache
	@$(BIN)/mypy

# Measured, never judged: a figure that misses its reach is shown and is no failure.
bench: $(TESTS)
	@$(BIN)/python -m tests.bench $(QUANTITIES)

# Longer than in `make test`, and with another seed each time; what fails is printed with what it takes to repeat it.
explore: $(TESTS)
	@M3SYNC_TEST_SEED="$(or $(SEED),$$(date +%s))" M3SYNC_TEST_EXAMPLES="$(or $(EXAMPLES),2000)" \
		$(BIN)/python -m pytest -n auto tests/acceptance/test_state_machine.py

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
