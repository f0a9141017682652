# Two commands set everything up on a fresh machine: `make demo` and `make test`.
# PYTHON: the interpreter to build on (3.10 to 3.13, where TensorFlow has wheels). VENV: where the environment goes.
# WORKERS: test files that run side by side; 0 for one after the other.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN := $(VENV)/bin

.PHONY: help setup demo test check lint types bench bench-wavenets test-tflite-runtime test-arm64 wheel-smoke fixtures clean

help:
	@sed -n 's/^## //p' Makefile

## make demo    set up, then run the whole line on a virtual pedal (about 5 minutes)
demo: setup
	$(BIN)/neuralpedal demo --out demo

## make test    set up, then run lint, type checks and the test suite
test: setup check
	.ci/system-packages --browser --firmware --audio $(PYTHON)
	.ci/test-audio-packages $(BIN)/python
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

## make check   lint and type checks alone
check: lint types

lint: setup
	$(BIN)/ruff check .

types: setup
	.ci/link-types
	$(BIN)/mypy -p neuralpedal

## make setup   the environment alone
setup: $(VENV)/.complete

# The stamp is written last: an interrupted set-up starts again. Only pyproject.toml decides what is installed.
$(VENV)/.complete: pyproject.toml .ci/system-packages
	.ci/system-packages $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

## make bench   our engines against LiteRT, ONNX Runtime and tflite-micro (a minute); options: BENCH="--png engines.png"
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/engines.py $(BENCH)

## make bench-wavenets   our WaveNets against LiteRT (two minutes); options: BENCH="--presets nano"
bench-wavenets: $(VENV)/.bench
	$(BIN)/python benchmarks/wavenet_engines.py $(BENCH)

$(VENV)/.bench: $(VENV)/.complete
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

## make test-tflite-runtime   the device tests in a small environment with tflite-runtime (Python 3.11)
test-tflite-runtime:
	.ci/test-tflite-runtime

## make test-arm64   the base install in a small Debian for 64-bit ARM under qemu: what it plays is what this machine plays
test-arm64: setup
	.ci/test-arm64

## make wheel-smoke   build the wheel, install it in a clean environment, use it
wheel-smoke: setup
	.ci/wheel-smoke

## make fixtures   write the golden models in tests/golden again
fixtures: setup
	$(BIN)/python tests/golden/generate.py

## make clean   remove what was built (not your runs)
clean:
	rm -rf $(VENV) .venv-tflite-runtime .venv-wheel .typing build dist *.egg-info
