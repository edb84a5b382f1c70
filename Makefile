# betabench: every command a user needs. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# Nobody's usage statistics are sent by anything we run.
export DVC_NO_ANALYTICS := 1
export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run test ui lint docs bench bench-gpu gpu-wheels bench-metrics bench-data profile clean

help:
	@echo "make run    train the study in params.yaml, score it, write reports/index.html"
	@echo "make ui     MLflow's user interface on this machine, http://localhost:5000"
	@echo "make test   the whole test suite"
	@echo "make lint   formatting, lint, types"
	@echo "make docs   the pages of docs/metrics/, docs/datasets/ and docs/models/, generated from the modules"
	@echo "make bench  training speed beside pythae and a plain PyTorch loop, into benchmarks/results/ (18 minutes on two cores)"
	@echo "make bench-gpu  all that a GPU is wanted for, at most 8 minutes at a time, with the python that has its PyTorch; again to go on"
	@echo "make gpu-wheels  pythae and what it needs, for a GPU without an index (GPU_PYTHON=3.12), into benchmarks/wheels/"
	@echo "make bench-metrics  seconds per metric beside disentanglement_lib, one thread and two, into benchmarks/results/"
	@echo "make bench-data  batches per second of each format, memory of preparing the largest data set (26 GB of disk), into benchmarks/results/"
	@echo "make profile  where the time of a training step goes; a trace in benchmarks/traces/"
	@echo "make clean  remove what was generated: data, runs, scores, reports, MLflow store, .venv"

run: $(VENV)/run
	betabench run

test: $(VENV)/test
	python -m pytest -n auto --dist worksteal --durations 10

ui: $(VENV)/run
	betabench ui

lint: $(VENV)/lint
	ruff format --check .
	ruff check .
	mypy

docs: $(VENV)/run
	python -m metrics.pages docs/metrics
	python -m pipeline.reporting.dataset_pages docs/datasets
	python -m pipeline.reporting.member_pages docs/models

bench: $(VENV)/bench
	python -m benchmarks.training

# With any python3 that has PyTorch and numpy: a borrowed GPU has one of its own, and no .venv.
bench-gpu:
	$(PYTHON) -m benchmarks.gpu

GPU_PYTHON ?= 3.12
GPU_PLATFORMS ?= --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64
gpu-wheels: $(VENV)/python
	rm -rf benchmarks/wheels
	$(PIP:install=download) --no-deps --only-binary=:all: --python-version $(GPU_PYTHON) $(GPU_PLATFORMS) \
		-r benchmarks/wheels.txt -d benchmarks/wheels

bench-metrics: $(VENV)/peers
	python -m benchmarks.metrics

bench-data: $(VENV)/run
	python -m benchmarks.loading
	python -m benchmarks.preparing

profile: $(VENV)/run
	python -m benchmarks.step_profile

clean:
	rm -rf $(VENV) data runs scores mlflow.db mlartifacts .dvc/cache .dvc/tmp dvc.lock *.egg-info benchmarks/scratch benchmarks/traces benchmarks/wheels
	find reports -type f ! -name .gitignore -delete

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "betabench needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run: $(VENV)/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/test: $(VENV)/run
	$(PIP) -e ".[test]"
	@touch $@

$(VENV)/bench: $(VENV)/run
	$(PIP) -e ".[bench]"
	@touch $@

$(VENV)/peers: $(VENV)/run benchmarks/peers.txt
	$(PIP) --no-deps -r benchmarks/peers.txt
	@touch $@

$(VENV)/lint: $(VENV)/run
	$(PIP) -e ".[lint]"
	@touch $@
