"""Writes tests/fixtures/search: what Transformers' `generate` answers for a made-up model that a test can compute too.

    python scripts/reference/search.py        (torch, transformers 4.49; under a minute)

The model has no weights. The logits of a row are a hash of its batch item and all its tokens, so that a search that
confuses two rows, or a row's past, gets other logits:

    state  = mix(seed ^ mix(item)), then for every token, the start token included: mix(state ^ (token + 1))
    logit  = (mix(state ^ mix(id + 1)) >> 8) / 2**24 * scale + (popular where id % 5 == 0) + (eosBias where id ends)

in float32; mix is Wellons' lowbias32. `popular` makes tokens repeat. All of it is exact in float32.

searches.json       whole searches: {model, batch, settings (Python names), answers: [item][sequence] {ids, score, finished}};
                    prefix are ids behind the start token; some have tokenScores, what compute_transition_scores says
processors.json     each processor and warper alone: {settings, inputIds, scores, processed, probabilities}
beam-sampling.json  how often sampling with beams gave which answers: {model, settings, draws, counts: {"ids ids": times}}
options.json        how settings resolve: {args, generationConfig, config, expected}
"""

import json
import math
import random
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from transformers import BartConfig, BartForConditionalGeneration, GenerationConfig, GenerationMixin
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.utils import logging

warnings.filterwarnings("ignore")
logging.set_verbosity_error()
FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "search"
VOCAB = 24
SPECIAL = dict(bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2)


def mix(word):
    word = np.asarray(word, dtype=np.uint32)
    word = (word ^ (word >> 16)) * np.uint32(0x21F0AAAD)
    word = (word ^ (word >> 15)) * np.uint32(0x735A2D97)
    return word ^ (word >> 15)


def logits_of(model, items, sequences):
    state = mix(np.uint32(model["seed"]) ^ mix(items))
    for tokens in sequences.T:
        state = mix(state ^ (tokens + 1).astype(np.uint32))
    ids = np.arange(model["vocab"], dtype=np.uint32)
    hashes = mix(state[:, None] ^ mix(ids + 1)[None, :])
    logits = (hashes >> 8).astype(np.float32) / np.float32(2**24) * np.float32(model["scale"])
    logits += np.where(ids % 5 == 0, model["popular"], 0).astype(np.float32)
    logits += np.where(np.isin(ids, model["eos"]), model["eosBias"], 0).astype(np.float32)
    return torch.from_numpy(logits)


class HashConfig(PretrainedConfig):
    model_type = "hash"


class Encoder(torch.nn.Module):
    main_input_name = "input_ids"

    def forward(self, input_ids, **_):
        return BaseModelOutput(last_hidden_state=input_ids[..., None].float())


class HashModel(PreTrainedModel, GenerationMixin):
    config_class = HashConfig
    main_input_name = "input_ids"

    def __init__(self, model):
        super().__init__(HashConfig(is_encoder_decoder=True, vocab_size=model["vocab"]))
        self.model, self.encoder = model, Encoder()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def get_encoder(self):
        return self.encoder

    def prepare_inputs_for_generation(self, decoder_input_ids, encoder_outputs=None, **_):
        return dict(decoder_input_ids=decoder_input_ids, encoder_outputs=encoder_outputs)

    def forward(self, input_ids=None, decoder_input_ids=None, encoder_outputs=None, attention_mask=None, **_):
        items = encoder_outputs.last_hidden_state[:, 0, 0].long().numpy().astype(np.uint32)
        return Seq2SeqLMOutput(logits=logits_of(self.model, items, decoder_input_ids.numpy())[:, None, :])


