# make test    everything that continuous integration runs
# make demo    a person's first jobs, without a browser, and their lives in a table
# make lab     JupyterLab on notebooks/, with jobs kept in .demo/
# make lint    ruff, mypy, biome, tsc
# make build   wheel and sdist in dist/
# make bench   how long the common steps take on this machine, beside other tools
# make load    what the HTTP API stands: rates, readers, a large upload, wrong requests
# make screenshots   the pictures of the README and many more, from a real JupyterLab
# make bench-panel   from a print to a pixel, floods and long lists, in figures
# make chaos   ten minutes of kills, then every planted bug (CHAOS='--minutes 1')
# make proofs  each promise at length, a line for each (PROOFS='tokens --count 20')
# make clean   remove what the targets above have made
#
# Needs Python 3.11 or newer and node 20 or newer. The rest is installed into .venv
# and js/node_modules; Chromium comes from Debian where it is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := test
.PHONY: test demo lab lint build bench bench-panel load screenshots chaos proofs clean \
	chromium pytest browser-tests whole-tests part-tests chaos-tests notebooks panel-test

# As on a user's machine: without kept bytecode each worker compiles the whole package.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

PANEL := chutes_nb/static/panel.js
LABEXTENSION := chutes_nb/labextension/package.json
JS_SOURCES := $(shell find js/src js/style js/schema -type f 2>/dev/null) \
	js/esbuild.mjs js/tsconfig.json js/tsconfig.build.json js/package.json
# The panel alone needs a tenth of what JupyterLab's own packages weigh.
NODE_LIGHT := js/node_modules/.installed-light
NODE_STAMP := js/node_modules/.installed
# Not "npm --prefix js": that would pass over the machine's own npmrc.
NPM := cd js && npm

# --- what the targets stand on; each is made again only when its inputs changed ---

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo 'python -m venv failed; on Debian: apt-get install python3.11-venv' >&2; exit 1; }

# A wheel brings this file; an editable install has to be told.
EXTENSION := .venv/etc/jupyter/jupyter_server_config.d/chutes_nb.json
$(EXTENSION): jupyter-config/chutes_nb.json $(BIN)/python
	@mkdir -p $(@D)
	@cp $< $@

.venv/.installed-demo: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e '.[demo]'
	@touch $@

# Else pip writes, and takes away, through the link.
UNLINK = @rm -rf .venv/share/jupyter/labextensions/chutes-nb .venv/.linked

.venv/.installed: $(BIN)/python pyproject.toml constraints.txt $(EXTENSION)
	$(UNLINK)
	$(PIP) -e '.[lab,test]'
	@touch .venv/.installed-demo $@

NODE_INPUTS := js/package.json js/package-lock.json js/.npmrc
NEEDS_NPM = @command -v npm >/dev/null || { \
	  echo 'node 20 or newer with npm is needed' >&2; exit 1; }

$(NODE_LIGHT): $(NODE_INPUTS)
	$(NEEDS_NPM)
	$(NPM) ci --no-progress --omit=dev
	@touch $@

$(NODE_STAMP): $(NODE_INPUTS)
	$(NEEDS_NPM)
	$(NPM) ci --no-progress
	@touch $(NODE_LIGHT) $@

$(PANEL): $(NODE_LIGHT) $(JS_SOURCES)
	$(NPM) run --silent build:panel
	@touch $@

$(LABEXTENSION): $(NODE_STAMP) $(JS_SOURCES)
	$(NPM) run --silent build:lab
	@touch $@

# JupyterLab finds the extension of this folder, whatever an install has copied there.
.venv/.linked: $(LABEXTENSION) .venv/.installed
	@mkdir -p .venv/share/jupyter/labextensions
	@rm -rf .venv/share/jupyter/labextensions/chutes-nb
	@ln -s "$(CURDIR)/chutes_nb/labextension" .venv/share/jupyter/labextensions/chutes-nb
	@touch $@

