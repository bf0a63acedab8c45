# The two commands: `make demo` (see it work) and `make test` (all checks). Both set up what they need first.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: help demo test prepare lint unit lab one-writer lab-deploy images simulate bench chaos schema clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

prepare: ## check this machine and install what is needed (the other targets do it by themselves)
	@$(PYTHON) tools/prepare.py

demo: prepare ## deploy, crash, heal, upgrade and roll back a real service on this machine; report in build/demo
	@$(BIN)/python -m lab.demo

test: lint unit lab ## every check that this machine can run

lint: prepare ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: prepare ## tests without machines: unit, stacks, contract, process, property
	$(BIN)/python -m pytest tests/unit tests/stacks tests/contract tests/process tests/property -q \
	  --numprocesses=auto --maxprocesses=4 --dist=loadfile

images: prepare ## build (or find in the cache) the lab's machine images
	@$(BIN)/python -m lab.image build

lab: images ## tests with real machines, each file in a namespace of its own
	@for file in tests/lab/test_*.py; do \
	  $(BIN)/python -m lab.hardware.namespace -- $(BIN)/python -m pytest $$file -q || exit 1; \
	done

one-writer: images ## real machines under fixed faults and a few random ones: never a second writer (8 min)
	@$(BIN)/python -m lab.hardware.namespace -- $(BIN)/python -m pytest tests/lab/test_one_writer.py -q

SERVICE ?= influxdb
lab-deploy: prepare ## deploy SERVICE's template to the lab's AWS twice (no machines): what is made, and then "no changes"
	@$(BIN)/python -m lab.redeployment --service $(SERVICE)

DEFECT ?=
simulate: RUNS ?= 100000
simulate: SEED ?= 0
simulate: prepare ## the lease's real rules in a simulated world, RUNS=100000 schedules from SEED=0; RUNS=1 tells one
	@$(BIN)/python -m lab.simulation --runs $(RUNS) --seed $(SEED) $(if $(DEFECT),--defect $(DEFECT))

bench: RUNS ?= 3
bench: prepare ## measure recovery over RUNS demo runs; writes bench/results/recovery.json
	@$(BIN)/python -m bench.recovery --runs $(RUNS)

chaos: RUNS ?= 3
chaos: SEED ?= 1
chaos: SCHEDULE ?=
chaos: prepare ## RUNS random schedules of faults from SEED on (or that of SCHEDULE=FILE): is there ever a second writer?
	@$(BIN)/python -m lab.chaos $(if $(SCHEDULE),--schedule $(SCHEDULE),--runs $(RUNS) --seed $(SEED))

schema: prepare ## write services/schema.json from services/spec.py
	$(BIN)/python -m services schema

clean: ## remove everything that was built, images included
	rm -rf build cdk.out .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
