# Everything is one command from a clean clone; .venv is made once and again only when the packages change.
#   make avatar PROMPT="a woman with short red hair in a green jacket"

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3 python,$(shell \
    command -v $(name) >/dev/null 2>&1 && $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && echo $(name))))
BIN := .venv/bin
JOBS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Taken as typed, so that quotes and dollar signs in a prompt reach bozzetto.
export BOZZETTO_PROMPT := $(value PROMPT)
export BOZZETTO_OUT := $(value OUT)
export BOZZETTO_SEED := $(value SEED)
unexport PROMPT OUT SEED

# What bozzetto uses of MediaPipe: without the rest of what it asks for, a third of the size.
MEDIAPIPE := mediapipe absl-py attrs flatbuffers opencv-python-headless protobuf matplotlib contourpy cycler fonttools \
    kiwisolver pyparsing python-dateutil six

.PHONY: help setup photo avatar test lint types bench
.DEFAULT_GOAL := help

help:
	@echo 'make avatar PROMPT="a woman in a green coat" [SEED=0] [OUT=folder]   a character file in a fresh out/NNN'
	@echo 'make photo    what "bozzetto digitize" needs beside the rest: MediaPipe, 320 MB'
	@echo 'make test     the quick tests'
	@echo 'make lint     ruff: mistakes and format'
	@echo 'make types    pyright on src'
	@echo 'make bench    how fast the command line starts'
	@echo 'make setup    only the virtual environment in .venv'

setup: .venv/.ready-run

.venv/.ready-run: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'bozzetto needs Python 3.11 or newer, and none was found. Install it, or name it: make PYTHON=/path/to/python3'; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo 'Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv'; exit 2; }
	$(PIP) install --quiet -c constraints.txt -e '.[video]'
	@touch $@

.venv/.ready-dev: .venv/.ready-run
	$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

photo: .venv/.ready-photo

.venv/.ready-photo: .venv/.ready-run
	$(PIP) install --quiet --no-deps -c constraints.txt $(MEDIAPIPE)
	@touch $@

# The folder is made before bozzetto starts, so two of these at once get two folders.
avatar: .venv/.ready-run
	@test -n "$$BOZZETTO_PROMPT" || { echo 'Say who you want: make avatar PROMPT="a woman in a green coat"'; exit 2; }
	@out="$$BOZZETTO_OUT"; number=1; \
	if [ -z "$$out" ]; then \
	    mkdir -p out; \
	    while out=$$(printf 'out/%03d' $$number); ! mkdir "$$out" 2>/dev/null; do \
	        number=$$((number + 1)); \
	        [ $$number -lt 100000 ] || { echo 'Cannot make a folder in out/.'; exit 2; }; \
	    done; \
	fi; \
	$(BIN)/bozzetto generate "$$BOZZETTO_PROMPT" --out "$$out" --seed "$${BOZZETTO_SEED:-0}" \
	    || { status=$$?; rmdir "$$out" 2>/dev/null; exit $$status; }

test: .venv/.ready-dev
	$(BIN)/python -m pytest -n $(JOBS)

lint: .venv/.ready-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.ready-dev
	$(BIN)/pyright

bench: .venv/.ready-dev
	$(BIN)/python benchmarks/startup.py
