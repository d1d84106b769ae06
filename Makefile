# A fresh machine needs Python 3.11 or newer with venv, git, make, and a package index.
#   make demo          main experiment on the synthetic dataset, from installation to a table
#   make test          test suite
#   make test-slow     test suite including the tests marked slow
#   make test-cluster  slow tests that need a SLURM cluster, which they start on this machine
#   make test-scale    time the commands on 10 000 copies of the finished runs in a folder: make test-scale SOURCE=runs
#   make speed-gpu     training, evaluation and memory at the sizes of published protocols on one GPU, within 8 minutes
#   make cluster-up    start a SLURM cluster on this machine, to try things out
#   make cluster-down  stop this cluster
#   make lint          check style and types
#   make format        fix the style as far as tools can
#   make clean         remove the virtual environment

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed
SOURCE ?= runs

.PHONY: demo test test-slow test-cluster test-scale speed-gpu cluster-up cluster-down lint format clean

demo: $(READY)
	@$(BIN)/chimera-bench demo

test: $(READY)
	@$(BIN)/python -m pytest

test-slow: $(READY)
	@$(BIN)/python -m pytest -m "slow or not slow"

test-cluster: $(READY)
	@$(BIN)/python -m pytest -m slow tests/slurm

test-scale: $(READY)
	@$(BIN)/python -m slurm.testing.scale.large_store $(SOURCE)

speed-gpu: $(READY)
	@$(BIN)/chimera-bench speed gpu --minutes 7

cluster-up: $(READY)
	@$(BIN)/python -m slurm.testing up
	@echo '# or: eval "$$($(BIN)/python -m slurm.testing env)"; then use sbatch, squeue and scancel as on a login node'

cluster-down: $(READY)
	@$(BIN)/python -m slurm.testing down

lint: $(READY)
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy

format: $(READY)
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

clean:
	rm -rf $(VENV)

# Installs once, and again when the requirements change. The full pip log is in the virtual environment.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "chimera-bench needs Python 3.11 or newer; choose one with: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Cannot create a virtual environment with pip; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV), once; takes about two minutes and 6 GB (torch with CUDA)."
	@{ $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[dev]' 2>&1; \
	   echo "pip ended with $$?"; } | tee $(VENV)/install.log | grep -E '^(Collecting|Installing|Successfully|ERROR|pip)' || true
	@grep -qx 'pip ended with 0' $(VENV)/install.log || \
	  { echo "Installation failed; see the full log in $(VENV)/install.log" >&2; exit 1; }
	@touch $@
