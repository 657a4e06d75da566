# Notarium: `make help` lists the targets.

# A distribution's own Python first: it is built with profile-guided optimisation, and a node on it needs a quarter less CPU.
PYTHON      ?= $(shell for each in /usr/bin/python3.11 python3.11 python3; do \
                   $$each -c 'import ensurepip, venv' 2>/dev/null && echo $$each && break; done || echo python3)
VENV        := .venv
BIN         := $(VENV)/bin
STAMP       := $(VENV)/.stamp
PYTEST_ARGS ?=
BENCH_ARGS  ?=
SPEC_ARGS   ?=
CLUSTER_ARGS ?=
SIEGE_ARGS  ?=
DEMO_ARGS   ?=
LOCK_ARGS   ?=
FUZZ_SECONDS ?= 10
FUZZ_API_EXAMPLES ?= 300
SEEDS       ?= 1000
FIRST       ?= 1
SIZES       ?= 4
SCHEDULE    ?= small
JOBS        ?= 1
SEED        ?= 1
SIZE        ?= 4

PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --retries 10

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup lint format test demo demo-up demo-down tutorial cluster simulate simulate-replay simulate-planted cluster-faults siege fuzz spec bench bench-client lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Notarium needs Python 3.11 or newer; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv make" >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (a minute or two, once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

setup: $(STAMP) ## create the virtual environment from the lock file

lint: $(STAMP) ## check style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the sources to the project's style
	$(BIN)/ruff check --fix --select I
	$(BIN)/ruff format

test: lint ## run all checks and the tests (PYTEST_ARGS="-k name" to choose)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

demo: $(STAMP) ## start a consortium on this machine and walk through it
	@$(BIN)/python -m notarium_node.demo run $(DEMO_ARGS)

demo-up: $(STAMP) ## start the demo consortium and leave it running
	@$(BIN)/python -m notarium_node.demo up $(DEMO_ARGS)

demo-down: $(STAMP) ## stop the demo consortium
	@$(BIN)/python -m notarium_node.demo down $(DEMO_ARGS)

tutorial: $(STAMP) ## execute docs/tutorial.md as it is printed
	@$(BIN)/python -m tests.docs.tutorial

cluster: $(STAMP) ## run the tests that start real node processes
	$(BIN)/python -m pytest -m cluster tests/cluster $(PYTEST_ARGS)

simulate: $(STAMP) ## run seeds of the simulator (SEEDS=1000 FIRST=1 SIZES=4,7 SCHEDULE=small JOBS=1)
	@$(BIN)/python -W ignore -m tests.simulation.run --seeds $(SEEDS) --first $(FIRST) --sizes $(SIZES) --schedule $(SCHEDULE) --jobs $(JOBS)

simulate-replay: $(STAMP) ## show one seed (SEED=7 SIZE=4 SCHEDULE=small)
	@$(BIN)/python -W ignore -m tests.simulation.run --replay $(SEED) --sizes $(SIZE) --schedule $(SCHEDULE)

simulate-planted: $(STAMP) ## plant known mistakes, one at a time; the simulator must find each
	@$(BIN)/python -W ignore -m tests.simulation.run_planted --jobs $(JOBS)

cluster-faults: $(STAMP) ## inject faults into real processes and networks; needs root (CLUSTER_ARGS="-k partition" to choose)
	@$(BIN)/python -m tests.cluster.faults $(CLUSTER_ARGS) $(PYTEST_ARGS)

siege: $(STAMP) ## attack real processes as strangers, members and researchers would (SIEGE_ARGS="-k streams" to choose)
	@$(BIN)/python -m tests.cluster.siege $(SIEGE_ARGS) $(PYTEST_ARGS)

fuzz: $(STAMP) ## fuzz every decoder, guided by coverage, and the API by its OpenAPI description (FUZZ_SECONDS=n for each target)
	@$(PIP) install --require-hashes -r deploy/requirements-fuzz.lock
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tests.fuzz.guided
	@NOTARIUM_API_EXAMPLES=$(FUZZ_API_EXAMPLES) $(BIN)/python -m pytest -q tests/fuzz/test_api_schema.py $(PYTEST_ARGS)

spec: $(STAMP) ## check the formal model and replay its traces on the engine (SPEC_ARGS="--samples 2000"; needs npm)
	@$(BIN)/python -m tests.spec.quint $(SPEC_ARGS)

bench: $(STAMP) ## measure this machine
	@$(BIN)/python -m tests.bench.run $(BENCH_ARGS)

bench-client: $(STAMP) ## measure what the client costs a researcher (BENCH_ARGS="--files 10000" for a first look)
	@$(BIN)/python -m tests.bench.client_costs $(BENCH_ARGS)

lock: ## rebuild requirements.lock (LOCK_ARGS=--upgrade takes the newest versions)
	@PYTHON=$(PYTHON) deploy/lock.sh $(LOCK_ARGS)

clean: ## remove the environment, the caches and the output of demo and bench
	rm -rf $(VENV) .demo .bench .spec .fuzz dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
