# The one entry to everything. CI calls the same targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash -eu -o pipefail
PYTHON ?= python3
UV := $(shell command -v uv || echo .tools/uv/bin/uv)
BIN := .venv/bin
MEMBERS := protos core client services/ingest services/transcriber services/streamer
EDITABLE := $(foreach member,$(MEMBERS),-e ./$(member))
PINS := requirements/all.txt $(foreach member,$(MEMBERS),$(member)/pyproject.toml)
AUDIO ?=

.PHONY: help
help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: .venv/.ready ## Install everything into .venv, from hashed pins

.tools/uv/bin/uv:
	@echo "uv is not on this machine: installing it into .tools"
	$(PYTHON) -m venv .tools/uv
	.tools/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

.venv/.ready: $(PINS) | $(filter .tools/%,$(UV))
	$(UV) venv --quiet --allow-existing --python '>=3.11' .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/all.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(EDITABLE)
	@touch $@

.PHONY: lock
lock: | $(filter .tools/%,$(UV)) ## Pin the newest allowed dependencies, with hashes
	$(PYTHON) tools/lock.py $(UV)

.PHONY: protos
protos: setup ## Generate the Python code from protos/
	$(BIN)/python tools/protos.py generate
