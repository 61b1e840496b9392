"""Prediction with CTranslate2, as a server of timed rounds; rounds and replies as in hf_predict.py.

    python ct2_predict.py '{"directory": "bench/.cache/predict/bart", "threads": 2, "compute_type": "int8"}'
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
end = "</s>"


def predict(round):
    count, most, ends = round["count"], round["new_tokens"], round["ends"]
    start = time.perf_counter()
    # It sorts by length itself.
    results = translator.translate_batch(
        sources[:count], max_batch_size=round["batch"], beam_size=round["beams"], length_penalty=1.0,
        min_decoding_length=0 if ends else most, max_decoding_length=most,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    # An answer that ended has lost its end token.
    answers = [result.hypotheses[0] for result in results]
    ended = [ids[end]] if ends else []
    return dict(
        seconds=seconds,
        answers=[[ids[name] for name in answer] + (ended if len(answer) < most else []) for answer in answers],
    )


serve(predict, name="ctranslate2", version=ctranslate2.__version__, threads=options["threads"])