def answers_of(model, batch, settings, prefix=None, with_token_scores=False):
    """[item][sequence], each trimmed behind its end token."""
    config = GenerationConfig(**{**SPECIAL, **settings})
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    given = {}
    if prefix:
        given["decoder_input_ids"] = torch.tensor([[SPECIAL["decoder_start_token_id"], *prefix]]).expand(batch, -1)
    host = HashModel(model)
    output = host.generate(
        torch.arange(batch)[:, None], generation_config=config, use_cache=False,
        return_dict_in_generate=True, output_scores=True, **given,
    )
    scores = getattr(output, "sequences_scores", None)
    if with_token_scores:
        beams = config.num_beams > 1
        token_scores = host.compute_transition_scores(
            output.sequences, output.scores, output.beam_indices if beams else None, normalize_logits=not beams,
        )
    answers = []
    for row, ids in enumerate(output.sequences.tolist()):
        end = next((at for at in range(1, len(ids)) if ids[at] in ends), None)
        ids = ids if end is None else ids[: end + 1]
        cut = config.forced_eos_token_id is not None and len(ids) == config.max_length
        extra = {}
        if with_token_scores and token_scores[row, : len(ids) - 1 - len(prefix or [])].isfinite().all():
            extra["tokenScores"] = token_scores[row, : len(ids) - 1 - len(prefix or [])].tolist()
        answers.append(dict(
            **extra, ids=ids, score=None if scores is None else scores[row].item(), finished=end is not None and not cut,
        ))
    count = config.num_return_sequences
    return [answers[item * count : (item + 1) * count] for item in range(batch)]


def chosen_searches():
    """Settings that random ones would seldom meet."""
    yield dict(num_beams=4, max_length=2)
    yield dict(max_length=2, forced_bos_token_id=5)
    yield dict(num_beams=3, max_length=3, forced_bos_token_id=5, forced_eos_token_id=2)
    yield dict(num_beams=4, max_length=9, eos_token_id=None, pad_token_id=1, num_return_sequences=2)
    yield dict(max_length=9, eos_token_id=None, pad_token_id=1)
    yield dict(num_beams=3, max_length=10, forced_eos_token_id=[2, 7], eos_token_id=[7, 2], num_return_sequences=3)
    yield dict(max_length=10, forced_eos_token_id=[7, 2], eos_token_id=[7, 2])
    yield dict(num_beams=2, max_length=12, no_repeat_ngram_size=1)
    yield dict(max_length=12, no_repeat_ngram_size=1)
    yield dict(num_beams=4, max_length=12, bad_words_ids=[[2], [5], [10, 15], [0, 5, 10], [20]])
    yield dict(max_length=12, bad_words_ids=[[5], [10, 15], [2, 0], [15, 0, 0]])
    yield dict(num_beams=5, max_length=12, min_length=30, num_return_sequences=5)
    yield dict(num_beams=4, max_length=12, repetition_penalty=0.7)
    yield dict(max_length=12, repetition_penalty=0.7)
    for early_stopping in (True, False, "never"):
        for length_penalty in (-1.0, 0.0, 0.6, 1.0, 2.0):
            yield dict(
                num_beams=4, max_length=14, early_stopping=early_stopping, length_penalty=length_penalty,
                num_return_sequences=4,
            )


def random_search(draw):
    beams = draw.choice([1, 1, 2, 3, 4, 5])
    ends = draw.choice([2, 2, 2, [2, 7], [7, 2, 11]])
    settings = dict(num_beams=beams, max_length=draw.randint(4, 16), eos_token_id=ends)
    if beams > 1:
        settings["early_stopping"] = draw.choice([True, False, "never"])
        settings["length_penalty"] = draw.choice([-1.0, 0.0, 0.5, 1.0, 1.0, 2.0])
        settings["num_return_sequences"] = draw.randint(1, beams)
    for name, values, share in [
        ("min_length", [3, 6, 9], 0.3),
        ("no_repeat_ngram_size", [1, 2, 3], 0.3),
        ("repetition_penalty", [0.8, 1.2, 2.5], 0.3),
        ("forced_bos_token_id", [0, 5, 13], 0.25),
        ("forced_eos_token_id", [2, 2, [2, 7]], 0.3),
        ("bad_words_ids", [[[5]], [[0, 5], [10], [2]], [[15, 15], [20, 0, 5], [3]]], 0.25),
    ]:
        if draw.random() < share:
            settings[name] = draw.choice(values)
    return settings


