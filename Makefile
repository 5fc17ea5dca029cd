# Everything starts here: `make help`. Needs Python 3.11 or newer and make; the rest comes with `make setup`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PORT ?= 8080
BROKER ?=
ARGS ?=
TESTS ?= tests
# As many as there are cores; WORKERS=3 is quicker on two cores that nobody else uses.
WORKERS ?= auto
# `make run` keeps its data beside the code, so that two checkouts do not meet.
CONNECT_DATA_DIR ?= .connect
export CONNECT_DATA_DIR

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.dev-ready
BENCH_READY := $(VENV)/.bench-ready
DOCS_READY := $(VENV)/.docs-ready
TRYTON_READY := build/peers/tryton/venv/.ready
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-annotate pyproject.toml
CODE := services shared deploy tests benchmarks

.PHONY: help
help: ## Show what there is
	@printf 'Connect. Start with: make run\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS='|' read -r name what; do printf '%-20s %s\n' "$$name" "$$what"; done
	@printf '\nFor example: make run PORT=8081, make run BROKER=rabbitmq, make test TESTS=tests/unit\n'

.PHONY: run
run: $(READY) ## Start everything on this machine with demo data (PORT=8080, BROKER=rabbitmq, ARGS=…, CONNECT_…)
	@exec $(BIN)/python -m services.cli.start up --demo --port $(PORT) $(if $(BROKER),--broker $(BROKER)) $(ARGS)

.PHONY: setup
setup: $(READY) ## Make .venv with all that running needs, and the command .venv/bin/connect

$(READY): requirements/runtime.txt requirements/build.txt pyproject.toml scripts/make-venv
	@scripts/make-venv $(VENV)
	@echo 'Installing what Connect needs (once, about a minute)' >&2
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-build-isolation --no-deps --no-index --editable .
	@touch $@

.PHONY: setup-dev
setup-dev: $(DEV_READY) ## The same, and all that testing and checking need

$(DEV_READY): requirements/dev.txt $(READY)
	@echo 'Installing the tools for tests and checks (once, about a minute)' >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt -r requirements/build.txt
	@touch $@

$(BENCH_READY): requirements/bench.txt $(READY)
	@echo 'Installing the peers that Connect is compared with (once)' >&2
	@$(PIP) install --require-hashes -r requirements/bench.txt -r requirements/build.txt
	@touch $@

.PHONY: test
test: $(DEV_READY) $(DOCS_READY) ## All tests, on private servers that they start themselves (TESTS=tests/unit for a part)
	@$(BIN)/python -m tests.support.bring
	@$(BIN)/python -m pytest -n $(WORKERS) -m 'not faults_full and not peers' $(TESTS) $(ARGS)

.PHONY: test-peers
test-peers: $(DEV_READY) $(TRYTON_READY) ## Against real systems that are started here: installs them into build/peers (not in CI)
	@$(BIN)/python -m tests.support.bring
	@$(BIN)/python -m pytest -n 0 -m peers tests/peers $(ARGS)

# Systems that the tests start live in environments of their own: what they need may contradict what Connect needs.
$(TRYTON_READY): requirements/peers-tryton.txt scripts/make-venv
	@scripts/make-venv build/peers/tryton/venv
	@echo 'Installing Tryton (once, about a minute)' >&2
	@build/peers/tryton/venv/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes \
		-r requirements/peers-tryton.txt
	@touch $@

.PHONY: test-fast
test-fast: $(DEV_READY) ## The tests that need no server, in seconds
	@$(BIN)/python -m pytest -n $(WORKERS) -q -m 'not servers and not web and not faults and not faults_full and not peers' tests $(ARGS)

.PHONY: check
check: $(DEV_READY) ## Style, types, house rules, generated and deployment files, weak patterns, known weaknesses (where a network is)
	@scripts/check $(CODE)

.PHONY: fmt
fmt: $(DEV_READY) ## Put the code in its form
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

.PHONY: generate
generate: $(DEV_READY) ## Write again what is made from the code (schemas, AsyncAPI, states, reference, Kubernetes' copy of the rules)
	@$(BIN)/python -m services.cli.generated
	@$(BIN)/python -m services.journal.reference
	@$(BIN)/python scripts/manifests.py --write

