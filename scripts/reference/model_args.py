"""Writes tests/fixtures/args/model_args.json: the options as Simple Transformers saves them.

    pip install --no-deps simpletransformers==0.70.1
    python scripts/reference/model_args.py

The package's options are one file that needs torch alone; it is loaded by itself, for the package imports far more.
"""

import importlib.util
import json
import sys
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "args"

package = Path(importlib.util.find_spec("simpletransformers").origin).parent
spec = importlib.util.spec_from_file_location("model_args", package / "config" / "model_args.py")
model_args = importlib.util.module_from_spec(spec)
sys.modules["model_args"] = model_args
spec.loader.exec_module(model_args)

args = model_args.Seq2SeqArgs()
args.process_count = 6  # depends on the machine
args.save(FIXTURES)
file = FIXTURES / "model_args.json"
file.write_text(json.dumps(json.loads(file.read_text()), indent=2) + "\n")
