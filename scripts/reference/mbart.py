"""Makes tests/fixtures/mbart and mbart50: tiny mBARTs as Transformers writes them, beside what Transformers answers to them.

    python scripts/reference/mbart.py [VARIANT ...]        (about a minute each)

How weights and inputs are drawn, and what each file holds: README.md beside this.
"""

import random
import shutil
import sys
from pathlib import Path

import torch
from bart_batch import batch_answers
from bart_family import (
    copy_embeddings,
    draw_inner,
    draw_wide,
    make_all,
    some_trained,
    teach,
    training_answers,
    write_expected,
)
from bart_search import MaskedSource, answers_in_batches
from transformers import MBartConfig, MBartForConditionalGeneration

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures"

SOURCE_CODE, TARGET_CODE = 61, 62
COMMON = dict(
    vocab_size=64, d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
    encoder_attention_heads=2, decoder_attention_heads=2, max_position_embeddings=48, activation_function="gelu",
    dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, scale_embedding=True,
)  # fmt: skip
VARIANTS = {
    "mbart/tied": dict(config=dict(), training=True),
    "mbart/untied": dict(
        config=dict(tie_word_embeddings=False, scale_embedding=False, activation_function="relu", encoder_layers=3)
    ),
    "mbart/wide": dict(
        config=dict(
            d_model=24, decoder_layers=1, decoder_ffn_dim=40, decoder_attention_heads=4, forced_eos_token_id=None,
            dropout=0.1, attention_dropout=0.2, activation_dropout=0.3,
        ),
        logits_bias=0.7,
    ),
    "mbart50/tied": dict(
        config=dict(
            decoder_start_token_id=2, num_beams=5, max_length=20, early_stopping=True, activation_function="relu"
        ),
        training=True,
    ),
    "mbart50/untied": dict(config=dict(decoder_start_token_id=2, tie_word_embeddings=False, decoder_layers=3)),
}  # fmt: skip

# The strictest first: most inputs that have a near tie anywhere are then dropped early.
SETTINGS = {
    "never": dict(max_length=20, num_beams=5, length_penalty=-0.5, early_stopping="never"),
    "penalties": dict(max_length=20, num_beams=4, repetition_penalty=1.7, no_repeat_ngram_size=3, min_length=5),
    "normalised": dict(max_length=12, num_beams=3, bad_words_ids=[[1], [62]], renormalize_logits=True),
    "several": dict(max_length=20, num_beams=3, length_penalty=0.8, early_stopping=False, num_return_sequences=3),
    "ngrams": dict(max_length=20, num_beams=1, min_length=8, no_repeat_ngram_size=2),
    "short": dict(max_length=6, num_beams=4, length_penalty=1.0, early_stopping=False, forced_eos_token_id=2),
    "stored": dict(),
    "greedy": dict(max_length=20, num_beams=1),
}


class MaskedMBart(MaskedSource, MBartForConditionalGeneration):
    pass


def load(folder):
    model, info = MaskedMBart.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert not any(info.values()), info
    assert torch.equal(model.model.shared.weight, model.model.encoder.embed_tokens.weight)
    model.model.set_input_embeddings(model.model.shared)
    return model.eval()


def make(name, seed):
    variant, folder = VARIANTS[name], FIXTURES / name
    rng = random.Random(f"{name} {seed}")
    config = MBartConfig(**{**COMMON, **variant["config"]})
    is_mbart50 = name.startswith("mbart50")
    specials = {config.bos_token_id, config.pad_token_id, config.eos_token_id, SOURCE_CODE, TARGET_CODE}

    def with_code(code, length):
        inner = [*draw_inner(rng, length - 2, config.vocab_size, specials), config.eos_token_id]
        return [code, *inner] if is_mbart50 else [*inner, code]

    def draw_source(length):
        return with_code(SOURCE_CODE, length)

    def draw_target(length):
        return with_code(TARGET_CODE, length)

    def draw_pair():
        source = draw_source(rng.randint(3, 11))
        return source, [TARGET_CODE if token == SOURCE_CODE else token for token in source]

    taught = MBartForConditionalGeneration(config).eval()
    draw_wide(taught, seed, variant.get("logits_bias"))
    teach(taught, draw_pair)
    shutil.rmtree(folder, ignore_errors=True)
    taught.save_pretrained(folder)
    if not config.tie_word_embeddings:
        copy_embeddings(folder)
    model = load(folder)
    expected = dict(seed=seed)
    # Dropout is for training alone: none of the answers has any.
    expected["batch"], tensors = batch_answers(model, draw_source, draw_target)
    if variant.get("training"):
        rows = {
            side: [[draw(rng.randint(3, 12)) for _ in range(count)] for draw in (draw_source, draw_target)]
            for side, count in (("train", 8), ("eval", 5))
        }
        expected["training"], trained = training_answers(lambda: load(folder), rows, config)
        tensors |= some_trained(trained)
    code = dict(forced_bos_token_id=TARGET_CODE) if is_mbart50 else dict(decoder_start_token_id=TARGET_CODE)
    settings = {setting: {**arguments, **code} for setting, arguments in SETTINGS.items()}
    expected["generation"] = answers_in_batches(model, lambda: draw_source(rng.randint(3, 16)), rng, settings)
    return write_expected(folder, expected, tensors)


if __name__ == "__main__":
    make_all(sys.argv[1:] or VARIANTS, make)
