# Set-up, checks and the demonstration. `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The interpreters that payinfra allows, the preferred one first.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14 python3

# Where every process of a measured run, whatever its folder, leaves what it covered.
export COVERAGE_FILE := $(CURDIR)/.coverage

# Where the end-to-end tests leave the requests that Terraform and payinfra made.
RECORDS := $(CURDIR)/.conformance

# Files of tests side by side, in their order: each keeps its own fixtures. Those that take long come first.
IN_ORDER := --dist loadfile --no-loadscope-reorder
SIDE_BY_SIDE := -n 2 $(IN_ORDER)
# A third one works while the provider of the other two waits. Drills measure: beside more they would measure those.
END_TO_END := -n 3 $(IN_ORDER) tests/e2e --ignore=tests/e2e/drill
DRILLS := $(SIDE_BY_SIDE) tests/e2e/drill
# docs/performance.md says why the slowest ones are slow.
SLOWEST := --durations=20 --durations-min=1

# The first whose model of S3 has IfNoneMatch in PutObject: what the function writes its audit objects with.
OLDEST_BOTO3 := 1.35.2
OLDEST := $(CURDIR)/.oldest-boto3

# How many blows of each kind `make chaos` strikes in all, those of earlier runs included.
TRUNCATIONS := 200
RACES := 56
SLEEPS := 12
CLOCKS := 12
KILLS := 100

# Bytecode that is kept makes every start of the tool several times faster.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test quick fix lint types imports unit synth functional e2e e2e-ci e2e-pages fault-matrix drill docs docs-check site \
	tests conformance oldest compat lock bench chaos endurance sbom audit clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s $$'\t'

setup: $(VENV)/installed ## Make the virtual environment and install everything that is locked

$(VENV)/installed: pyproject.toml requirements.lock scripts/setup.sh
	@PYTHONS="$(PYTHONS)" bash scripts/setup.sh $(VENV) develop
	@touch $@ $(VENV)/usable

# A third of that: what running payinfra takes.
$(VENV)/usable: pyproject.toml requirements-use.lock scripts/setup.sh
	@PYTHONS="$(PYTHONS)" bash scripts/setup.sh $(VENV) use
	@touch $@

# The bytecode of all the bindings: only who loads them eagerly, as some tests do, has a use for it.
$(VENV)/compiled: $(VENV)/installed
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

demo: $(VENV)/usable ## Deploy two regions on the embedded AWS, and send a payment through each
	@$(BIN)/payinfra deploy --env demo --local --yes

ifdef T
test: setup
	@$(BIN)/pytest $(T)
else
test: setup ## Everything that CI runs; with T=FILE, the tests of that file only
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types imports docs-check $(VENV)/compiled
	@$(MAKE) --no-print-directory tests
endif

quick: setup ## Lint, types, imports, and the unit and synth tests that a change can reach; with ALL=1, all of these
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint types imports
	@$(BIN)/python -m scripts.quick $(if $(ALL),--all)

fix: setup ## Format the code, fix what ruff can fix, and write the generated pages again
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/python -m scripts.docs
	@$(BIN)/ruff check .

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy
	@$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

imports: setup
	@$(BIN)/lint-imports

