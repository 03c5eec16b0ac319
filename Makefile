# The project's commands; `make help` lists them. Values may hold spaces: make search DATA="my photos"
# The first command makes .venv (requirements/setup.sh); the next ones find it finished.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev search status tensorboard compare dashboard promote train evaluate export colorize demo
.PHONY: check-study doctor audit check test chaos fuzz bench replay lock clean

STUDY ?= studies/quickstart.yaml
DATA ?=
TRIALS ?=
WORKERS ?=
HOURS ?=
SCALE ?=
RESULTS ?=
CONFIG ?=
EPOCHS ?=
OUT ?=
TOP ?=
SEEDS ?=
MOST_SEEDS ?=
PICK ?=
KILLS ?=
EXAMPLES ?=
AGAINST ?=
WEIGHTS ?=
AGAIN ?=
TAKEOVER ?=
PATIENCE ?=
TIMES ?=
TO ?=
MODEL ?=
INPUT ?=
OUTPUT ?=
PORT ?=
UPGRADE ?=
ENGINE ?=
ADDRESS ?=
CHECKPOINTS ?=
PYTHON ?=
ACCELERATOR ?=
EXTRAS ?=
UV ?= uv
export PYTHON ACCELERATOR EXTRAS UV

VENV_PYTHON := .venv/bin/python
# $(call quote,NAME): the value of variable NAME as one word of the shell, taken literally.
quote = '$(subst ','\'',$(value $(1)))'
# $(call need,NAME,example): an error if variable NAME is empty.
need = test -n $(call quote,$(1)) || { echo 'make $@: give $(1)=, e.g. $(1)=$(2)' >&2; exit 2; }
# $(call option,--flag,NAME): nothing if variable NAME is empty.
option = $(if $(value $(2)),$(1) $(call quote,$(2)))
# $(call options,--flag,NAME): the flag before each word of variable NAME.
options = $(foreach each,$(value $(2)),$(1) '$(subst ','\'',$(each))')
# $(call flag,--flag,NAME): the flag alone, nothing if variable NAME is empty or 0.
flag = $(if $(filter-out 0,$(value $(2))),$(1))
place = $(call option,--engine,ENGINE) $(call option,--address,ADDRESS) $(call option,--checkpoints,CHECKPOINTS)

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo 'For every command: PYTHON=python3.12, ACCELERATOR=cpu|gpu|jax|jax-gpu, EXTRAS=jax,jax-gpu,cmaes,gp,bayesian,postgresql,dashboard,onnx,ray,s3, UV= (use pip)'

setup: ## Make or mend .venv; all other commands do so as well
	@requirements/setup.sh run

setup-dev:
	@requirements/setup.sh dev

search: setup ## Run a study, or go on with it: STUDY= SCALE= DATA= TRIALS= WORKERS= HOURS= RESULTS= TAKEOVER=1 ENGINE= ADDRESS= CHECKPOINTS=
	@$(VENV_PYTHON) -m search run $(call quote,STUDY) $(call option,--scale,SCALE) $(call option,--data,DATA) \
		$(call option,--trials,TRIALS) $(call option,--workers,WORKERS) $(call option,--hours,HOURS) \
		$(call option,--results,RESULTS) $(call flag,--takeover,TAKEOVER) $(place)

check-study: setup ## Name every mistake of a study, or say what it will do; starts nothing: STUDY= SCALE= DATA= RESULTS=
	@$(VENV_PYTHON) -m search check $(call quote,STUDY) $(call option,--scale,SCALE) $(call option,--data,DATA) \
		$(call option,--results,RESULTS)

status: setup ## Show how a study stands: STUDY= RESULTS=
	@$(VENV_PYTHON) -m search status $(call quote,STUDY) $(call option,--results,RESULTS)

tensorboard: setup ## Open a study's trials in TensorBoard on 127.0.0.1: STUDY= RESULTS= PORT=
	@$(VENV_PYTHON) -m search tensorboard $(call quote,STUDY) $(call option,--results,RESULTS) $(call option,--port,PORT)

compare: setup ## Table, trials.csv, plots and report.html of a study: STUDY= RESULTS=
	@$(VENV_PYTHON) -m search compare $(call quote,STUDY) $(call option,--results,RESULTS)

