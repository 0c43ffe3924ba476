# `make demo` and `make test` set everything up by themselves; `make` lists what else there is.

PYTHON ?= python3
VENV := .venv
# One more than the two cores of a small machine: some tests wait, for a process, a disk or a page. Each worker loads all.
WORKERS ?= 3
BIN := $(VENV)/bin
# Without compiled bytecode a start takes two to three times as long, and some shells switch it off.
INSTALL := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --compile

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.runtime ## one complete payment against a local sandbox: no key, no money
	@$(BIN)/blikk-mcp demo

PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Schemathesis is slow to load, and its tests are slow ones.
EVERYDAY := $(PYTEST) -m 'not slow and not interop' -p no:schemathesis --hypothesis-profile=everyday

test: $(VENV)/.dev ## the everyday tests, in under two minutes
	$(EVERYDAY)

test-all: slow eval ## the rest: every crash point, browsers, other makers' clients, agents

slow: $(VENV)/.dev
	$(PYTEST) -m '(slow or hypothesis) and not interop'

interop: $(VENV)/.dev ## real clients, the large ones too (a gigabyte from npm); writes docs/clients.md
	BLIKK_CLIENTS_PAGE=docs/clients.md CI=true $(BIN)/python -m pytest tests/interop

fleet: $(VENV)/.dev ## 500 agents on three servers and one PostgreSQL ledger for a minute: nothing lost, nothing paid twice
	$(BIN)/python -m tests.fleet.load --agents 500 --seconds 60

examples: $(VENV)/.dev ## the agent examples, each in an environment of its own and with its framework's test model
	$(BIN)/python -m pytest -m slow tests/examples

windows: $(VENV)/.dev ## the server, its commands and a crash with the Windows build of Python, under Wine; `make test-all` runs it too
	$(BIN)/python -m pytest tests/windows

portable: $(VENV)/.dev ## the tests that need nothing of a Linux, for macOS
	$(BIN)/python -m pytest @tests/portable.txt

# What a newer Python would break first: the payments and tools, and the server as a process.
QUICK := tests/payments tests/tools tests/server/tasks tests/server/test_main_job.py tests/server/test_stdio.py \
	tests/server/test_stdio_lines.py tests/server/test_front_door.py tests/server/test_settings.py tests/server/test_asking.py \
	tests/server/test_serving.py tests/server/test_commands.py

quick: $(VENV)/.dev ## a short suite, for a newer Python
	$(EVERYDAY) $(QUICK)

check: lint types contracts workflows generated audit ## all that CI runs after the tests

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## pyright, strict; the product as Windows and macOS see it, too
	$(BIN)/pyright --pythonplatform Linux
	$(BIN)/pyright --pythonplatform Windows server tools
	$(BIN)/pyright --pythonplatform Darwin server tools

contracts: $(VENV)/.dev ## imports run one way
	$(BIN)/lint-imports

workflows: $(VENV)/.dev ## what the forge reads is of the shape that it wants
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

generated: $(VENV)/.dev ## the README's tables and picture, the packages and the front door's answers are those of the code
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/picture.py --check

audit: $(VENV)/.dev ## known vulnerabilities of what the lock installs, where the network lets it
	$(BIN)/python docs/audit.py

docs: $(VENV)/.dev picture ## write the generated parts of the README, the packages, the front door's answers and the surface's snapshots
	$(BIN)/python docs/generate.py
	UPDATE_SNAPSHOTS=1 $(BIN)/python -m pytest -q tests/server/test_snapshots.py tests/server/test_clients.py tests/server/test_command_surface.py tests/server/test_config_command.py tests/sandbox/test_whole_answers.py tests/tools/test_whole_results.py 'tests/server/test_commands.py::test_the_demo_pays_once_and_says_what_happens[blikk_mcp0]'

picture: $(VENV)/.runtime ## draw docs/demo.svg, the README's picture of the demo
	$(BIN)/python docs/picture.py

