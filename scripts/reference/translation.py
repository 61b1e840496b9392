"""Makes tests/fixtures/translation: a tiny Marian, mBART and mBART-50 with their tokenizers, and what Transformers makes of texts.

    python scripts/reference/translation.py [VARIANT ...]        (about a minute each)

The language is told as users tell it, by a code at generation: the saved files do not name it.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import sentencepiece
from bart import EVAL_ROWS, TRAIN_ROWS, WORDS, prediction_answers, write_table
from bart_family import copy_embeddings, draw_wide, make_all, teach, training_answers, write_expected
from mbart import MaskedMBart
from marian import new_model
from transformers import AutoTokenizer, MarianConfig, MarianTokenizer, MBart50Tokenizer, MBartConfig, MBartTokenizer

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "translation"
SOURCE, TARGET = "en_XX", "ro_RO"

SIZES = dict(
    d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2,
    decoder_attention_heads=2, max_position_embeddings=80, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
    scale_embedding=True,
)  # fmt: skip


def train_pieces(folder, name, texts, size, **ids):
    corpus = Path(folder) / "corpus.txt"
    corpus.write_text("\n".join(texts * 4))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(Path(folder) / name), vocab_size=size, hard_vocab_limit=False,
        normalization_rule_name="identity", minloglevel=2, pad_id=-1, unk_id=0, **ids,
    )  # fmt: skip
    return Path(folder) / f"{name}.model"


def marian_tokenizer(folder):
    sides = [[row[side] for row in TRAIN_ROWS + EVAL_ROWS] + WORDS for side in (0, 1)]
    pieces = {}
    for name, texts in zip(("source", "target"), sides):
        train_pieces(folder, name, texts, 60, bos_id=-1, eos_id=1).rename(Path(folder) / f"{name}.spm")
        model = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / f"{name}.spm"))
        pieces |= {model.id_to_piece(i): None for i in range(model.get_piece_size())}
    tokens = ["</s>", "<unk>", *(piece for piece in pieces if piece not in ("</s>", "<unk>")), ">>ro<<", "<pad>"]
    (Path(folder) / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    return MarianTokenizer.from_pretrained(folder)


def mbart_tokenizer(kind):
    def make(folder):
        texts = [text for row in TRAIN_ROWS + EVAL_ROWS for text in row] + WORDS
        pieces = train_pieces(folder, "sentencepiece.bpe", texts, 90, bos_id=1, eos_id=2)
        kind(str(pieces), src_lang=SOURCE, tgt_lang=TARGET).save_pretrained(folder)
        # What users get: the fast tokenizer of the same files.
        return AutoTokenizer.from_pretrained(folder)

    return make


VARIANTS = {
    "marian": (marian_tokenizer, "marian"),
    "mbart": (mbart_tokenizer(MBartTokenizer), "decoder_start_token_id"),
    "mbart50": (mbart_tokenizer(MBart50Tokenizer), "forced_bos_token_id"),
}


def new(kind, tokenizer):
    if kind == "marian":
        pad = tokenizer.pad_token_id
        return new_model(
            MarianConfig(
                **SIZES, vocab_size=len(tokenizer), decoder_vocab_size=len(tokenizer), activation_function="swish",
                pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=0,
                bad_words_ids=[[pad]],
            )
        )  # fmt: skip
    start = {} if kind == "decoder_start_token_id" else {"decoder_start_token_id": 2}
    return MaskedMBart(MBartConfig(**SIZES, vocab_size=len(tokenizer), activation_function="gelu", **start)).eval()


def make(name, seed):
    make_tokenizer, kind = VARIANTS[name]
    folder = FIXTURES / name
    rng = random.Random(f"{name} {seed}")
    with tempfile.TemporaryDirectory() as place:
        tokenizer = make_tokenizer(place)
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer.save_pretrained(folder, **({"legacy_format": True} if tokenizer.is_fast else {}))
    model = new(kind, tokenizer)

    def encode(source, target):
        return tokenizer(source)["input_ids"], tokenizer(text_target=target)["input_ids"]

    def draw_pair():
        text = " ".join(rng.choices([*WORDS, "café"], k=rng.randint(0, 7)))
        return encode(text, text)

    draw_wide(model, seed, logits_bias=0.5)
    if kind == "marian":
        model.final_logits_bias[0, tokenizer.pad_token_id] = 0.0
    teach(model, draw_pair, 800)
    model.save_pretrained(folder)

    def load():
        return type(model).from_pretrained(folder, attn_implementation="eager").eval()

    model = load()
    if kind != "marian":
        setattr(model.generation_config, kind, tokenizer.convert_tokens_to_ids(TARGET))
    expected = dict(seed=seed)
    rows = {}
    for side, table in (("train", TRAIN_ROWS), ("eval", EVAL_ROWS)):
        rows[side] = [list(ids) for ids in zip(*(encode(*row) for row in table))]
        write_table(folder / f"{side}.tsv", table)
    expected["training"], trained = training_answers(load, rows, model.config)
    lines, expected["predictions"] = prediction_answers(model, tokenizer, rng)
    (folder / "input.txt").write_text("".join(line + "\n" for line in lines))
    size = write_expected(folder, expected, {})
    (folder / "expected.safetensors").unlink()
    return size


if __name__ == "__main__":
    make_all(sys.argv[1:] or VARIANTS, make)
