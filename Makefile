# What people type. `make help` lists it; README.md shows what each prints.

SHELL := bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

# python3.11 where there is one, else python3.12. Another one: make test PYTHON=python3.12
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3.11 python3.12 python3; do $$p -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
else
# The file's name, also where its folder has a space.
VENV := .venv-$(lastword $(subst /, ,$(PYTHON)))
endif

BIN := $(VENV)/bin
READY := $(VENV)/.ready
OLDEST := .venv-oldest

$(READY): LOCK := requirements.lock
$(READY): requirements.lock
$(OLDEST)/.ready: LOCK := requirements-oldest.lock
$(OLDEST)/.ready: requirements-oldest.lock
$(READY) $(OLDEST)/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "proveout needs Python 3.11 or 3.12. On Debian: apt-get install python3.11 python3.11-venv"; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' || { echo "$(PYTHON) is not Python 3.11 or 3.12"; exit 2; }
	@test -x $(@D)/bin/python || "$(PYTHON)" -m venv $(@D) || { echo "On Debian, venv is a package: apt-get install python3.11-venv"; exit 2; }
	@echo "installing $$(grep -c == $(LOCK)) locked packages into $(@D), about 90 seconds"
	@$(@D)/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r $(LOCK) \
	  | awk '/^Collecting/ { printf "\r  %d %-40s", ++n, $$2; fflush() } /^Installing collected/ { printf "\r  unpacking %-40s\n", ""; fflush() } END { print "" }'
	@$(@D)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: help
help:  ## what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(READY)  ## .venv with the locked packages

.PHONY: demo
demo: $(READY)  ## the whole line once, on real flights: under 3 minutes
	@$(BIN)/proveout demo --batch 2013-06

# The tests start Python hundreds of times: compiled once is enough, also where the environment says otherwise.
test oldest coverage: export PYTHONDONTWRITEBYTECODE :=
# Five test processes share the cores: threads of one model would wait for those of another.
test oldest coverage: export OMP_NUM_THREADS := 1
test oldest coverage: export OPENBLAS_NUM_THREADS := 1

.PHONY: test
# Many tests wait for processes: five at a time on any number of cores, each with whole files.
TESTS = -m pytest tests -n 5 --dist loadfile --no-loadscope-reorder
test: $(READY)  ## the whole test suite, a fresh candidate before all of checks/ among it
	$(BIN)/python $(TESTS)

.PHONY: oldest
# Without what takes minutes, and without the tests of this folder, which run the tools of today.
oldest: $(OLDEST)/.ready  ## the tests beside the oldest libraries that proveout works with, slow ones left out
	$(OLDEST)/bin/python $(TESTS) --ignore tests/line --ignore tests/repository \
	  -m 'not chaos and not pilots and not long and not live'

.PHONY: coverage
coverage: $(READY)  ## which lines of src/ the tests reach; fails under 90 %
	rm -f .coverage .coverage.*
	$(BIN)/coverage run $(TESTS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

.PHONY: chaos
chaos: $(READY)  ## the long fault runs, over and over; each says how often it tried, and what failed
	$(BIN)/python -m pytest tests -m chaos -s

.PHONY: pilots
pilots: $(READY)  ## adopt on every notebook of tests/pilots/; a sample of them is part of make test
	$(BIN)/python -m pytest tests/pilot/adopt/test_pilots.py tests/line/test_adopt.py -m ""

.PHONY: lint
lint: $(READY)  ## ruff, mypy strict on src/, the layout test, the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/repository/test_layout.py tests/repository/test_workflows.py

.PHONY: docs
docs: $(READY)  ## the pages of docs/ and a reference made from the code, into build/docs/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # not --quiet: strict would not see the warnings
	@echo "open build/docs/index.html"

include line.mk

.PHONY: serve
serve: $(READY)  ## the champion on 127.0.0.1:8080
	$(BIN)/python serve/app.py

.PHONY: bench
bench: $(READY)  ## the server's speed beside FastAPI, LitServe, BentoML and MLServer: about 10 minutes
	$(BIN)/python bench/serving.py

.PHONY: clean
clean:  ## remove what was generated, the ledger and its store too
	rm -rf .venv .venv-* {.,examples/*}/{.proveout,.metaflow,reports} build dist .pytest_cache .mypy_cache .ruff_cache .coverage*
