"""Makes tests/fixtures/marian: tiny Marian models as Transformers writes them, beside what Transformers answers to them.

    python scripts/reference/marian.py [VARIANT ...]        (about a minute each)

How weights and inputs are drawn, and what each file holds: README.md beside this.
"""

import json
import random
import shutil
import sys
from pathlib import Path

import torch
from bart_batch import Redraw, batch_answers
from bart_family import draw_inner, draw_wide, make_all, some_trained, teach, training_answers, write_expected
from bart_search import MaskedSource, answers_in_batches
from safetensors.torch import load_file
from transformers import MarianConfig, MarianMTModel

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "marian"

COMMON = dict(
    vocab_size=60, decoder_vocab_size=60, d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32,
    decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=48,
    activation_function="swish", dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, scale_embedding=True,
    pad_token_id=59, decoder_start_token_id=59, eos_token_id=0, forced_eos_token_id=0,
)  # fmt: skip
# As the hub's translation models carry it: the sums of beams are of probabilities without padding.
PUBLISHED = dict(bad_words_ids=[[59]], renormalize_logits=True, num_beams=4, max_length=24)
# `decoder`: the size of a vocabulary of the decoder's own; `pad_bias`: padding is likely, and so is chosen unless banned.
VARIANTS = {
    "published": dict(config={}, generation=PUBLISHED, pad_bias=2.0, training=True),
    "loose": dict(
        config=dict(
            encoder_layers=1, decoder_layers=3, encoder_ffn_dim=24, decoder_ffn_dim=40, encoder_attention_heads=4,
            activation_function="gelu", forced_eos_token_id=None, num_beams=2,
        ),
        pad_bias=5.0,
    ),
    "separate": dict(
        config=dict(
            decoder_attention_heads=4, share_encoder_decoder_embeddings=False, activation_function="relu",
            scale_embedding=False,
        ),
        decoder=75, generation={**PUBLISHED, "num_beams": 6}, pad_bias=1.0, training=True,
    ),
    "untied": dict(
        config=dict(tie_word_embeddings=False, d_model=24, decoder_layers=1, bad_words_ids=[[59], [7, 8]]), pad_bias=4.0
    ),
    "untied-separate": dict(
        config=dict(tie_word_embeddings=False, share_encoder_decoder_embeddings=False, encoder_layers=3), decoder=64,
        pad_bias=0.0,
    ),
}  # fmt: skip

# The strictest first: most inputs that have a near tie anywhere are then dropped early.
SETTINGS = {
    "never": dict(max_length=20, num_beams=5, length_penalty=-0.5, early_stopping="never"),
    "penalties": dict(max_length=20, num_beams=4, repetition_penalty=1.7, no_repeat_ngram_size=3, min_length=5),
    "forced": dict(max_length=12, num_beams=3, forced_bos_token_id=5, forced_eos_token_id=0, no_repeat_ngram_size=2),
    "several": dict(max_length=20, num_beams=3, length_penalty=0.8, early_stopping=False, num_return_sequences=3),
    "ngrams": dict(max_length=20, num_beams=1, min_length=8, no_repeat_ngram_size=2),
    "short": dict(max_length=6, num_beams=4, length_penalty=1.0, early_stopping=True, renormalize_logits=True),
    "stored": dict(),
    "greedy": dict(max_length=20, num_beams=1),
}


class MaskedMarian(MaskedSource, MarianMTModel):
    pass


def new_model(config):
    """Transformers 4.49 gives the decoder the encoder's number of embeddings, and resized ones no padding."""
    size = config.decoder_vocab_size
    config.decoder_vocab_size = config.vocab_size
    model = MaskedMarian(config)
    if size != config.vocab_size:
        model.resize_decoder_token_embeddings(size)
        model.model.decoder.embed_tokens.padding_idx = config.pad_token_id
    return model.eval()


def load(folder):
    model = new_model(MarianConfig.from_pretrained(folder))
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    tied = model._tied_weights_keys
    assert not unexpected and all("embed_positions" in name or name in tied for name in missing), (missing, unexpected)
    model.tie_weights()
    model.generation_config = model.generation_config.from_pretrained(folder)
    return model


def make(name, seed):
    variant, folder = VARIANTS[name], FIXTURES / name
    rng = random.Random(f"{name} {seed}")
    config = MarianConfig(**{**COMMON, **variant["config"], "decoder_vocab_size": variant.get("decoder", 60)})
    specials = {config.pad_token_id, config.eos_token_id}

    def draw_source(length):
        return [*draw_inner(rng, length - 1, config.vocab_size, specials), config.eos_token_id]

    def draw_target(length):
        return [*draw_inner(rng, length - 1, config.decoder_vocab_size, specials), config.eos_token_id]

    def draw_pair():
        source = draw_source(rng.randint(2, 10))
        return source, source

    taught = new_model(config)
    draw_wide(taught, seed, logits_bias=0.5)
    with torch.no_grad():
        taught.final_logits_bias[0, config.pad_token_id] = 0.0
    teach(taught, draw_pair)
    taught.final_logits_bias[0, config.pad_token_id] = variant["pad_bias"]
    shutil.rmtree(folder, ignore_errors=True)
    taught.save_pretrained(folder)
    if "generation" in variant:
        file = folder / "generation_config.json"
        stored = json.loads(file.read_text())
        del stored["_from_model_config"]
        file.write_text(json.dumps({**stored, **variant["generation"]}, indent=2) + "\n")
    model = load(folder)
    expected = dict(seed=seed)
    expected["batch"], tensors = batch_answers(model, draw_source, draw_target)
    if variant.get("training"):
        rows = {
            side: [[draw(rng.randint(2, 12)) for _ in range(count)] for draw in (draw_source, draw_target)]
            for side, count in (("train", 8), ("eval", 5))
        }
        expected["training"], trained = training_answers(lambda: load(folder), rows, config)
        tensors |= some_trained(trained)
    expected["generation"] = answers_in_batches(model, lambda: draw_source(rng.randint(2, 16)), rng, SETTINGS)
    answers = [answer for each in expected["generation"]["settings"].values() for answer in each["answers"]]
    padded = sum(config.pad_token_id in ids[1:] for answer in answers for ids in answer["sequences"])
    if (padded > 0) != (name == "loose"):
        raise Redraw(f"{padded} answers hold padding")
    return write_expected(folder, expected, tensors)


if __name__ == "__main__":
    make_all(sys.argv[1:] or VARIANTS, make)