dashboard: setup ## Open a study in optuna-dashboard on 127.0.0.1 (EXTRAS=dashboard): STUDY= RESULTS= PORT=
	@$(VENV_PYTHON) -m search dashboard $(call quote,STUDY) $(call option,--results,RESULTS) $(call option,--port,PORT)

promote: setup ## Confirm the best few beside the default and promote one: STUDY= RESULTS= TOP= SEEDS= MOST_SEEDS= PICK= AGAINST= WEIGHTS= TO= AGAIN=1 WORKERS= ENGINE= ADDRESS= CHECKPOINTS=
	@$(VENV_PYTHON) -m search promote $(call quote,STUDY) $(call option,--results,RESULTS) $(call option,--top,TOP) \
		$(call option,--seeds,SEEDS) $(call option,--most-seeds,MOST_SEEDS) \
		$(call options,--pick,PICK) $(call options,--against,AGAINST) $(call options,--weight,WEIGHTS) \
		$(call option,--to,TO) $(call flag,--again,AGAIN) $(call option,--workers,WORKERS) $(place)

train: setup ## Train one configuration to its end, or go on with it: CONFIG= SCALE= DATA= EPOCHS= PATIENCE= OUT=
	@$(call need,CONFIG,config.yaml)
	@$(VENV_PYTHON) -m colorgan train $(call quote,CONFIG) $(call option,--scale,SCALE) $(call option,--data,DATA) \
		$(call option,--epochs,EPOCHS) $(call option,--patience,PATIENCE) $(call option,--out,OUT)

evaluate: setup ## Measure a model photo by photo: MODEL= INPUT= OUT=
	@$(call need,MODEL,results/runs/...)
	@$(VENV_PYTHON) -m colorgan evaluate $(call quote,MODEL) $(or $(call option,,INPUT),sample) $(call option,--out,OUT)

export: setup ## Write a model in the formats that others read: MODEL= OUT=
	@$(call need,MODEL,results/runs/...)
	@$(VENV_PYTHON) -m colorgan export $(call quote,MODEL) $(call option,--out,OUT)

colorize: setup ## Colour a photo or a folder of them: MODEL= INPUT= OUTPUT=
	@$(call need,MODEL,results/runs/...)
	@$(call need,INPUT,photo.jpg)
	@$(VENV_PYTHON) -m colorgan colorize $(call quote,MODEL) $(call quote,INPUT) $(call option,--output,OUTPUT)

demo: setup ## From the quickstart to three coloured historical photos, in results/demo
	@$(VENV_PYTHON) -m search run studies/quickstart.yaml
	@test -e results/quickstart/promoted || $(VENV_PYTHON) -m search promote results/quickstart
	@$(VENV_PYTHON) -m colorgan train results/quickstart/promoted/config.yaml --epochs 60 --patience 20 --out results/demo
	@$(VENV_PYTHON) -m colorgan colorize results/demo colorgan/historical_photos --compare --output results/demo/photos

doctor: setup ## Say what is wrong with this machine, the photos, the storage: STUDY= RESULTS=
	@$(VENV_PYTHON) -m search doctor --study $(call quote,STUDY) $(call option,--results,RESULTS)

audit: setup ## Look the pinned packages up among known vulnerabilities
	@requirements/audit.sh

check: setup-dev ## Formatting, lint, types, import directions
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo

test: check ## All checks, then all tests
	OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 $(VENV_PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

chaos: setup-dev ## Kill real studies 200 times at random moments and compare what they find: KILLS=
	CHAOS_KILLS=$(or $(KILLS),200) $(VENV_PYTHON) -m pytest -s tests/search/test_chaos.py tests/search/test_ray.py tests/search/test_postgres.py

fuzz: setup-dev ## Feed studies and photos of rubbish to their readers: EXAMPLES=
	FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(VENV_PYTHON) -m pytest tests/test_fuzz.py

bench: setup-dev ## The project's benchmarks
	$(VENV_PYTHON) -m benchmarks

replay: setup-dev ## Simulate searches on recorded trials, and write docs/methods*.md: TIMES= (as many) EXTRAS=cmaes
	$(VENV_PYTHON) -m benchmarks.replay $(call option,--times,TIMES)

lock: ## Pin the dependencies anew with uv; UPGRADE=1 takes the newest versions
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate $(if $(UPGRADE),--upgrade) \
		--custom-compile-command 'make lock' --output-file requirements/lock.txt pyproject.toml

clean: ## Remove .venv and the tools' caches; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