def later_search(draw):
    """Settings of which the first ones know nothing."""
    groups = draw.choice([1, 1, 1, 2, 3])
    settings = random_search(draw)
    prefix = None
    if groups > 1:
        settings["num_beams"] = groups * draw.randint(1, 3)
        settings["num_beam_groups"] = groups
        settings["diversity_penalty"] = draw.choice([0.3, 1.0, 4.0])
        settings["num_return_sequences"] = draw.randint(1, settings["num_beams"])
        settings["early_stopping"] = draw.choice([True, False, "never"])
        settings["length_penalty"] = draw.choice([-1.0, 0.0, 0.5, 1.0, 2.0])
    for name, values, share in [
        ("suppress_tokens", [[5], [0, 5, 10]], 0.3),
        ("begin_suppress_tokens", [[2], [5, 10, 0]], 0.3),
        ("min_new_tokens", [2, 5], 0.3),
        ("renormalize_logits", [True], 0.15),
    ]:
        if draw.random() < share:
            settings[name] = draw.choice(values)
    # Of tokens that are forced together, all equally likely, torch.topk takes any first: no one's contract.
    if isinstance(settings.get("forced_eos_token_id"), list):
        settings["forced_eos_token_id"] = 2
    # A forced token that is suppressed leaves nothing to choose: the reference takes whichever it meets first.
    if settings.get("forced_bos_token_id") in settings.get("suppress_tokens", []):
        del settings["suppress_tokens"]
    if draw.random() < 0.4:
        prefix = draw.choice([[5], [0, 10, 5], [13, 13]])
        settings["max_length"] += 1 + len(prefix)
        settings.pop("forced_bos_token_id", None)
    return settings, prefix


def renormalised_search(draw):
    words = draw.choice([[[5]], [[1], [0]], [[0, 5], [10]], [[15, 15], [20], [3]]])
    settings = dict(num_beams=draw.randint(1, 5), renormalize_logits=True, bad_words_ids=words)
    return {**random_search(draw), **settings, "num_return_sequences": 1}


def searches():
    draw = random.Random(7)
    cases = []
    settings_list = list(chosen_searches()) + [random_search(draw) for _ in range(230)]
    settings_list += [dict(num_beams=3, max_length=9, forced_eos_token_id=[2, 7], eos_token_id=[7, 2], renormalize_logits=True)]
    others = random.Random(11)
    settings_list += [renormalised_search(others) for _ in range(24)]
    for number, settings in enumerate(settings_list):
        ends = settings.get("eos_token_id", 2)
        model = dict(
            seed=number + 1, vocab=draw.choice([VOCAB, VOCAB, 40]), scale=draw.choice([2, 4, 8]),
            popular=draw.choice([0, 1, 3]), eos=ends if isinstance(ends, list) else [2], eosBias=draw.choice([-2, 0, 2, 4]),
        )
        batch = draw.choice([1, 3])
        answers = answers_of(model, batch, settings)
        # Beams of no probability are chosen by the order in which torch.topk leaves equal values: no one's contract.
        if all(answer["score"] is None or answer["score"] > -1e6 for item in answers for answer in item):
            cases.append(dict(model=model, batch=batch, settings=settings, answers=answers))
    assert len(cases) > 220, len(cases)
    return cases + later_searches()


def later_searches():
    draw = random.Random(23)
    cases = []
    for number in range(260):
        settings, prefix = later_search(draw)
        ends = settings["eos_token_id"]
        model = dict(
            seed=5000 + number, vocab=draw.choice([VOCAB, 40]), scale=draw.choice([2, 4, 8]), popular=draw.choice([0, 1, 3]),
            eos=ends if isinstance(ends, list) else [2], eosBias=draw.choice([-2, 0, 2, 4]),
        )
        batch = draw.choice([1, 3])
        # Where beams may end in several ways, the first end token is written, whose score this is not.
        scored = "num_beam_groups" not in settings and not (settings["num_beams"] > 1 and isinstance(ends, list))
        answers = answers_of(model, batch, settings, prefix, scored)
        if all(answer["score"] is None or answer["score"] > -1e6 for item in answers for answer in item):
            cases.append(dict(model=model, batch=batch, settings=settings, prefix=prefix or [], answers=answers))
    groups = sum("num_beam_groups" in case["settings"] for case in cases)
    assert len(cases) > 200 and groups > 60, (len(cases), groups)
    return cases


