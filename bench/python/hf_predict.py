"""Prediction with Transformers, as a server of timed rounds.

    python hf_predict.py '{"directory": "bench/.cache/predict/bart", "threads": 2}'

A round {"count": 8, "batch": 8, "beams": 4, "new_tokens": 64, "ends": false} answers the first `count` sources, `batch` at once,
with exactly so many new tokens each, or where they may end by themselves with at most so many.
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
sources = json.loads((directory / "sources.json").read_text())
eos, pad = model.config.eos_token_id, model.config.pad_token_id


def predict(round):
    count, batch, most = round["count"], round["batch"], round["new_tokens"]
    answers = [None] * count
    start = time.perf_counter()
    # As its users do it: lines of like length together, padded to the longest.
    order = sorted(range(count), key=lambda line: -len(sources[line]))
    with torch.inference_mode():
        for first in range(0, count, batch):
            lines = order[first : first + batch]
            width = max(len(sources[line]) for line in lines)
            ids = torch.tensor([sources[line] + [pad] * (width - len(sources[line])) for line in lines])
            mask = torch.tensor([[1] * len(sources[line]) + [0] * (width - len(sources[line])) for line in lines])
            found = model.generate(
                input_ids=ids, attention_mask=mask, do_sample=False, num_beams=round["beams"],
                min_new_tokens=0 if round["ends"] else most, max_new_tokens=most, length_penalty=1.0, early_stopping=False,
            )  # fmt: skip
            for line, answer in zip(lines, found[:, 1:].tolist()):
                answers[line] = answer[: answer.index(eos) + 1] if round["ends"] and eos in answer else answer
    return dict(seconds=time.perf_counter() - start, answers=answers)


serve(predict, name="transformers", version=transformers.__version__, threads=torch.get_num_threads())
