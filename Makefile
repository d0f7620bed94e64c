# Two commands set everything up: `make demo` and `make test`.
# Each makes its own virtual environment in .venv on first use and reuses it afterwards.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   := runs/demo

.PHONY: help demo test gpu clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   install into $(VENV), train on handwritten digits for less than three minutes, show where the pictures lie"
	@echo "make test   install into $(VENV), then format, lint, types and tests"
	@echo "make gpu    on a machine with a CUDA device: its tests, then its table in docs/performance.md"

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "==> Making the virtual environment $(VENV) and installing Ganglion into it (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "==> Installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[hub,hf,dev]'
	@touch $@

demo: $(VENV)/installed
	@echo "==> Training the recipe 'fast' on scikit-learn's handwritten digits; the run folder is $(DEMO)"
	@$(BIN)/ganglion train digits --recipe fast --size 32 --minutes 2.7 --run $(DEMO)
	@$(BIN)/ganglion sample $(DEMO) --n 64 --out $(DEMO)/digits.png
	@echo "==> Done. Look at $(DEMO)/digits.png, and at $(DEMO)/samples/fixed/ for how it came to be."

test: $(VENV)/installed-dev
	@echo "==> Checking format and lint (ruff)"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "==> Checking types (mypy --strict)"
	@$(BIN)/mypy
	@echo "==> Running the tests (pytest)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

gpu: $(VENV)/installed-dev
	@echo "==> Running the tests that need a CUDA device"
	@$(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || { echo "PyTorch finds no CUDA device here, or is its CPU build"; exit 1; }
	@$(BIN)/python -m pytest -m gpu
	@echo "==> Measuring speed and memory into docs/performance.md (under eight minutes)"
	@$(BIN)/python benchmarks/gpu.py --write docs/performance.md

clean:
	rm -rf $(VENV) runs/demo
