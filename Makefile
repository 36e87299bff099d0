# Everything a reader or a contributor runs. `make` alone explains itself.

PROFILE ?= quick
JOBS ?= 2
INSTALLER ?= auto
ARGS ?=

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
PYTHON ?= $(shell command -v python3 || command -v python || echo python3)
PYTEST := $(BIN)/python -m pytest
FAST := not slow and not browser and not notebook

.DEFAULT_GOAL := help
.PHONY: help setup book test check lab bench lock results clean

help:                ## this list
	@echo "The rPPG workbook. Every target makes or updates .venv by itself."
	@echo
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r target text; do printf '%-16s %s\n' "$$target" "$$text"; done
	@echo
	@echo "  PYTHON=python3.13   the Python to make .venv with     INSTALLER=pip    though there is a uv"
	@echo "  PROFILE=full        for make book                     ARGS='-k pos'    for test, check, lab, lock"

setup:
	@command -v "$(PYTHON)" >/dev/null || { echo "setup: cannot go on: there is no $(PYTHON); Python 3.11 or later is needed."; \
	  echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv"; \
	  echo "  elsewhere:       https://www.python.org/downloads/"; exit 1; }
	@"$(PYTHON)" tools/setup_env.py --installer $(INSTALLER)

book: setup          ## run the notebooks (PROFILE=quick) and build the book: build/book/index.html
	$(BIN)/rppg run --profile $(PROFILE)
	$(BIN)/python book/build.py

# One thread per process: two test processes with two threads each are slower than one, on two cores.
test check: export OMP_NUM_THREADS = 1
test check: export MPLBACKEND = Agg

test: setup          ## all tests, the browser's and the notebooks' too (several minutes)
	$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup         ## lint, doctests and the fast tests (a minute or two): before every commit
	$(BIN)/ruff check .
	$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "$(FAST)" $(ARGS)

# From the root of the project, so that links from the notebooks to the book's pages have an end. Our page_config.json
# switches off the question about news. Only in containers are people root, and there Jupyter wants to be told.
lab: export JUPYTER_CONFIG_PATH = $(CURDIR)/tools/jupyter
lab: setup           ## open the notebooks in JupyterLab (ARGS=--no-browser: only its address)
	$(BIN)/jupyter-lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks \
	  $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root) $(ARGS)

bench: setup         ## run every benchmark in bench/
	@for file in bench/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

lock: setup          ## write requirements/lock.txt anew (ARGS=--upgrade: the newest versions)
	$(BIN)/python tools/lock.py $(ARGS)

results: setup       ## copy the numbers of the last run into results/ and the README
	@test -d build/results || { echo "results: nothing in build/results. Run 'make book' first."; exit 1; }
	mkdir -p results
	find build/results -maxdepth 1 \( -name '*.quick.*' -o -name '*.full.*' -o -name '*.paper.*' \) -exec cp {} results/ \;
	$(BIN)/python tools/readme.py

clean:               ## remove what was built; .venv stays
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
