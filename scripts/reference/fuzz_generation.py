"""Random settings of generation on the tiny models of tests/fixtures: what Transformers answers, for fuzz_generation.mjs.

    python scripts/reference/fuzz_generation.py 300 1 cases.json      (how many, seed, file)
    node scripts/reference/fuzz_generation.mjs cases.json

Greedy search, beams and groups of beams, with ids and, of beams, scores. Answers that hang on the last digits, where the best
tokens are nearly alike, may differ: the second script shows each with its scores.
"""

import json
import random
import sys
import warnings
from pathlib import Path

import torch
import transformers

warnings.filterwarnings("ignore")
transformers.utils.logging.set_verbosity_error()
FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures"
MODELS = ["bart/base", "bart/uneven", "bart/bias", "translation/marian", "translation/mbart50", "encoder-decoder/bert2bert"]


def settings_of(draw, vocab, special):
    words = lambda: [[draw.choice(vocab) for _ in range(draw.choice([1, 1, 2]))] for _ in range(draw.randint(1, 4))]
    beams = draw.choice([1, 1, 2, 3, 4])
    settings = dict(num_beams=beams, max_length=draw.randint(5, 24))
    if beams > 1:
        settings["early_stopping"] = draw.choice([True, False, "never"])
        settings["length_penalty"] = draw.choice([-1.0, 0.0, 0.7, 1.0, 2.0])
        settings["num_return_sequences"] = draw.randint(1, beams)
        if beams == 4 and draw.random() < 0.5:
            settings.update(num_beam_groups=draw.choice([2, 4]), diversity_penalty=draw.choice([0.5, 2.0]))
    for name, values, share in [
        ("min_length", [3, 8], 0.25), ("min_new_tokens", [2, 6], 0.2), ("repetition_penalty", [0.8, 1.3, 2.0], 0.3),
        ("no_repeat_ngram_size", [1, 2, 3], 0.25), ("bad_words_ids", [words()], 0.25),
        ("suppress_tokens", [[draw.choice(vocab) for _ in range(3)]], 0.15), ("renormalize_logits", [True], 0.15),
        ("forced_bos_token_id", [draw.choice(vocab)], 0.2), ("forced_eos_token_id", [special["eos_token_id"], None], 0.3),
    ]:  # fmt: skip
        if draw.random() < share:
            settings[name] = draw.choice(values)
    # Transformers only warns of lengths that cannot be; here they are refused.
    if max(settings.get("min_length", 0), 1 + settings.get("min_new_tokens", 0)) > settings["max_length"]:
        settings["max_length"] += 8
    if settings.get("forced_bos_token_id") in settings.get("suppress_tokens", []):
        del settings["suppress_tokens"]
    prefix = [draw.choice(vocab) for _ in range(draw.randint(1, 3))] if draw.random() < 0.25 else []
    if prefix:
        settings.pop("forced_bos_token_id", None)
        settings["max_length"] += len(prefix)
    return settings, prefix


def main(count, seed, file):
    draw = random.Random(seed)
    cases = []
    models = {}
    while len(cases) < count:
        place = draw.choice(MODELS)
        if place not in models:
            models[place] = transformers.AutoModelForSeq2SeqLM.from_pretrained(FIXTURES / place).eval()
        model = models[place]
        config = model.generation_config
        start = config.decoder_start_token_id if config.decoder_start_token_id is not None else model.config.decoder_start_token_id
        ends = config.eos_token_id if config.eos_token_id is not None else model.config.eos_token_id
        size = model.config.vocab_size if hasattr(model.config, "vocab_size") else model.config.encoder.vocab_size
        target = getattr(getattr(model.config, "decoder", None), "vocab_size", size)
        vocab = [id for id in range(4, min(size, target)) if id not in (start, ends, config.pad_token_id)]
        settings, prefix = settings_of(draw, vocab, dict(eos_token_id=ends))
        source = [draw.choice(vocab) for _ in range(draw.randint(1, 12))] + [ends]
        # A prefix stands behind the token that would be forced without it.
        bos = [] if config.forced_bos_token_id is None else [config.forced_bos_token_id]
        given = {}
        if prefix:
            given["decoder_input_ids"] = torch.tensor([[start, *bos, *prefix]])
            settings["max_length"] += len(bos)
        try:
            with torch.inference_mode():
                output = model.generate(
                    input_ids=torch.tensor([source]), return_dict_in_generate=True, output_scores=True, **settings, **given
                )
        except (ValueError, IndexError):
            continue
        scores = getattr(output, "sequences_scores", None)
        if scores is not None and not (scores > -1e6).all():
            continue
        cases.append(dict(
            model=place, settings=settings, prefix=prefix, source=source, answers=output.sequences.tolist(),
            scores=None if scores is None else scores.tolist(),
        ))  # fmt: skip
    Path(file).write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