def processors():
    draw = random.Random(3)
    host = HashModel(dict(vocab=VOCAB))
    for settings in [
        dict(repetition_penalty=1.3), dict(repetition_penalty=0.6), dict(no_repeat_ngram_size=1),
        dict(no_repeat_ngram_size=2), dict(no_repeat_ngram_size=3),
        dict(bad_words_ids=[[5], [2], [10, 15], [5, 10, 4], [3, 3, 3, 3, 3, 3, 3, 9]]),
        dict(min_length=7), dict(min_length=6), dict(min_length=8, eos_token_id=[2, 9]),
        dict(forced_bos_token_id=4), dict(forced_eos_token_id=[2, 9], max_length=7), dict(forced_eos_token_id=2, max_length=8),
        dict(do_sample=True, top_k=0, temperature=0.7), dict(do_sample=True, top_k=0, temperature=3.0),
        dict(do_sample=True, top_k=5), dict(do_sample=True, top_k=1), dict(do_sample=True, top_k=100),
        dict(do_sample=True, top_k=1, num_beams=3), dict(do_sample=True, top_k=1, num_beams=3, eos_token_id=[2, 7, 11]),
        dict(do_sample=True, top_k=0, top_p=0.3), dict(do_sample=True, top_k=0, top_p=0.9), dict(do_sample=True, top_k=0, top_p=0.01),
        dict(do_sample=True, top_k=0, top_p=0.01, num_beams=2), dict(do_sample=True, top_k=10, top_p=0.8, temperature=1.5),
        dict(do_sample=True, temperature=0.8, top_k=12, top_p=0.95, repetition_penalty=1.4, no_repeat_ngram_size=2,
             bad_words_ids=[[7]], min_length=9),
        dict(renormalize_logits=True, num_beams=2, bad_words_ids=[[5], [10, 15]], min_length=9),
        dict(do_sample=True, top_k=0, min_p=0.05), dict(do_sample=True, top_k=0, min_p=0.4),
        dict(do_sample=True, top_k=0, min_p=0.9, num_beams=3, eos_token_id=[2, 7, 11]), dict(do_sample=True, top_k=0, min_p=1.0),
        dict(do_sample=True, top_k=0, typical_p=0.2), dict(do_sample=True, top_k=0, typical_p=0.6),
        dict(do_sample=True, top_k=0, typical_p=0.95), dict(do_sample=True, top_k=0, typical_p=0.05, num_beams=2),
        dict(do_sample=True, top_k=0, epsilon_cutoff=0.02), dict(do_sample=True, top_k=0, epsilon_cutoff=0.9, num_beams=2),
        dict(do_sample=True, top_k=0, eta_cutoff=0.05), dict(do_sample=True, top_k=0, eta_cutoff=0.9, num_beams=2),
        dict(do_sample=True, top_k=15, top_p=0.95, min_p=0.02, typical_p=0.9, epsilon_cutoff=0.01, eta_cutoff=0.01, temperature=1.5),
        dict(suppress_tokens=[5, 9, 2]), dict(begin_suppress_tokens=[5, 9], one_token=True),
        dict(begin_suppress_tokens=[5, 9]), dict(begin_suppress_tokens=[5, 9], forced_bos_token_id=4, one_token=True),
    ]:
        one_token = settings.pop("one_token", False)
        config = GenerationConfig(**{**SPECIAL, **settings})
        host._prepare_special_tokens(config)
        # 6 tokens behind which 10 → 15 and 5, 10 → 4 are bad words, and pairs and triples repeat.
        input_ids = torch.tensor([[2, 5, 10, 4, 5, 10], [2, 10, 10, 10, 10, 10], [2, 7, 3, 3, 3, 3]])
        if one_token or "forced_bos_token_id" in settings:
            input_ids = input_ids[:, :1]
        scores = torch.tensor([[round(draw.uniform(-6, 6), 3) for _ in range(VOCAB)] for _ in range(3)])
        processed = host._get_logits_processor(
            config, input_ids_seq_length=1, encoder_input_ids=input_ids, prefix_allowed_tokens_fn=None, logits_processor=[],
        )(input_ids, scores.clone())
        yield dict(
            settings=settings, inputIds=input_ids.tolist(), scores=scores.tolist(),
            processed=[[None if math.isinf(x) else x for x in row] for row in processed.tolist()],
            probabilities=processed.softmax(-1).tolist(),
        )


def beam_sampling(draws=8000):
    """One item, searched again and again: a distribution that has no simple form to compare with."""
    torch.manual_seed(0)
    for settings in [
        dict(num_beams=2, max_length=4, top_k=0, early_stopping=True),
        dict(num_beams=3, max_length=4, top_p=0.7, repetition_penalty=1.5, num_return_sequences=2, temperature=1.7),
    ]:
        settings["do_sample"] = True
        model = dict(seed=3, vocab=8, scale=2, popular=0, eos=[2], eosBias=1)
        output = HashModel(model).generate(
            torch.zeros(draws, 1, dtype=torch.long), generation_config=GenerationConfig(**SPECIAL, **settings), use_cache=False,
        )
        counts = Counter()
        for answers in output.view(draws, -1, output.shape[-1]).tolist():
            cut = [ids[: ids.index(2, 1) + 1] if 2 in ids[1:] else ids for ids in answers]
            counts[" ".join(",".join(map(str, ids)) for ids in cut)] += 1
        yield dict(model=model, settings=settings, draws=draws, counts=counts)


