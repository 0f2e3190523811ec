# Antiphon: `make stage` plays, `make test` tests; each sets up all it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STAGE_PACKAGES := libportaudio2
ALL_PACKAGES := $(STAGE_PACKAGES) jackd2 fluidsynth fluid-soundfont-gm sonic-pi-server \
	sonic-pi-samples supercollider-server sc3-plugins-server ruby bubblewrap faketime

.PHONY: help setup stage test test-commands test-parts test-slow check bench clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

setup: $(STAMP) ## Virtual environment, packages, and system packages where allowed
	@sh launch/system_packages.sh $(ALL_PACKAGES)

stage: $(STAMP) ## Play the rehearsal: a replayed guide in, the accompaniment out
	@sh launch/system_packages.sh $(STAGE_PACKAGES)
	$(BIN)/python -m launch.stage

test: setup ## Run the tests but the slow ones: two halves side by side, then the stage alone
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-commands test-parts
	$(BIN)/python -m pytest -m "not slow" tests/test_survival.py

test-commands: # commands and whole runs at fast pace
	$(BIN)/python -m pytest -m "not slow" tests/launch $(filter-out tests/test_survival.py,$(wildcard tests/test_*.py))

test-parts: # everything else
	$(BIN)/python -m pytest -m "not slow" tests/actors tests/agents tests/corpus tests/models

test-slow: setup ## Run the slow tests: hostile programs, the real Sonic Pi server, ranking on stage
	$(BIN)/python -m pytest -m slow

check: $(STAMP) ## Format, lint, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Measure; prints tables, takes hours (evolution goes on where it was stopped)
	for file in tests/benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove the environment, caches and runs
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info runs
