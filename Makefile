# `make run` and `make test` are all that a new machine needs: python3 with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
AUDIT := $(VENV)/audit
INSTALLED_DEV := $(VENV)/installed-dev

.PHONY: run test test-long lint audit clean

run: $(INSTALLED)
	@$(BIN)/remask serve $(if $(DATA),--data "$(DATA)")

test: $(INSTALLED_DEV)
	$(BIN)/pytest -m "not long" -n auto --dist loadfile

test-long: $(INSTALLED_DEV)
	$(BIN)/pytest -n auto --dist loadfile

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Known weaknesses of the pinned packages; asks the Python Package Index, from an environment of its own.
audit:
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/pip install --quiet pip-audit==2.10.1; }
	$(AUDIT)/bin/pip-audit --disable-pip --no-deps -r constraints.txt

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { echo "This needs python3 with venv (Debian: apt install python3-venv)." >&2; exit 1; }

# Stamps, so that a second start installs nothing.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Remask into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@ $(INSTALLED)

clean:
	rm -rf $(VENV) build dist *.egg-info
