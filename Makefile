# make demo: the main job on two virtual boards.   make test: lint and all tests.
# Both set up what they need: Debian packages, a virtual environment in .venv, emulators.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
APT_PACKAGES := gcc g++ libc6-dev make git gcc-avr avr-libc binutils-avr arduino-core-avr avrdude \
  libsimavr-dev libelf-dev gcc-arm-none-eabi libnewlib-arm-none-eabi bossa-cli stm32flash \
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user openssh-client
WORKERS ?= 2
FUZZ_SECONDS ?= 60
KILLS ?= 100

.PHONY: help setup apt demo test lint format fuzz soak clean

help:
	@echo "make setup | demo | test | lint | format | fuzz | soak | clean"

setup: apt $(STAMP)

# Installs only what is missing; says in one line what is missing where there is no apt.
apt:
	@missing=; for p in $(APT_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; \
	done; \
	if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then :; else missing="$$missing python3-venv"; fi; \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "setup needs a Debian-like machine with apt; missing:$$missing" >&2; exit 3; }; \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  echo "installing$$missing"; \
	  $$sudo apt-get update -qq -o DPkg::Lock::Timeout=400 && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends \
	    -o DPkg::Lock::Timeout=400 $$missing >/dev/null; \
	fi

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup needs Python 3.11 or newer, $(PYTHON) is older; try make PYTHON=python3.11" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	$(BIN)/harness doctor --prepare >/dev/null || { $(BIN)/harness doctor; exit 3; }
	@touch $@

demo: setup
	$(BIN)/harness run --board uno --virtual --preset smoke --windows 60
	$(BIN)/harness run --board mkr1000 --virtual --preset smoke --windows 100
	@echo "report: $$(readlink -f results/latest)/report.html (and the uno's beside it)"

test: setup lint
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What `make test` does in small: fuzzing (docs/security.md), kills (docs/durability.md). libFuzzer
# needs clang; where it is not and cannot be had, gcc's sanitizers take blind mutations.
fuzz: setup
	@command -v clang >/dev/null || { sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq clang >/dev/null; } || true
	$(BIN)/python -m tests.fuzz.targets --seconds $(FUZZ_SECONDS)
	HARNESS_FUZZ_EXAMPLES=$$(( 4 * $(FUZZ_SECONDS) )) $(BIN)/pytest -n $(WORKERS) tests/fuzz

soak: setup
	$(BIN)/python benchmarks/kills.py --kills $(KILLS)
	$(BIN)/python benchmarks/kills.py --kills $(KILLS) --command night

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
