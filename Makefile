# The entry to all commands. CI calls the same targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash -eu -o pipefail
PYTHON ?= python3
UV := $(shell command -v uv || echo .tools/uv/bin/uv)
BIN := .venv/bin
MEMBERS := $(shell $(PYTHON) tools/members.py)
EDITABLE := $(foreach member,$(MEMBERS),-e ./$(member))
PINS := requirements/all.txt $(foreach member,$(MEMBERS),$(member)/pyproject.toml)
# Tests wait more than they compute, so there are two processes for each core.
TEST_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
TESTS ?=
SEED ?=
AUDIO ?=
MEMBER ?= tiro-client
MODEL ?=
PORT ?=
DATA ?=
YES =
# A variable as one word of the shell, whatever its characters; and an option with it, if it is set.
quoted = '$(subst ','\'',$(value $(1)))'
option = $(if $(value $(1)),$(2)=$(call quoted,$(1)))
PEER := var/peers/whisperlive
EXAMPLE := examples/engines/pocketsphinx
EXAMPLE_VENV := var/examples/pocketsphinx

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile

##@ Try it

.PHONY: demo
demo: setup ## Transcribe a sample as a job and as a live stream: AUDIO=path/to/any/file for your own recording, MODEL=name
	$(BIN)/python -m deploy.local.demo $(call option,MODEL,--model) $(if $(AUDIO),$(call quoted,AUDIO))

.PHONY: run
run: setup ## Run NATS and the services on this machine until Ctrl-C: MODEL=name, PORT=first port, DATA=folder
	$(BIN)/python -m deploy.local.run $(call option,MODEL,--model) $(call option,PORT,--port) $(call option,DATA,--data)

.PHONY: status
status: setup ## Show what `make run` runs: DATA=folder if it is not var/run
	@$(BIN)/python -m deploy.local.status $(call option,DATA,--data)

.PHONY: reset
reset: setup ## Delete the recordings, jobs and logs of `make run`, after a question: DATA=folder, YES=1 does not ask
	@$(BIN)/python -m deploy.local.reset $(call option,DATA,--data) $(if $(YES),--yes)

##@ Every change

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

.PHONY: format
format: setup ## Format everything
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format -w protos

.PHONY: check
check: setup ## Check formatting, lint, types, layers, protos, and each member by itself
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(MEMBERS) deploy samples tools benchmarks tests examples
	$(BIN)/python -m tools.imports
	$(BIN)/python -m tools.protos lint
	$(BIN)/python -m tools.protos breaking
	$(BIN)/python -m tools.protos up-to-date
	$(BIN)/python -m tools.isolation $(UV)

.PHONY: test
test: setup ## Run all tests but the long ones, in parallel and random order: TESTS=path, SEED=number, TEST_PROCESSES=number
	$(BIN)/pytest -m "not long and not examples" -n $(TEST_PROCESSES) --dist loadgroup $(if $(SEED),--randomly-seed=$(SEED)) $(TESTS)

##@ More tests

.PHONY: test-long
test-long: setup ## Run the long tests, one after the other
	$(BIN)/pytest -m long

.PHONY: test-examples
test-examples: setup ## Install the client from wheels, build and run the clients in examples/: needs registries, Node, Go, Java
	$(BIN)/pytest -m examples

.PHONY: test-example-engine
test-example-engine: $(EXAMPLE_VENV)/.ready ## Run the contract tests of engines on examples/engines/pocketsphinx, in its own environment
	$(EXAMPLE_VENV)/bin/pytest tests/contract/engines --subject examples.engines.pocketsphinx.contract:subject

$(EXAMPLE_VENV)/.ready: $(PINS) $(EXAMPLE)/requirements.txt $(EXAMPLE)/pyproject.toml | setup
	$(UV) venv --quiet --allow-existing --python '>=3.11' $(EXAMPLE_VENV)
	$(UV) pip sync --quiet --python $(EXAMPLE_VENV)/bin/python --require-hashes requirements/all.txt $(EXAMPLE)/requirements.txt
	$(UV) pip install --quiet --python $(EXAMPLE_VENV)/bin/python --no-deps --no-build-isolation $(EDITABLE) -e ./$(EXAMPLE)
	@touch $@

.PHONY: smoke-aws
smoke-aws: setup ## Transcribe a sample with the real Amazon Transcribe and your account: AUDIO=path/to/any/file, TIRO_AMAZON_REGION
	$(BIN)/python -m tools.smoke_aws $(if $(AUDIO),"$(AUDIO)")

##@ Use it elsewhere

.PHONY: wheels
wheels: setup ## Build the wheels of the Python client into dist/tiro-client, or those of another MEMBER=name
	$(BIN)/python -m tools.wheels $(MEMBER)

##@ The contract and the dependencies

.PHONY: proto-bundle
proto-bundle: setup ## Build dist/protos: the public protos with all that they import, and as a descriptor set
	$(BIN)/python -m tools.proto_bundle

.PHONY: protos
protos: setup ## Generate the Python code from protos/
	$(BIN)/python -m tools.protos generate

.PHONY: formats
formats: setup ## Write docs/formats.md from the tables of accepted formats
	$(BIN)/python -m tools.formats

.PHONY: lock
lock: | $(filter .tools/%,$(UV)) ## Pin the newest allowed dependencies, with hashes, in requirements/
	$(PYTHON) -m tools.lock $(UV)

##@ Benchmarks

.PHONY: bench
bench: setup $(if $(filter live-peers,$(NAME)),$(PEER)/.ready) ## List the benchmarks; NAME=name OPTIONS="..." runs one; AGAINST=path/to/another/checkout compares both
ifdef AGAINST
	$(BIN)/python -m benchmarks.compare $(NAME) --against "$(AGAINST)" $(if $(COMMAND),--command="$(COMMAND)") $(if $(ROUNDS),--rounds $(ROUNDS)) --options="$(OPTIONS)"
else
	$(BIN)/python -m benchmarks $(NAME) $(OPTIONS)
endif

$(PEER)/.ready: benchmarks/peers/whisperlive.txt | setup
	$(UV) venv --quiet --allow-existing --python '>=3.11' $(PEER)
	$(UV) pip sync --quiet --python $(PEER)/bin/python --require-hashes benchmarks/peers/whisperlive.txt
	@touch $@

##@ Clean up

.PHONY: clean
clean: ## Remove environments, caches and the data of `make run`; keep fetched models
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache var/run
