# Every verb works from nothing: it makes the virtual environment that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
PART ?= 1/1
INPUTS := pyproject.toml constraints.txt
# A process for each core, one thread each: two threads on a busy core are slower than one.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

.PHONY: demo test test-all test-openvino example-js bench-export lint core bench smoke mutants results docs audit bench-serve clean

demo: $(VENV)/.core  ## the main job on bundled real images
	$(BIN)/amiss demo --overwrite

test: $(VENV)/.test  ## the whole suite; what needs an extra is skipped, and says so
	$(PYTEST)

test-all: $(VENV)/.all  ## only what `make test` skipped for want of an extra
	$(PYTEST) -m extra

test-openvino: $(VENV)/.all  ## exported files in OpenVINO, 180 MB that `make test-all` does without
	$(PIP) -e ".[openvino]"
	$(PYTEST) tests/export/test_openvino.py

example-js: $(VENV)/.all  ## the JavaScript example against Python; needs Node and npm
	npm install --silent --no-audit --no-fund --prefix build/js onnxruntime-web@1.30.0 pngjs@7.0.0
	AMISS_NODE=build/js $(BIN)/python -m pytest tests/export/test_examples.py -k javascript

lint: $(VENV)/.lint  ## format, style, types, layers, tables
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/make_tables.py --check

core: $(VENV)/.core  ## every module imports with nothing but the core dependencies
	$(BIN)/python scripts/import_all.py

BENCH := gradcon_ratios gradcon_exactness arae_ratios false_alarms kill_resume decode_memory

bench: $(VENV)/.test  ## measured ratios, exactness, false alarms, kills, memory; see benchmarks/README.md
	@failed=; for name in $(BENCH); do \
	  $(BIN)/python benchmarks/$$name.py || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "missed:$$failed"; exit 1; }

bench-export: $(VENV)/.all  ## exported files on 2,000 real images, and their speed; needs the official files in AMISS_DATA
	$(BIN)/python benchmarks/onnx_parity.py
	$(BIN)/python benchmarks/onnx_speed.py --output results/onnx_speed.json

smoke: $(VENV)/.core  ## a short run of every method and protocol through the benchmark
	rm -rf build/smoke
	$(BIN)/amiss bench smoke --quick --quiet --results build/smoke

mutants: $(VENV)/.test  ## every committed mutant must be killed by a test
	$(BIN)/python benchmarks/mutants.py --part $(PART)

results: $(VENV)/.test  ## the runs behind the tables of results, resumable; needs the official files in AMISS_DATA
	$(BIN)/python benchmarks/papers_short.py
	$(BIN)/python benchmarks/history_short.py
	$(BIN)/python benchmarks/stabilise.py
	$(BIN)/python benchmarks/gradcon_short.py
	$(BIN)/amiss bench committed --quick

bench-serve: $(VENV)/.all  ## the server under load and under wrong input, and all runtimes against Python; needs AMISS_DATA
	$(BIN)/python benchmarks/serve_load.py
	$(BIN)/python benchmarks/serve_fuzz.py
	$(BIN)/python benchmarks/parity.py

audit:  ## known vulnerabilities of the pinned packages, by pip-audit in an environment of its own; asks pypi.org
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	build/audit/bin/python scripts/audit.py

docs: $(VENV)/.core  ## write the tables of docs/ from the committed results
	$(BIN)/python scripts/make_tables.py

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(BIN)/python $(INPUTS)
	$(PIP) -e .
	touch $@

$(VENV)/.test: $(BIN)/python $(INPUTS)
	$(PIP) -e ".[test]"
	touch $@

$(VENV)/.all: $(BIN)/python $(INPUTS)
	$(PIP) -e ".[test,serve,serve-test,table,ray,report,browser,export]"
	touch $@

$(VENV)/.lint: $(BIN)/python $(INPUTS)
	$(PIP) -e ".[lint,test,serve]"
	touch $@
