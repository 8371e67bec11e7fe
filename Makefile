# adnorm: two commands set everything up, `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
CORES ?= all
GEO ?= https://ftp.ncbi.nlm.nih.gov/geo
BIN = $(VENV)/bin
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES)

# A folder is a mirror: `make real GEO=mirror/geo`. An identifier table beside it is used, unless GENES names one.
ifneq ($(findstring ://,$(GEO)),)
GEO_ADDRESS = $(GEO)
else
GEO_ADDRESS = file:$(GEO)
GENES ?= $(firstword $(wildcard $(GEO)/../reference/*annotation.tsv.gz $(GEO)/*annotation.tsv.gz))
endif
REAL_CONFIG = geo="{address: '$(GEO_ADDRESS)'}" $(if $(GENES),identifiers="{table: '$(GENES)'}")

# The workflow, its report, its main numbers. A cohort that stopped is in the report, and fails the call.
# The report is rendered only when a result is newer: a second call has nothing to do.
define RUN
@status=0; $(SNAKEMAKE) $(2) || status=$$?; \
if [ -f $(1)/atlas/cohorts.html ]; then \
  if [ ! -f $(1)/report.html ] || \
    [ -n "$$(find $(1) -type f -newer $(1)/report.html ! -path '*/logs/*' -print -quit)" ]; then \
    echo "Writing $(1)/report.html …"; \
    $(SNAKEMAKE) $(2) --quiet all --report $(1)/report.html || status=$$?; fi; \
  $(BIN)/adnorm summary $(1); fi; exit $$status
endef

.DEFAULT_GOAL := help
.PHONY: help demo real slurm verify test coverage lint docs format lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "CORES=2 limits the cores of demo and real (now: $(CORES)); PYTHON=python3.12 names another Python for the environment."

demo: $(VENV)/run ## environment, then the whole workflow on the simulated demo, and its report
	$(call RUN,results/demo,)

real: $(VENV)/run ## the three real series; GEO=folder reads a mirror instead of GEO itself
	$(call RUN,results/real,--configfile config/real.yaml --config $(REAL_CONFIG))

slurm: $(VENV)/slurm ## environment for a cluster with Slurm; then snakemake --profile profiles/slurm …

verify: $(VENV)/run ## the demo once more, into results/verify: does this machine give the numbers of this version?
	@rm -rf results/verify
	$(SNAKEMAKE) --config results=results/verify
	$(BIN)/adnorm verify results/verify
	$(BIN)/python tests/golden/pin_results.py compare demo results/verify

test: $(VENV)/development ## everything that tests need, then the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

coverage: $(VENV)/development ## the tests once more, with the lines of the package that none of them runs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-report=html:results/coverage

lint: $(VENV)/development ## formatting, lint and types of Python and Snakemake files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

docs: $(VENV)/development ## the site, into results/docs, with pictures of the demo where it has run; a warning is an error
	$(BIN)/sphinx-build -E -W --keep-going -n -q -b html docs results/docs
	@echo "Documentation: results/docs/index.html"

format: $(VENV)/development ## format Python and Snakemake files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow

LOCK = $(BIN)/uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	--no-header --no-annotate --quiet

lock: $(VENV)/development ## lock the dependencies again (needs the package index)
	cd envs && ../$(LOCK) --upgrade requirements.in -o requirements.txt
	cd envs && ../$(LOCK) --upgrade requirements-dev.in -o requirements-dev.txt
	cd envs && ../$(LOCK) --upgrade requirements-slurm.in -o requirements-slurm.txt
	$(BIN)/python envs/conda_from_lock.py

clean: ## remove results and the environment
	rm -rf results $(VENV) .snakemake .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "adnorm needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 …" % v)'
	@$(PYTHON) -m venv $(VENV)

# The packages are large: nobody should wonder whether anything happens.
define INSTALL
@echo "Installing the locked packages into $(VENV): a few minutes, 1 to 2 GB …"
@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r $(1)
@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
endef

$(VENV)/run: envs/requirements.txt pyproject.toml | $(VENV)/bin/python
	$(call INSTALL,envs/requirements.txt)
	@touch $@

$(VENV)/development: envs/requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	$(call INSTALL,envs/requirements-dev.txt)
	@touch $@ $(VENV)/run

$(VENV)/slurm: envs/requirements-slurm.txt | $(VENV)/run
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r envs/requirements-slurm.txt
	@touch $@
