#!/bin/sh
# Makes bench/.venv with what the benchmarks compare against. The decoding benchmark makes its models itself.
set -eu
bench=$(cd "$(dirname "$0")/.." && pwd)
"${PYTHON:-python3}" -m venv "$bench/.venv"
"$bench/.venv/bin/pip" install --requirement "$bench/python/requirements.txt"
