# The two commands: `make demo` (see it work) and `make test` (all checks). Every target sets up what it needs first.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash
CHECKS := $(BIN)/python tools/checks.py

.PHONY: help demo test test-fast lint unit machines one-writer simulate chaos noticed bench lab-deploy images prepare schema clean

help: ## this list
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## /{printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The two commands
demo: prepare ## deploy, crash, heal, upgrade and roll back a real service on this machine; report in build/demo
	$(if $(filter-out influxdb,$(SERVICE)),$(error the demo plays influxdb, not $(SERVICE): make lab-deploy SERVICE=$(SERVICE) deploys that one to the lab))
	@$(BIN)/python -m lab.demo

test: prepare ## every check, two at a time; logs in build/checks
	@$(CHECKS) style fast simulation machines

##@ Parts of the checks
test-fast: prepare ## everything without machines: style, types, import rules, tests, a short simulation
	@$(CHECKS) style fast simulation

lint: prepare ## style, types, import rules
	@$(CHECKS) style

unit: prepare ## tests without machines: unit, stacks, contract, process, property
	@$(CHECKS) fast

machines: prepare ## tests with real machines, two files at a time, each file in a namespace of its own
	@$(CHECKS) machines

one-writer: images ## real machines under fixed faults and a few random ones: never a second writer (8 min)
	@$(BIN)/python -m lab.hardware.namespace -- $(BIN)/python -m pytest tests/lab/test_one_writer.py -q

##@ Longer searches and measurements
simulate: RUNS ?= 100000
simulate: SEED ?=
simulate: DEFECT ?=
simulate: prepare ## RUNS schedules of the lease's own loops in a simulated world, from SEED on (drawn if not given); RUNS=1 tells one
	@$(BIN)/python -m lab.simulation --runs $(RUNS) $(if $(SEED),--seed $(SEED)) $(if $(DEFECT),--defect $(DEFECT))

chaos: RUNS ?= 3
chaos: SEED ?= 1
chaos: SCHEDULE ?=
chaos: prepare ## RUNS random schedules of faults on real machines from SEED on (or that of SCHEDULE=FILE): ever a second writer?
	@$(BIN)/python -m lab.chaos $(if $(SCHEDULE),--schedule $(SCHEDULE),--runs $(RUNS) --seed $(SEED))

noticed: prepare ## break a serving machine in each way: who notices, after how long; report in build/noticed
	@$(BIN)/python -m lab.noticed

bench: RUNS ?= 3
bench: prepare ## measure recovery over RUNS demo runs; writes bench/results/recovery.json
	@$(BIN)/python -m bench.recovery --runs $(RUNS)

lab-deploy: SERVICE ?= influxdb
lab-deploy: prepare ## deploy SERVICE's template to the lab's AWS twice (no machines): what is made, and then "no changes"
	@$(BIN)/python -m lab.redeployment --service $(SERVICE)

##@ Building
prepare: ## check this machine and install what is needed (the other targets do it by themselves)
	@$(PYTHON) tools/prepare.py

images: prepare ## build (or find in the cache) the lab's machine images
	@$(BIN)/python -m lab.image build

schema: prepare ## write services/schema.json and docs/service-file.md from services/spec.py
	$(BIN)/python -m services schema
	$(BIN)/python -m tools.reference

clean: ## remove everything that was built, images included
	rm -rf build cdk.out .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
