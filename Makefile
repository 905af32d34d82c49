# `make demo` and `make test` set everything up by themselves; both may be called again and again.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --constraint constraints.txt
# One thread a process: two processes that spin for the same core slow PyTorch down tenfold.
# Files go to the processes in the order of tests/conftest.py: trainings first, which take longest.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q --numprocesses auto --maxprocesses 4 --dist loadfile \
  --no-loadscope-reorder

# A second environment on top of the first: botocore needs another python-dateutil than pandas has.
RAY    := .venv-ray
# Label Studio pins what we do not; with it 1 GB, and Playwright without its browsers.
STUDIO := .venv-label-studio

# The npm package and the page; they need Node.js 20 or newer, their tests Chromium from Debian.
WEB := web

# What builds the container image; podman and buildah need `build --format docker` for its health check.
DOCKER ?= docker

# The scripts of benchmarks/ that measure; the other files there are parts of them.
MEASURE := peers robustness latency score reading closed_eyes detectors search augment tracking jitter crossing labeling

.PHONY: help demo test test-scale test-service test-slow test-web lint image lock bench notebooks docs page clean
.DELETE_ON_ERROR:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.base  ## draw the keypoints of a sample portrait into out/ (installs what that needs, no torch)
	$(BIN)/facedots demo --out out

test: $(VENV)/.dev  ## run the tests (installs the development tools and torch)
	$(PYTEST)

test-service: $(VENV)/.dev $(STUDIO)/.ready  ## run the tests of servers as processes, of the container's steps, and with Label Studio (installs it)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m service

test-slow: $(VENV)/.dev  ## run the tests that take minutes
	$(PYTEST) -m slow

test-scale: $(VENV)/.dev $(RAY)/.ready  ## run the tests of several processes and machines (installs Ray and moto)
	$(PYTEST) -m scale --ignore tests/batch
	OMP_NUM_THREADS=1 $(RAY)/bin/python -m pytest -q -m scale tests/batch

test-web: $(VENV)/.dev $(WEB)/node_modules/.installed  ## test the npm package against Python, in Node and Chromium (installs both)
	OMP_NUM_THREADS=1 $(BIN)/python tools/web_fixtures.py
	$(BIN)/python tools/web_page.py
	cd $(WEB) && npm run --silent lint && PYTHON=$(abspath $(BIN)/python) npm test --silent --workspaces
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m web tests/test_web_page.py

lint: $(VENV)/.dev  ## check style, types and the layers of the packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

image:  ## build the container image (DOCKER: what does it; BASE: on which image)
	$(DOCKER) build --tag facedots $(if $(BASE),--build-arg BASE=$(BASE)) .

lock: $(BIN)/python  ## write requirements.lock: the hashes of the versions in constraints.txt, for all platforms
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11.5 --generate-hashes --no-annotate \
	  --custom-compile-command 'make lock' --extra dev --constraint constraints.txt \
	  --output-file requirements.lock pyproject.toml

bench: $(VENV)/.dev  ## measure ours beside the peers, and so on; one alone: make bench MEASURE=peers
	@set -e; for name in $(MEASURE); do echo "== $$name"; $(BIN)/python "benchmarks/$$name.py"; done

notebooks: $(VENV)/.dev  ## run the guided tour of notebooks/, on the real data where they are; copies in out/notebooks
	$(BIN)/python tools/run_notebooks.py

docs: $(VENV)/.dev  ## build the documentation site into out/site, all links checked
	$(BIN)/python tools/docs_build.py

page: $(VENV)/.dev $(WEB)/node_modules/.installed  ## build the browser page, which `facedots web` shows then
	$(BIN)/python tools/web_page.py

clean:  ## remove what the other targets made, but not the environment
	rm -rf out dist build .import_linter_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

# The stamps say which extras the environment holds; a change of the two files below installs anew.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[plots]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.base

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	@command -v chromium >/dev/null || { apt-get -qq update && apt-get -qq install chromium; }
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel error
	@touch $@

$(STUDIO)/.ready: Makefile | $(BIN)/python
	$(BIN)/python -m venv $(STUDIO)
	$(STUDIO)/bin/pip install --quiet label-studio==1.23.2 playwright==1.65.2
	@touch $@

$(RAY)/.ready: pyproject.toml constraints.txt Makefile | $(VENV)/.dev
	$(BIN)/python -m venv $(RAY)
	$(BIN)/python -c 'import site; print("import site; site.addsitedir(%r)" % site.getsitepackages()[0])' \
	  > "$$($(RAY)/bin/python -c 'import site; print(site.getsitepackages()[0])')/base.pth"
	$(BIN)/pip install --quiet uv==0.13.9
	grep -v -E '^(python-dateutil|urllib3|boto)' constraints.txt > $(RAY)/constraints.txt
	$(BIN)/uv pip install --quiet --python $(RAY)/bin/python --constraint $(RAY)/constraints.txt \
	  'ray[data]==2.60.0' 'moto[server]==5.2.5' s3fs==2026.9.0 boto3==1.43.117
	@touch $@
