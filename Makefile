# Every target works by itself: what it needs is installed into .venv first. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# What `make serve` passes on, for example SERVE_ARGS="--port 0", and what `make test` does, for example PYTEST_ARGS="-k bloom".
SERVE_ARGS ?= --dev
PYTEST_ARGS ?=

# Test files run at a time: they wait more than they work. A crash ends the run: restarted workers can hang it.
PYTEST_PROCESSES ?= 2

# How long `make soak` runs: histories of the model, occurrences of each crash point, servers killed, bad messages, random statements that
# DuckDB is asked, too, queries that are asked in two ways, and conditions with sub-queries,
# statements of one user beside two states of all others, probes for what is others', joins over each layout of
# their tables, and seconds of a mixed load.
SOAK_EXAMPLES ?= 500
SOAK_OCCURRENCES ?= 50
SOAK_CYCLES ?= 200
SOAK_MESSAGES ?= 1000000
SOAK_STATEMENTS ?= 200000
SOAK_PARTITIONS ?= 20000
SOAK_CONDITIONS ?= 20000
SOAK_TWO_WORLDS ?= 50000
SOAK_LOAD_SECONDS ?= 3600
SOAK_JOINS ?= 50000
SOAK_PROBES ?= 100000
SOAK_BACKUPS ?= 200
SOAK_PUBLISHED ?= 300
SOAK_BIT_ROT ?= 3000
SOAK_CLUSTER ?= 600
SOAK_BOUND_ROWS ?= 300

PYTEST = $(BIN)/python -m pytest --numprocesses $(PYTEST_PROCESSES) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help demo test proof lint check bench soak proto serve clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## a server, real data, updates, analytics and what was pruned, in under a minute
	@$(BIN)/python -m demo

test: $(VENV)/.dev ## all tests but the long ones
	@$(PYTEST) -m "not proof" $(PYTEST_ARGS)

proof: $(VENV)/.dev ## the long ones: random statements, damage and crashes in a short form
	@$(PYTEST) -m proof $(PYTEST_ARGS)

lint: $(VENV)/.dev ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: ## lint, then test, then proof
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory proof

bench: $(VENV)/.bench ## the figures of bench/README.md, measured here
	@$(BIN)/python -m bench

soak: $(VENV)/.dev ## random histories, crashes, damage and statements, for hours
	FLIGHTSERVER_MODEL_EXAMPLES=$(SOAK_EXAMPLES) FLIGHTSERVER_CRASH_OCCURRENCES=$(SOAK_OCCURRENCES) \
	FLIGHTSERVER_CRASH_CYCLES=$(SOAK_CYCLES) \
	FLIGHTSERVER_FUZZ_MESSAGES=$(SOAK_MESSAGES) FLIGHTSERVER_ORACLE_STATEMENTS=$(SOAK_STATEMENTS) \
	FLIGHTSERVER_PARTITIONS=$(SOAK_PARTITIONS) FLIGHTSERVER_CONDITIONS=$(SOAK_CONDITIONS) FLIGHTSERVER_SQLLOGICTEST=all \
	FLIGHTSERVER_TWO_WORLDS=$(SOAK_TWO_WORLDS) FLIGHTSERVER_JOINS=$(SOAK_JOINS) FLIGHTSERVER_PROBES=$(SOAK_PROBES) \
	FLIGHTSERVER_BIT_ROT=$(SOAK_BIT_ROT) FLIGHTSERVER_BACKUPS=$(SOAK_BACKUPS) FLIGHTSERVER_PUBLISHED_HISTORIES=$(SOAK_PUBLISHED) FLIGHTSERVER_CLUSTER_STATEMENTS=$(SOAK_CLUSTER) FLIGHTSERVER_BOUND_ROWS=$(SOAK_BOUND_ROWS) FLIGHTSERVER_LOAD_SECONDS=$(SOAK_LOAD_SECONDS) \
		$(BIN)/python -m pytest tests/model tests/flush/test_crash_points.py tests/fuzz tests/oracle tests/sqllogictest tests/engine_corpus \
			tests/execution/test_membership.py tests/execution/test_joins.py tests/execution/test_many_bound_rows.py tests/execution/test_crash_points.py tests/rights tests/e2e/test_crash.py tests/backup tests/flush/publish tests/bitrot tests/cluster \
			tests/e2e/test_long_load.py $(PYTEST_ARGS)

proto: $(VENV)/.dev ## protobuf classes from the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=flightserver/protocol \
		--python_out=flightserver/protocol/generated --pyi_out=flightserver/protocol/generated \
		flight.proto flight_sql.proto substrait.proto

serve: $(VENV)/.runtime ## a server on ./data, on loopback, without passwords
	@exec $(BIN)/flightserver serve $(SERVE_ARGS)

clean: ## remove the virtual environment and all caches; ./data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made anew when pyproject.toml changes; each set of dependencies is installed when first needed.
# Debian keeps pip's bootstrap in a package of its own (python3-venv); a pip outside the environment serves as well.
$(VENV)/.created: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@rm -rf $(VENV)
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		$(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; \
	else echo "$(PYTHON) can make no virtual environment; on Debian: apt install python3-venv" >&2; exit 1; fi
	@touch $@

$(VENV)/.runtime: $(VENV)/.created
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.dev $(VENV)/.demo $(VENV)/.bench: $(VENV)/.%: $(VENV)/.created
	$(PIP) install --quiet --editable '.[$*]'
	@touch $@
