"""Decoding with CTranslate2, as a server of timed rounds; rounds and replies as in hf_decode.py.

    python ct2_decode.py '{"directory": "bench/.cache/decode/bart", "threads": 2}'
"""

import json
import time
from pathlib import Path

import ctranslate2
from bart_base import serve, settings

options = settings(dict(directory=None, threads=2, compute_type="float32"))
directory = Path(options["directory"])
translator = ctranslate2.Translator(
    str(directory / "ct2"), device="cpu", compute_type=options["compute_type"], inter_threads=1,
    intra_threads=options["threads"],
)  # fmt: skip
names = json.loads((directory / "ct2" / "shared_vocabulary.json").read_text())
ids = {name: id for id, name in enumerate(names)}
sources = [[names[id] for id in source] for source in json.loads((directory / "sources.json").read_text())]


def decode(round):
    count = round["new_tokens"]
    start = time.perf_counter()
    results = translator.translate_batch(
        sources[: round["batch"]], max_batch_size=round["batch"], beam_size=round["beams"], length_penalty=1.0,
        min_decoding_length=count, max_decoding_length=count,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    answers = [[ids[name] for name in result.hypotheses[0]] for result in results]
    return dict(seconds=seconds, answers=answers)


serve(decode, name="ctranslate2", version=ctranslate2.__version__, threads=options["threads"])
