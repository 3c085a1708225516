# make demo   install, train the lecture's networks, judge them       make test   lint, type check, tests
#             make test TESTS=tests/fast: those that start no process and train nothing, in a minute
# make docs   measure, draw and fill in what the pages show, and run their slow commands: half an hour
# Both make .venv if it is not there. TORCH_INDEX=URL takes torch from another index, PYTHON= another Python (3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin
TESTS := tests
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test docs clean

demo: .venv/installed
	$(BIN)/etude reproduce lecture

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist worksteal $(TESTS)

.venv/torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); Etude needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
ifdef TORCH_INDEX
	$(BIN)/pip install --quiet --index-url $(TORCH_INDEX) $(TORCH)
else
	@echo "Installing $(TORCH) by your pip settings. On Linux, most package indexes serve the CUDA build of several gigabytes;"
	@echo "for the CPU build (about 200 MB) stop with Ctrl-C and: make $(MAKECMDGOALS) TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	$(BIN)/pip install --quiet $(TORCH)
endif
	@touch $@

.venv/installed: .venv/torch pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

.venv/installed-dev: .venv/torch pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ .venv/installed

docs: .venv/installed-dev
	$(BIN)/python docs/make.py --measure
	$(BIN)/python docs/walk.py
	$(BIN)/pytest -q -m slow

clean:
	rm -rf .venv