tests: setup $(VENV)/compiled ## All tests, with coverage of every line and branch
	@rm -rf .coverage .coverage.* $(RECORDS) && mkdir -p $(RECORDS)
	@$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE) $(SLOWEST) tests/synth tests/functional tests/unit
	@PAYINFRA_LOCAL_RECORD=$(RECORDS) $(BIN)/coverage run -m pytest $(SLOWEST) $(END_TO_END)
	@PAYINFRA_LOCAL_RECORD=$(RECORDS) $(BIN)/coverage run -m pytest $(SLOWEST) $(DRILLS)
	@$(BIN)/python -m scripts.conformance $(RECORDS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

conformance: setup ## Hold the requests that the last end-to-end tests made, and five stacks, against AWS's models and CI's role
	@$(BIN)/python -m scripts.conformance $(RECORDS)

unit synth functional: setup $(VENV)/compiled ## One tier of the tests
	@$(BIN)/pytest $(SIDE_BY_SIDE) tests/$@

e2e: setup ## The tests that deploy: each worker makes a deployment that its tests share
	@rm -rf $(RECORDS) && mkdir -p $(RECORDS)
	@PAYINFRA_LOCAL_RECORD=$(RECORDS) $(BIN)/pytest $(END_TO_END)
	@PAYINFRA_LOCAL_RECORD=$(RECORDS) $(BIN)/pytest $(DRILLS)

fault-matrix: setup ## Measure every fault of docs/scenarios.md on a deployment, and kill evacuation drills; about 15 minutes
	@FAULT_MATRIX=1 $(BIN)/pytest -n 0 tests/e2e/evacuation/test_fault_matrix.py tests/e2e/drill/test_kills.py -k "expected or evacuated"
	@$(BIN)/python -m scripts.docs

e2e-ci: setup ## A pull request's life under the role that CI has, from bootstrap to reap
	@$(BIN)/pytest tests/e2e_ci

e2e-pages: setup ## The lines of shell in the pages that need a deployment, typed on one
	@$(BIN)/pytest tests/e2e_pages

drill: setup ## Lose a region of the demonstration in real time, about six minutes, and keep the report in docs/
	@$(BIN)/payinfra deploy --env demo --local --yes
	@$(BIN)/payinfra failover-drill --env demo --local --yes --scenario region-outage \
		--report docs/sample-drill.md --report docs/assets/sample-drill.html \
		--report docs/assets/sample-drill.json

site: setup ## Build the documentation into site/
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs site

docs: setup ## Write the generated pages again
	@$(BIN)/python -m scripts.docs

docs-check: setup
	@$(BIN)/python -m scripts.docs --check

bench: setup $(VENV)/compiled ## Measure, and print ratios
	@failed=0; for name in synth checks payments drill growth deploy; do \
		echo "== $$name"; $(BIN)/python -m bench.$$name || failed=1; \
	done; exit $$failed

endurance: setup ## An hour at 50 requests a second: the embedded AWS's memory, descriptors and files stay as they are
	@$(BIN)/python -m bench.endurance $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE))

chaos: setup ## Strike an environment at random, seeded; goes on where the last run stopped
	@failed=0; $(BIN)/python -m scripts.chaos --page --truncations $(TRUNCATIONS) --races $(RACES) \
		--sleeps $(SLEEPS) --clocks $(CLOCKS) --kills $(KILLS) $(if $(MINUTES),--minutes $(MINUTES)) || failed=1; \
	$(BIN)/python -m scripts.docs; exit $$failed

oldest: setup ## The function's own tests with the oldest boto3 that it supports
	@rm -rf $(OLDEST) && $(BIN)/python -m pip install -q --disable-pip-version-check --target $(OLDEST) \
		boto3==$(OLDEST_BOTO3) botocore==$(OLDEST_BOTO3) 2>/dev/null
	@export PYTHONPATH=$(OLDEST); $(BIN)/python -c 'import boto3, botocore; \
		assert {boto3.__version__, botocore.__version__} == {"$(OLDEST_BOTO3)"}'; \
		$(BIN)/python -m pytest -q -n 0 tests/unit/payments

compat: setup ## Synthesize with the newest bindings of the AWS provider, and compare
	@$(BIN)/python -m scripts.compat

sbom: setup ## Write what payinfra is made of, with licences, as CycloneDX JSON: dist/payinfra.cdx.json
	@$(BIN)/python -m scripts.sbom dist/payinfra.cdx.json

audit: setup ## Look for known vulnerabilities of the locked dependencies
	@$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip

lock: setup ## Resolve the dependencies anew
	@bash scripts/lock.sh $(BIN)

clean: ## Stop the embedded AWS and remove what was built; environments' state stays
	@if [ -x $(BIN)/payinfra ]; then $(BIN)/payinfra local down; fi
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* $(OLDEST) dist