.PHONY: dashboards
dashboards: $(DEV_READY) ## Write Grafana's dashboards again from deploy/grafana/builder (ARGS="--runbooks URL --into DIR")
	@$(BIN)/python -m deploy.grafana.builder $(ARGS)

.PHONY: lock
lock: $(DEV_READY) ## Pin the newest versions that pyproject.toml allows (UPGRADE=1), or only what changed in it
	@$(COMPILE) $(if $(UPGRADE),--upgrade) -o requirements/runtime.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra archive --constraint requirements/runtime.txt -o requirements/archive.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra bench --constraint requirements/runtime.txt -o requirements/bench.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev --extra archive --constraint requirements/bench.txt -o requirements/dev.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --extra docs --constraint requirements/dev.txt -o requirements/docs.txt
	@$(COMPILE:pyproject.toml=) $(if $(UPGRADE),--upgrade) --group build --constraint requirements/dev.txt \
		-o requirements/build.txt
	@$(COMPILE:pyproject.toml=) $(if $(UPGRADE),--upgrade) requirements/peers-tryton.in -o requirements/peers-tryton.txt

.PHONY: release
release: $(DEV_READY) ## Build wheel, source, list of parts (SBOM) and checksums into dist
	@scripts/release

.PHONY: pythons
pythons: $(DEV_READY) ## The fast tests under each Python from 3.11 on that is found here (PYTHONS="3.12 3.13", ARGS=…)
	@scripts/pythons $(ARGS)

.PHONY: audit
audit: $(DEV_READY) ## Ask whether a dependency has a known weakness (needs the network)
	@$(BIN)/python scripts/audit.py --must

$(DOCS_READY): requirements/docs.txt $(READY)
	@echo 'Installing what builds the site of the documents (once)' >&2
	@$(PIP) install --require-hashes -r requirements/docs.txt -r requirements/build.txt
	@touch $@

.PHONY: docs
docs: $(DOCS_READY) ## The documents as a site in build/site; a dead link or a page that nobody finds is a failure
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'Open build/site/index.html'

.PHONY: docs-serve
docs-serve: $(DOCS_READY) ## The same at http://127.0.0.1:8000, anew with each change
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve $(ARGS)

.PHONY: screenshots
screenshots: $(DEV_READY) ## A picture of every page into build/screenshots: languages, themes, desktop, phone (ARGS=--help)
	@$(BIN)/python -m tests.support.pictures $(ARGS)

.PHONY: guide-pictures
guide-pictures: $(DEV_READY) ## The pictures of docs/de/kurzanleitung.md again, after the pages have changed
	@$(BIN)/python -m tests.support.guide_pictures $(ARGS)

.PHONY: bench
bench: $(BENCH_READY) ## Measure Connect and its peers side by side, in less than 20 minutes
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-quick
bench-quick: $(BENCH_READY) ## The same in less than 3 minutes, with figures that say less
	@$(BIN)/python -m benchmarks --size quick $(ARGS)

.PHONY: bench-full
bench-full: $(BENCH_READY) ## What needs longer: a million events through one worker, ten million stored orders
	@$(BIN)/python -m benchmarks --size full $(ARGS)

.PHONY: faults
faults: $(DEV_READY) ## Kill, freeze and cut, for a long time, and check that nothing is lost or done twice (ARGS=--help)
	@$(BIN)/python -m tests.support.bring
	@$(BIN)/python -m tests.faults $(ARGS)

.PHONY: faults-quick
faults-quick: $(DEV_READY) ## The short share of them: each kind of fault once, in less than ten minutes
	@$(BIN)/python -m tests.support.bring
	@$(BIN)/python -m pytest -n 3 -m 'faults and not faults_full' tests/faults $(ARGS)
	@$(BIN)/python -m tests.faults --quick --only 'cluster/*' --ledger build/faults-quick.jsonl

.PHONY: clean
clean: ## Remove what was made here: .venv, caches. Data in .connect stays
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
