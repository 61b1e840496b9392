"""Decoding with Transformers, as a server of timed rounds.

    python hf_decode.py '{"directory": "bench/.cache/decode/bart", "threads": 2}'

A round {"batch": 8, "beams": 4, "new_tokens": 64} answers the first sources with exactly so many new tokens each.
"""

import json
import time
from pathlib import Path

import torch
import transformers
from bart_base import serve, settings

options = settings(dict(directory=None, threads=2))
torch.set_num_threads(options["threads"])
directory = Path(options["directory"])
model = transformers.AutoModelForSeq2SeqLM.from_pretrained(directory / "hf").eval()
sources = torch.tensor(json.loads((directory / "sources.json").read_text()))


def decode(round):
    ids = sources[: round["batch"]]
    count = round["new_tokens"]
    start = time.perf_counter()
    with torch.inference_mode():
        answers = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=round["beams"],
            min_new_tokens=count, max_new_tokens=count, length_penalty=1.0, early_stopping=False,
        )  # fmt: skip
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, answers=answers[:, 1:].tolist())


serve(decode, name="transformers", version=transformers.__version__, threads=torch.get_num_threads())
