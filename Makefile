# Everything is installed into $(VENV), from the hashed locks; nothing is installed twice.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes --only-binary=:all: --requirement
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
	--no-emit-find-links --custom-compile-command 'make lock' pyproject.toml
# Where a line or a branch that no test takes could let somebody in.
COVERED := src/keyhouse/gate/*,src/keyhouse/tokens/*,src/keyhouse/credentials/*,src/keyhouse/revocation/*,src/keyhouse/issuance/*

# They start many processes and measure time: beside others they would measure those.
APART := tests/history tests/faults

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help dev test check docs bench bench-peers screenshots soak mutants lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS=… is passed on (make dev ARGS='--port 9000', make test ARGS=tests/gate); PYTHON=… and VENV=… choose others."

dev: $(VENV)/.running ## start Keyhouse with a demo company, an API key and a curl line to paste
	@$(BIN)/keyhouse dev $(ARGS)

test: $(VENV)/.testing ## run the suite on SQLite, PostgreSQL and Chromium, and demand its coverage
ifeq ($(ARGS),)
	@present=$$(BIN=$(BIN) sh tests/programs.sh) && \
		$(BIN)/pytest -n auto --maxprocesses 8 -m "$$present" --cov --cov-report= $(APART:%=--ignore=%) && \
		$(BIN)/pytest -m "$$present" --cov --cov-append --cov-report= $(APART)
	@$(BIN)/coverage report --include '$(COVERED)' --skip-covered --fail-under 100
else
	@$(BIN)/pytest $(ARGS)
endif

check: $(VENV)/.testing ## lint, format, types, the floors of the import contract, docs against code, the site
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest -q tests/contract/test_docs.py tests/contract/test_packaging.py
	@$(BIN)/python -m tests.handbook

docs: $(VENV)/.testing ## build the site of docs/ into site/, warnings as errors; ARGS=--write: first what is made from code
	@$(BIN)/python -m tests.handbook $(ARGS)

bench: $(VENV)/.testing ## measure the guard, the store and revocation; exit 1 on a missed bar
	@$(BIN)/python -m benchmarks ours $(ARGS)

bench-peers: $(VENV)/.testing ## measure the same beside other projects
	@$(BIN)/python -m benchmarks peers $(ARGS)

screenshots: $(VENV)/.testing ## take the pictures of docs/ with Chromium
	@$(BIN)/python -m tests.screenshots $(ARGS)

soak: $(VENV)/.testing ## run the long versions of the tests of revocation and of kill -9
	@$(BIN)/python -m tests.soak $(ARGS)

mutants: $(VENV)/.testing ## take out each line that closes a race, and show the test that fails
	@$(BIN)/python tests/mutants.py $(ARGS)

lock: $(VENV)/.testing ## renew requirements.lock and requirements-dev.lock from pyproject.toml
	@$(COMPILE) --all-extras --group dev --upgrade --output-file requirements-dev.lock
	@$(COMPILE) --extra postgres --extra redis --group build --constraint requirements-dev.lock --upgrade \
		--output-file requirements.lock

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo 'Keyhouse needs Python 3.11 or newer: make PYTHON=/path/to/python …' >&2; exit 1; }
	@echo 'Installing into $(VENV)' >&2
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.running: $(VENV)/pyvenv.cfg requirements.lock pyproject.toml
	@$(LOCKED) requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.testing: $(VENV)/.running requirements-dev.lock
	@$(LOCKED) requirements-dev.lock
	@touch $@
