# Each target sets up its own virtual environment from nothing but Python >= 3.11.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PYTEST = $(BIN)/python -m pytest -n 2 --dist=loadgroup

.PHONY: demo docs test test-all lint android-check web-check

# Draws people, trains a tiny HRNet on them, evaluates it and writes demo/index.html.
demo: $(VENV)/base
	$(BIN)/hrnet-tf demo --output=demo $(ARGS)

test: $(VENV)/dev lint
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(VENV)/dev lint
	$(PYTEST) $(ARGS)

# Builds the Android demo's Kotlin and feeds it with real networks; what lacks Java, Maven or data is
# skipped by name.
android-check: $(VENV)/dev
	$(BIN)/python -m pytest tests/test_android.py -rs $(ARGS)

# Runs the page of web_demo in Chromium and compares it with Python; what lacks Node.js, Chromium,
# npm's registry or data is skipped by name.
web-check: $(VENV)/dev
	$(BIN)/python -m pytest tests/test_web.py -rs $(ARGS)

# Writes build/docs/index.html; a broken link or docstring is an error. `ARGS=serve` shows it instead.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(or $(ARGS),build) --strict --config-file docs/mkdocs.yml

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/base: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

$(VENV)/docs: $(VENV)/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@
