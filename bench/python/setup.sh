#!/bin/sh
# Makes bench/.venv with what the benchmarks compare against, and the model that the decoding benchmark asks.
set -eu
bench=$(cd "$(dirname "$0")/.." && pwd)
"${PYTHON:-python3}" -m venv "$bench/.venv"
"$bench/.venv/bin/pip" install --requirement "$bench/python/requirements.txt"
[ -f "$bench/.cache/decode/sources.json" ] || "$bench/.venv/bin/python" "$bench/python/make_model.py" "$bench/.cache/decode"