bundle: $(VENV)/.dev ## the bundle for Claude Desktop, dist/blikk-mcp-VERSION.mcpb, checked and packed by its format's program
	cd packaging/bundle && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error
	$(BIN)/python packaging/make_bundle.py

surface-diff: $(VENV)/.dev ## what clients and models see differently since the last release, for the changelog
	@$(BIN)/python packaging/surface_diff.py

release-check: $(VENV)/.dev ## all that has to be so before a release; leaves wheel, sdist, licences and SBOM in dist/
	$(BIN)/python packaging/release_check.py

bench: $(VENV)/.dev ## what docs/measurements.md says, measured
	broken=0; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || broken=1; done; exit $$broken

mutation: $(VENV)/.dev ## change redaction, links, policy and cleaner, and see whether their tests notice (minutes)
	$(INSTALL) 'mutmut>=3.8,<4'
	$(BIN)/python tests/mutation/run.py $(MODULES)

EVALS := .venv-evals
EVALS_INSTALL := env -u PYTHONDONTWRITEBYTECODE $(EVALS)/bin/python -m pip install --quiet --disable-pip-version-check --compile
# Inspect keeps traces in the user's folders; here all goes into evals/report.
EVALS_RUN := env -u PYTHONDONTWRITEBYTECODE XDG_DATA_HOME=$(CURDIR)/evals/report XDG_CACHE_HOME=$(CURDIR)/evals/report \
	BLIKK_EVALS_COMMAND=$(CURDIR)/$(BIN)/blikk-mcp $(CURDIR)/$(EVALS)/bin/python -m

eval: $(VENV)/.runtime $(EVALS)/.installed ## agents and scenarios on the bank's own record; MODEL=anthropic/… for a real model
ifdef MODEL
	cd evals && $(EVALS_RUN) blikk_evals.run --model $(MODEL) --epochs $(or $(EPOCHS),3) $(if $(NAMES),--names $(NAMES))
else
	cd evals && $(CURDIR)/$(EVALS)/bin/pyright
	cd evals && $(EVALS_RUN) pytest -q
	cd evals && $(EVALS_RUN) blikk_evals.run $(if $(ALL),--all) $(if $(WRITE),--write) $(if $(NAMES),--names $(NAMES))
	cd evals && $(EVALS_RUN) blikk_evals.skill
endif

eval-skill: $(EVALS)/.installed $(VENV)/.runtime ## the plugin's skill: two bills with it and without it; MODEL=anthropic/… for a real model
	cd evals && $(EVALS_RUN) blikk_evals.skill $(if $(MODEL),--model $(MODEL) --epochs $(or $(EPOCHS),3))

$(EVALS)/.installed: evals/requirements.lock evals/pyproject.toml
	$(PYTHON) -m venv $(EVALS)
	$(EVALS_INSTALL) --require-hashes -r evals/requirements.lock
	$(EVALS_INSTALL) --no-deps --no-build-isolation --editable evals
	@touch $@

lock: $(VENV)/.dev ## pin the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --upgrade --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --upgrade --group build --group dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --group build --extra postgres --constraint requirements.lock pyproject.toml -o packaging/docker/requirements.lock
	for wanted in agent_examples/requirements-*.in; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade $$wanted -o $${wanted%.in}.lock; done
	cd evals && $(CURDIR)/$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --upgrade --group build --group dev pyproject.toml -o requirements.lock

clean: ## remove what make made
	rm -rf $(VENV) .windows $(VENV)-examples-* .venv-evals agent_examples/node_modules dist .pytest_cache .ruff_cache .hypothesis tests/interop/node_modules \
		tests/interop/codex/node_modules tests/card/node_modules packaging/bundle/node_modules

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q server tools
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@# pytest compiles tests in its own way: once here, not again in every worker.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --collect-only -qq tests >/dev/null
	@touch $@

.PHONY: help demo test test-all slow interop fleet examples windows portable quick check lint types contracts workflows generated audit docs picture bundle surface-diff release-check bench mutation eval eval-skill lock clean