NAMES = [
    "num_beams", "length_penalty", "early_stopping", "max_length", "min_length", "repetition_penalty", "top_k", "top_p",
    "no_repeat_ngram_size", "num_return_sequences", "do_sample", "forced_bos_token_id", "forced_eos_token_id",
]


def options():
    """Loads a directory with these files as Transformers does and asks what `generate` makes of the arguments."""
    special = dict(SPECIAL)
    derived = {"_from_model_config": True, **special, "forced_eos_token_id": 2}
    for args, generation_config, config in [
        ({}, None, {}),
        ({}, None, dict(num_beams=4, early_stopping=True, no_repeat_ngram_size=3, forced_bos_token_id=0, max_length=33)),
        (dict(num_beams=2), None, dict(num_beams=4, length_penalty=2.0, max_length=20)),
        ({}, None, dict(forced_eos_token_id=None, top_k=None, num_beams=None)),
        ({}, None, dict(force_bos_token_to_be_generated=True)),
        ({}, None, dict(decoder_start_token_id=None)),
        ({}, derived, {}),
        ({}, {**derived, "num_beams": 3, "max_length": 40}, {}),
        ({}, {**derived, "num_beams": 3}, dict(num_beams=5)),
        ({}, {**derived, "num_beams": 3, "forced_eos_token_id": None}, {}),
        ({}, {**special, "num_beams": 3}, dict(num_beams=5, forced_bos_token_id=0, min_length=9)),
        ({}, {**special, "top_k": None, "forced_eos_token_id": [2, 7], "eos_token_id": [7, 2]}, {}),
        ({}, dict(bos_token_id=6, eos_token_id=2), {}),
        (dict(max_length=20), derived, {}),
        (dict(max_new_tokens=9), derived, {}),
        (dict(max_length=30), {**special, "max_new_tokens": 12}, {}),
        (dict(min_new_tokens=4, max_length=30), {**special, "min_length": 9}, {}),
        (dict(top_k=None, top_p=0.5, do_sample=True), {**special, "top_k": 7}, {}),
        ({}, derived, dict(max_position_embeddings=16)),
        (dict(num_beams=4, num_return_sequences=3, early_stopping="never", length_penalty=-1.0), derived, {}),
    ]:
        base = dict(
            d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1, decoder_attention_heads=1,
            encoder_ffn_dim=8, decoder_ffn_dim=8,
        )
        config = dict(model_type="bart", vocab_size=16, max_position_embeddings=64) | config
        sizes = {name: config[name] for name in ("vocab_size", "max_position_embeddings")}
        with tempfile.TemporaryDirectory() as directory:
            directory = Path(directory)
            BartForConditionalGeneration(BartConfig(**base, **sizes)).save_pretrained(directory)
            (directory / "config.json").write_text(json.dumps({**base, **config}))
            (directory / "generation_config.json").unlink()
            if generation_config is not None:
                (directory / "generation_config.json").write_text(json.dumps(generation_config))
            model = BartForConditionalGeneration.from_pretrained(directory)
        resolved, _ = model._prepare_generation_config(None, **args)
        model._prepare_special_tokens(resolved)
        resolved = model._prepare_generated_length(
            resolved, args.get("max_length") is None, args.get("min_length") is None, "input_ids", 1, torch.zeros(1, 1),
        )
        ids = {
            name: None if tensor is None else tensor.tolist()
            for name, tensor in [
                ("decoder_start_token_id", resolved._decoder_start_token_tensor), ("pad_token_id", resolved._pad_token_tensor),
                ("eos_token_id", resolved._eos_token_tensor),
            ]
        }
        yield dict(
            args=args, generationConfig=generation_config or {}, config=config,
            expected={**{name: getattr(resolved, name) for name in NAMES}, **ids},
        )


if __name__ == "__main__":
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for make in (searches, processors, beam_sampling, options):
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in make())
        (FIXTURES / f"{make.__name__.replace('_', '-')}.json").write_text(f"[\n{lines}\n]\n")