chromium:
	@if [ -x /usr/bin/chromium ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium fonts-dejavu-core >/dev/null; \
	else \
	  echo 'The browser tests need Chromium. Install it with:' >&2; \
	  echo '  sudo apt-get install chromium fonts-dejavu-core' >&2; exit 1; \
	fi

# --- what a person types ---

# First what is installed and built, for the most part from afar, beside the quick looks.
# Then three at a time: most of them wait for a page, a process or a limit.
test:
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target \
	  lint panel-test .venv/.linked chromium
	@$(MAKE) --no-print-directory --jobs=3 --keep-going \
	  part-tests whole-tests browser-tests chaos-tests notebooks

lint: .venv/.installed $(NODE_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/mypy --strict --platform darwin --cache-dir .mypy_cache/darwin
	$(NPM) run --silent lint
	$(NPM) run --silent typecheck

panel-test: $(NODE_STAMP)
	$(NPM) run --silent test

TESTED := .venv/.installed .venv/.linked $(PANEL) chromium

# PYTEST='tests/test_store.py -k wal' for a part.
pytest: $(TESTED)
	$(BIN)/python -m pytest $(PYTEST)

# Kept aside while another prints, and told when they are through.
ASIDE = @mkdir -p tests/out; $(BIN)/python -m pytest -p no:cacheprovider $(1) \
	>tests/out/$@.log 2>&1 && passed=true || passed=false; cat tests/out/$@.log; $$passed

browser-tests: $(TESTED)
	$(call ASIDE,tests/ui)

# Real kernels, servers and terminals.
OTHERS := tests/chaos/ tests/client/
whole-tests: $(TESTED)
	$(call ASIDE,$(filter-out tests/ui/ $(OTHERS),$(sort $(dir \
	  $(wildcard tests/*/test_*.py)))))

# The three longest take about as long; what is short comes behind the first that ends.
part-tests: $(TESTED)
	$(BIN)/python -m pytest $(wildcard tests/test_*.py)

chaos-tests: $(TESTED)
	$(call ASIDE,$(OTHERS))

# Runs each notebook with a real kernel and compares what it shows; in a home of its own.
notebooks: .venv/.installed $(PANEL)
	@home=$$(mktemp -d); trap 'rm -rf "$$home"' EXIT; \
	CHUTES_NB_HOME="$$home" $(BIN)/python -m pytest --nbval --nbval-cell-timeout=120 \
	  -p no:cacheprovider -o testpaths= notebooks

demo: .venv/.installed-demo $(PANEL)
	$(BIN)/python notebooks/run_demo.py

lab: .venv/.installed .venv/.linked $(PANEL)
	CHUTES_NB_HOME="$(CURDIR)/.demo/home" $(BIN)/jupyter lab notebooks/01_first_job.ipynb

build: .venv/.installed $(PANEL) $(LABEXTENSION)
	$(BIN)/python -m build --outdir dist .

.venv/.installed-bench: .venv/.installed
	$(UNLINK)
	$(PIP) -e '.[lab,bench]'
	@touch $@

bench: .venv/.installed-bench $(PANEL)
	$(BIN)/python -m tests.benchmarks

bench-panel: .venv/.installed .venv/.linked $(PANEL) chromium
	cd tests && PYTHONPATH=. ../$(BIN)/python -m ui.measure

load: .venv/.installed
	@command -v wrk >/dev/null || { \
	  echo 'wrk is needed; on Debian: apt-get install wrk' >&2; exit 1; }
	cd tests && PYTHONPATH=. ../$(BIN)/python -m load $(LOAD)

screenshots: .venv/.installed .venv/.linked $(PANEL) chromium
	cd tests && PYTHONPATH=. ../$(BIN)/python -m ui.screenshots
	cd tests && PYTHONPATH=. ../$(BIN)/python -m ui.form_pictures
	cd tests && PYTHONPATH=. ../$(BIN)/python -m ui.corners

chaos: .venv/.installed $(PANEL)
	$(BIN)/python -m tests.chaos $(CHAOS)

proofs: .venv/.installed $(PANEL)
	$(BIN)/python -m tests.proofs $(PROOFS)

clean:
	rm -rf .venv .demo .mypy_cache .pytest_cache .ruff_cache dist build tests/out
	rm -rf js/node_modules js/lib chutes_nb/static chutes_nb/labextension
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
