"""Makes tests/fixtures/bart: tiny BART models as Transformers writes them, beside what Transformers answers to them.

    python scripts/reference/bart.py [VARIANT ...]        (about a minute each)

Weights are drawn wide and then half taught to copy, so that answers depend on their source and end at different
lengths. Weights and inputs are drawn anew until no choice that a search makes is closer than GAP to another choice:
then a different answer is a different computation, never rounding. What each file holds: README.md beside this.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from bart_batch import Redraw, batch_answers, collect
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
from bart_search import MaskedSource, answers_alone, answers_in_batches, generate
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    BartTokenizer,
    BartTokenizerFast,
)

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "bart"

# Each variant: what its config adds to COMMON, and what is drawn otherwise than usual.
COMMON = dict(
    d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
    decoder_attention_heads=2, max_position_embeddings=48, activation_function="gelu", dropout=0.0,
    attention_dropout=0.0, activation_dropout=0.0, forced_bos_token_id=None, forced_eos_token_id=None,
)  # fmt: skip
VARIANTS = {
    "base": dict(
        config=dict(forced_bos_token_id=0, forced_eos_token_id=2), tokenizer="vocab.json and merges.txt"
    ),
    "uneven": dict(
        config=dict(
            encoder_layers=3, decoder_layers=1, encoder_ffn_dim=24, decoder_ffn_dim=40, encoder_attention_heads=4,
            activation_function="relu", scale_embedding=True,
        ),
        tokenizer="tokenizer.json",
    ),
    "bias": dict(
        config=dict(
            vocab_size=70, encoder_attention_heads=4, activation_function="gelu_new", bos_token_id=3, eos_token_id=7,
            pad_token_id=60, decoder_start_token_id=9, forced_bos_token_id=11, forced_eos_token_id=7,
        ),
        logits_bias=0.7,
    ),
    "untied": dict(config=dict(vocab_size=80, activation_function="silu", tie_word_embeddings=False)),
    "wide": dict(
        config=dict(
            vocab_size=120, d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=40, decoder_ffn_dim=48,
            encoder_attention_heads=4, decoder_attention_heads=8, max_position_embeddings=40, forced_eos_token_id=2,
            dropout=0.1, attention_dropout=0.2, activation_dropout=0.3,
        ),
    ),
}  # fmt: skip

# The strictest first: most inputs that have a near tie anywhere are then dropped early.
ID_SETTINGS = {
    "never": dict(max_length=20, num_beams=5, length_penalty=-0.5, early_stopping="never"),
    "penalties": dict(max_length=20, num_beams=4, repetition_penalty=1.7, no_repeat_ngram_size=3, min_length=5),
    "beams": dict(max_length=20, num_beams=4, length_penalty=2.0, early_stopping=True),
    "several": dict(max_length=20, num_beams=3, length_penalty=0.8, early_stopping=False, num_return_sequences=3),
    "ngrams": dict(max_length=20, num_beams=1, min_length=8, no_repeat_ngram_size=2),
    "short": dict(max_length=6, num_beams=4, length_penalty=1.0, early_stopping=False),
    "greedy": dict(max_length=20, num_beams=1),
}
TEXT_SETTINGS = {
    "penalties": dict(max_length=18, num_beams=4, repetition_penalty=1.7, no_repeat_ngram_size=3, min_length=5),
    "beams": dict(max_length=20, num_beams=4, length_penalty=2.0, early_stopping=True),
    "several": dict(max_length=8, num_beams=3, length_penalty=0.8, early_stopping=False, num_return_sequences=3),
    "long": dict(max_length=30, num_beams=2, length_penalty=1.0, early_stopping=True),
    "greedy": dict(max_length=20, num_beams=1),
}

TRAIN_ROWS = [
    ("the cat sat on the mat", "a cat sat"),
    ("a dog ran to the red house", "the dog ran home"),
    ("snow", "it is cold"),
    ("we had tea at the café", "tea at the café"),
    ("the sun is hot and the sand is dry", "hot sun, dry sand"),
    ("two cats and one dog", "three"),
    ("he read the old book", "he read it"),
    ("rain on the roof", "rain"),
]
EVAL_ROWS = [
    ("the dog sat on the sand", "a dog sat"),
    ("tea", "hot tea"),
    ("the old house is cold and dry", "cold old house"),
    ("one cat read", "no"),
    ("she had snow on the red roof", "snow on the roof!"),
]
WORDS = sorted({word for pair in TRAIN_ROWS + EVAL_ROWS for text in pair for word in text.split() if word.isalpha()})
# One line of input each; "…" becomes some words. The empty line has no words to redraw: the weights must suit it.
LINE_FORMS = ["", "…", "… café …", "🙂 … 日本", "…  <mask>   …", "3 …, 2 …!", "…", "\tØ …"]


# --- models ---------------------------------------------------------------------------------------------------------


class MaskedBart(MaskedSource, BartForConditionalGeneration):
    pass


def draw_ids(rng, length, config):
    specials = {config.bos_token_id, config.eos_token_id, config.pad_token_id}
    inner = draw_inner(rng, length - 2, config.vocab_size, specials)
    return [config.bos_token_id, *inner, config.eos_token_id]


def draw_sentence(rng, tokenizer, config, longest):
    """What a model is taught and asked: up to `longest` words where there is a tokenizer, else thrice as many ids."""
    if not tokenizer:
        return draw_ids(rng, rng.randint(3, 3 * longest), config)
    return tokenizer(" ".join(rng.choices([*WORDS, "café"], k=rng.randint(0, longest))))["input_ids"]


def make_tokenizer(kind):
    """A byte-level BPE with all 256 bytes and a few merges, special tokens numbered as in facebook/bart-base."""
    corpus = [text for pair in TRAIN_ROWS + EVAL_ROWS for text in pair]
    bpe = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    bpe.train_from_iterator(corpus, vocab_size=4 + 256 + 35, special_tokens=specials, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        vocab_file, merges_file = bpe.save_model(folder)
        vocab = json.loads(Path(vocab_file).read_text())
        vocab["<mask>"] = len(vocab)
        Path(vocab_file).write_text(json.dumps(vocab))
        tokenizer_class = BartTokenizerFast if kind == "tokenizer.json" else BartTokenizer
        return tokenizer_class(vocab_file, merges_file)


def save(model, tokenizer, kind, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if not model.config.tie_word_embeddings:
        copy_embeddings(folder)
    if tokenizer:
        tokenizer.save_pretrained(folder)
    if kind == "tokenizer.json":
        (folder / "vocab.json").unlink()
        (folder / "merges.txt").unlink()


def load(folder):
    model, info = MaskedBart.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert not any(info.values()), info
    assert torch.equal(model.model.shared.weight, model.model.encoder.embed_tokens.weight)
    model.model.set_input_embeddings(model.model.shared)
    return model.eval()


# --- texts ------------------------------------------------------------------------------------------------------------


def prediction_answers(model, tokenizer, rng, target_tokenizer=None):
    speller = target_tokenizer or tokenizer

    def text_of(answer):
        texts = speller.batch_decode(answer["sequences"], skip_special_tokens=True)
        tidied = speller.batch_decode(
            answer["sequences"], skip_special_tokens=True, clean_up_tokenization_spaces=True
        )
        if texts != tidied or not all(text.isprintable() and "\ufffd" not in text for text in texts):
            raise Redraw("a text whose spelling depends on the decoder's options")
        return texts

    def check(line, _):
        return {name: text_of(answer) for name, answer in answers_alone(model, encode(line), TEXT_SETTINGS).items()}

    def encode(line):
        return tokenizer(line)["input_ids"]

    def draw(form):
        parts = form.split("…")
        filled = [" ".join(rng.choices(WORDS, k=rng.randint(1, 3))) for _ in parts[1:]]
        return parts[0] + "".join(words + part for words, part in zip(filled, parts[1:]))

    chosen = [collect(lambda: draw(form), check, 1, 200 if "…" in form else 1)[0] for form in LINE_FORMS]
    lines = [line for line, _ in chosen]
    settings = {}
    for name, setting in sorted(TEXT_SETTINGS.items()):
        outputs = [texts[name] for _, texts in chosen]
        assert [text_of(answer) for answer in generate(model, list(map(encode, lines)), setting)] == outputs
        settings[name] = dict(arguments=setting, outputs=outputs)
    return lines, dict(ids=list(map(encode, lines)), settings=settings)


# --- files ------------------------------------------------------------------------------------------------------------


def write_table(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in [("input_text", "target_text"), *rows]))


def make(name, seed):
    variant, folder = VARIANTS[name], FIXTURES / name
    rng = random.Random(f"{name} {seed}")
    kind = variant.get("tokenizer")
    tokenizer = make_tokenizer(kind) if kind else None
    sizes = {"vocab_size": len(tokenizer)} if tokenizer else {}
    config = BartConfig(**{**COMMON, **variant["config"], **sizes})
    taught = BartForConditionalGeneration(config).eval()

    def draw_pair():
        source, first = draw_sentence(rng, tokenizer, config, 4), config.forced_bos_token_id
        return source, source if first is None else [first, *source[1:]]

    draw_wide(taught, seed, variant.get("logits_bias"))
    teach(taught, draw_pair)
    save(taught, tokenizer, kind, folder)
    model = load(folder)
    expected = dict(seed=seed)
    expected["batch"], tensors = batch_answers(model, *[lambda length: draw_ids(rng, length, config)] * 2)
    if kind:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert len(tokenizer) == model.config.vocab_size
        lines, expected["predictions"] = prediction_answers(model, tokenizer, rng)
        rows = {
            side: [[tokenizer(text)["input_ids"] for text in column] for column in zip(*table)]
            for side, table in (("train", TRAIN_ROWS), ("eval", EVAL_ROWS))
        }
        expected["training"], trained = training_answers(lambda: load(folder), rows, config)
        tensors |= some_trained(trained)
        write_table(folder / "train.tsv", TRAIN_ROWS)
        write_table(folder / "eval.tsv", EVAL_ROWS)
        (folder / "input.txt").write_text("".join(line + "\n" for line in lines))
    expected["generation"] = answers_in_batches(
        model, lambda: draw_sentence(rng, tokenizer, model.config, 7), rng, ID_SETTINGS
    )
    return write_expected(folder, expected, tensors)


if __name__ == "__main__":
    make_all(sys.argv[1:] or VARIANTS, make)
