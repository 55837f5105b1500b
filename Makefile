# The same targets by hand and in CI. Needs python3 (>= 3.11), pip and make; everything else comes from the locks.
.PHONY: setup setup-dev demo test check fmt lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
UV = PYTHONPATH=.uv $(PYTHON) -m uv
BIN = .venv/bin
ARGS ?=

help:
	@echo "make setup   set up .venv with the run-time dependencies"
	@echo "make demo    the whole thing on loopback (ARGS=--unattended for the scripted one)"
	@echo "make test    set up with the development lock and run all tests"
	@echo "make check   linters, types, import contracts"
	@echo "make fmt     format the code"
	@echo "make lock    resolve the locks anew"

.uv/ready: pyproject.toml
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --upgrade --target .uv 'uv>=0.9'
	@touch $@

.venv/bin/python: .uv/ready
	$(UV) venv --quiet --allow-existing .venv

.venv/runtime: .venv/bin/python requirements.lock pyproject.toml
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --no-deps --python $(BIN)/python -e .
	@rm -f .venv/development && touch $@

.venv/development: .venv/bin/python requirements-dev.lock pyproject.toml
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.lock
	$(UV) pip install --quiet --no-deps --python $(BIN)/python -e .
	@rm -f .venv/runtime && touch $@

# A development environment serves for everything, so `setup` leaves it alone.
setup: .venv/bin/python
	@if [ -e .venv/development ]; then $(MAKE) --no-print-directory setup-dev; \
	else $(MAKE) --no-print-directory .venv/runtime; fi

setup-dev: .venv/development

demo: setup
	$(BIN)/tiergate demo $(ARGS)

test: setup-dev
	$(BIN)/python -P scripts/run_tests.py $(ARGS)

check: setup-dev
	$(BIN)/python -P scripts/check.py $(ARGS)

fmt: setup-dev
	$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format .

# A week's cool-down for fresh uploads; at resolving only, an install takes what the lock names.
LOCK = $(UV) pip compile --quiet --exclude-newer '7 days' --universal --generate-hashes --no-annotate --no-header
lock: .uv/ready
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv .uv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
