# The project's commands; `make help` lists them. Values may hold spaces: make search DATA="my photos"
# The first command makes .venv (requirements/setup.sh); the next ones find it finished.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev search status tensorboard train check test bench lock clean

STUDY ?= studies/quickstart.yaml
DATA ?=
TRIALS ?=
WORKERS ?=
RESULTS ?=
CONFIG ?=
UPGRADE ?=
PYTHON ?=
ACCELERATOR ?=
EXTRAS ?=
UV ?= uv
export PYTHON ACCELERATOR EXTRAS UV

VENV_PYTHON := .venv/bin/python
# $(call quote,NAME): the value of variable NAME as one word of the shell, taken literally.
quote = '$(subst ','\'',$(value $(1)))'
# $(call option,--flag,NAME): nothing if variable NAME is empty.
option = $(if $(value $(2)),$(1) $(call quote,$(2)))

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'For every command: PYTHON=python3.12, ACCELERATOR=cpu|gpu, EXTRAS=qmc,cmaes,gp, UV= (use pip)'

setup: ## Make or mend .venv; all other commands do so as well
	@requirements/setup.sh run

setup-dev:
	@requirements/setup.sh dev

search: setup ## Run a study, or go on with it: STUDY= DATA= TRIALS= WORKERS= RESULTS=
	@$(VENV_PYTHON) -m search run $(call quote,STUDY) $(call option,--data,DATA) $(call option,--trials,TRIALS) \
		$(call option,--workers,WORKERS) $(call option,--results,RESULTS)

status: setup ## Show how a study stands: STUDY= RESULTS=
	@$(VENV_PYTHON) -m search status $(call quote,STUDY) $(call option,--results,RESULTS)

tensorboard: setup ## Open a study's trials in TensorBoard on 127.0.0.1: STUDY= RESULTS=
	@$(VENV_PYTHON) -m search tensorboard $(call quote,STUDY) $(call option,--results,RESULTS)

train: setup ## Train one configuration by hand: CONFIG=
	@test -n $(call quote,CONFIG) || { echo 'make train: name a configuration, CONFIG=config.yaml' >&2; exit 2; }
	@$(VENV_PYTHON) -m colorgan train $(call quote,CONFIG)

check: setup-dev ## Formatting, lint, types, import directions
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo

test: check ## All checks, then all tests
	$(VENV_PYTHON) -m pytest

bench: setup-dev ## The project's benchmarks
	$(VENV_PYTHON) -m benchmarks

lock: ## Pin the dependencies anew with uv; UPGRADE=1 takes the newest versions
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate $(if $(UPGRADE),--upgrade) \
		--custom-compile-command 'make lock' --output-file requirements/lock.txt pyproject.toml

clean: ## Remove .venv and the tools' caches; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
