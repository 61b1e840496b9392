"""Makes tests/fixtures/encoder-decoder: tiny encoder-decoders as Transformers writes them, beside what it answers to them.

    python scripts/reference/encoder_decoder.py [VARIANT ...]        (about a minute each)

As bart.py does it: weights drawn wide and half taught to copy, drawn anew until no choice of a search is a near tie.
"""

import math
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import sentencepiece
import torch
from bart import EVAL_ROWS, ID_SETTINGS, TRAIN_ROWS, WORDS, prediction_answers, write_table
from bart_batch import Redraw, batch_answers, batch_of
from bart_family import draw_inner, make_all, training_answers, write_expected
from bart_search import MaskedSource, answers_in_batches
from safetensors.torch import load_file, save_file
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertTokenizer,
    BertTokenizerFast,
    CamembertTokenizer,
    DistilBertTokenizerFast,
    ElectraTokenizer,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    RobertaTokenizerFast,
)

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "encoder-decoder"
TEXTS = sorted({text for pair in TRAIN_ROWS + EVAL_ROWS for text in pair})

# --- tokenizers -------------------------------------------------------------------------------------------------------

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ODD_SPECIALS = ["[unused0]", "[unused1]", "[UNK]", "[PAD]", "[MASK]", "[SEP]", "[CLS]"]


def word_piece(tokenizer_class, specials=SPECIALS, **settings):
    """Whole words, so that copying can be learned, and letters for the rest."""
    letters = sorted({letter for text in TEXTS + ["0123456789"] for letter in text if not letter.isspace()} | {"e"})
    pieces = [*specials, *letters, *(f"##{letter}" for letter in letters if letter.isalpha()), "##s", "##ing", *WORDS]
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(folder) / "vocab.txt"
        vocab.write_text("".join(f"{piece}\n" for piece in dict.fromkeys(pieces)))
        return tokenizer_class(str(vocab), **settings)


def byte_level_bpe():
    bpe = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(TEXTS * 3, vocab_size=5 + 256 + 110, special_tokens=specials, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        return RobertaTokenizerFast(*bpe.save_model(folder))


def sentence_pieces():
    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS * 3), model_prefix=f"{folder}/sentencepiece.bpe", vocab_size=60,
            character_coverage=1.0, minloglevel=2, bos_id=1, eos_id=2, unk_id=0, pad_id=-1,
        )  # fmt: skip
        return CamembertTokenizer(f"{folder}/sentencepiece.bpe.model")


# --- variants ---------------------------------------------------------------------------------------------------------

COMMON = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=40,
    hidden_act="gelu", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, vocab_size=40,
)  # fmt: skip
DISTILBERT = dict(
    dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=40, activation="gelu", dropout=0.0,
    attention_dropout=0.0, vocab_size=40,
)  # fmt: skip
IDS = dict(pad=0, start=2, end=3)

# Each variant: encoder and decoder as they differ from COMMON; the tokenizers of both, or their special ids; and how it
# is saved. `lone` names the files of a tokenizer that are left away.
VARIANTS = {
    "bert": dict(
        layout="folders", type="bert", encoder={}, decoder=dict(num_attention_heads=4),
        tokenizers=(lambda: word_piece(BertTokenizerFast), lambda: word_piece(BertTokenizer, do_lower_case=False)),
    ),
    "roberta": dict(
        layout="folders", type="roberta",
        encoder=dict(hidden_act="relu", layer_norm_eps=1e-5, type_vocab_size=1, num_attention_heads=4),
        decoder=dict(hidden_act="relu", tie_word_embeddings=False, intermediate_size=40, num_hidden_layers=1),
        tokenizers=(byte_level_bpe, lambda: word_piece(BertTokenizerFast)), lone=["encoder/tokenizer.json"],
    ),
    "distilbert": dict(
        layout="folders", type="distilbert", encoder={}, decoder=dict(hidden_act="gelu_new"),
        tokenizers=(
            lambda: word_piece(DistilBertTokenizerFast, do_lower_case=False),
            lambda: word_piece(BertTokenizerFast, do_lower_case=False),
        ),
        lone=["encoder/vocab.txt", "decoder/vocab.txt"],
    ),
    "camembert": dict(
        layout="folders", type="camembert", encoder=dict(layer_norm_eps=1e-5, type_vocab_size=1),
        decoder=dict(num_hidden_layers=3), generation_start=1,
        tokenizers=(sentence_pieces, lambda: word_piece(BertTokenizer, ODD_SPECIALS)),
    ),
    "electra": dict(
        layout="folders", type="electra", encoder=dict(embedding_size=12, num_attention_heads=4),
        decoder=dict(type_vocab_size=3), tokenizers=(lambda: word_piece(ElectraTokenizer), lambda: word_piece(BertTokenizer)),
    ),
    "bert2bert": dict(
        layout="single", type="bert", encoder=dict(num_hidden_layers=1), decoder=dict(num_hidden_layers=1),
        tokenizers=(lambda: word_piece(BertTokenizerFast), None),
    ),
    "single": dict(
        layout="single", type="electra", encoder=dict(embedding_size=12, hidden_act="gelu_new", num_attention_heads=4),
        decoder=dict(tie_word_embeddings=False, type_vocab_size=3), ids=IDS, target_ids=IDS,
    ),
    "ids": dict(
        layout="single", type="camembert", encoder=dict(type_vocab_size=1, vocab_size=60), decoder={},
        ids=dict(pad=3, start=5, end=6), target_ids=dict(pad=7, start=9, end=8), generation_start=11,
    ),
    "projected": dict(
        layout="single", type="bert", encoder=dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=3),
        decoder=dict(num_hidden_layers=1, hidden_act="silu"), ids=IDS, target_ids=IDS,
    ),
    "headed": dict(
        layout="headed", type="bert", encoder=dict(num_hidden_layers=1), decoder=dict(layer_norm_eps=1e-3),
        ids=IDS, target_ids=IDS,
    ),
}  # fmt: skip


class MaskedModel(MaskedSource, EncoderDecoderModel):
    pass


class Side:
    """One side's tokens: those of its tokenizer, or of a vocabulary without texts."""

    def __init__(self, tokenizer, ids, config):
        self.tokenizer = tokenizer
        if tokenizer:
            ids = dict(pad=tokenizer.pad_token_id, start=tokenizer.cls_token_id, end=tokenizer.sep_token_id)
        self.vocab_size = len(tokenizer) if tokenizer else config.get("vocab_size", COMMON["vocab_size"])
        self.pad, self.start, self.end = ids["pad"], ids["start"], ids["end"]

    def wrap(self, tokens):
        return [self.start, *tokens, self.end]

    @property
    def plain(self):
        return [i for i in range(self.vocab_size) if i not in (self.pad, self.start, self.end)]

    def draw(self, rng, length):
        return self.wrap(draw_inner(rng, length - 2, self.vocab_size, {self.pad, self.start, self.end}))

    def encode(self, text):
        return self.tokenizer(text)["input_ids"]


class Sides:
    def __init__(self, variant):
        makers = variant.get("tokenizers", (None, None))
        first, second = [make and make() for make in makers]
        self.source = Side(first, variant.get("ids"), variant["encoder"])
        self.target = Side(second or first, variant.get("target_ids"), variant["decoder"])

    def draw_pair(self, rng, longest):
        """A text on both sides, or a source and another token for each of its tokens."""
        if self.source.tokenizer:
            text = " ".join(rng.choices([*WORDS, "café"], k=rng.randint(0, longest // 2)))
            return self.source.encode(text), self.target.encode(text)
        source = self.source.draw(rng, rng.randint(3, longest))
        plain = self.target.plain
        return source, self.target.wrap(plain[token * 7 % len(plain)] for token in source[1:-1])

    def batch(self, pairs):
        """Labels are the target without its start, which is the first of what the decoder reads."""
        sources, targets = [list(column) for column in zip(*pairs)]
        told = SimpleNamespace(pad_token_id=self.source.pad)
        labelled = batch_of(sources, [target[1:] for target in targets], told)
        inputs = batch_of(sources, [target[:-1] for target in targets], told)["labels"]
        inputs[inputs == -100] = self.target.pad
        return dict(**labelled, decoder_input_ids=inputs, decoder_attention_mask=inputs != self.target.pad)


# --- models ---------------------------------------------------------------------------------------------------------


def configs_of(variant, sides):
    base = DISTILBERT if variant["type"] == "distilbert" else COMMON
    parts = [
        AutoConfig.for_model(
            name, **{**common, **variant[part], "vocab_size": side.vocab_size, "pad_token_id": side.pad}
        )
        for name, part, common, side in (
            (variant["type"], "encoder", base, sides.source), ("bert", "decoder", COMMON, sides.target)
        )  # fmt: skip
    ]
    return EncoderDecoderConfig.from_encoder_decoder_configs(*parts)


def tell_ids(model, variant, sides):
    """What a loader takes from the decoder's tokenizer."""
    model.config.vocab_size = model.config.decoder.vocab_size
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = variant.get("generation_start", sides.target.start)
        config.eos_token_id, config.pad_token_id = sides.target.end, sides.target.pad
    return model


def draw_model(variant, sides, seed):
    model = EncoderDecoderModel(configs_of(variant, sides)).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name.lower()
            widths = {"position_embeddings": 1.0, "embeddings.weight": 0.5, "predictions.decoder": 0.5, "bias": 0.3}
            # Queries and keys are drawn narrow: where attention is sure of itself, their gradients are rounding.
            wide = 0.5 if any(part in name for part in ("query", "key", "q_lin", "k_lin")) else 1.2
            std = next((width for part, width in widths.items() if part in name), wide / math.sqrt(parameter.shape[-1]))
            std = 0.3 if is_norm else std
            drawn = torch.randn(parameter.shape, generator=generator) * std
            parameter.copy_(drawn + (1 if is_norm and name.endswith("weight") else 0))
    return tell_ids(model, variant, sides)


def teach_to_copy(model, sides, rng):
    """Until sources matter, but not every answer is right or sure."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.0)
    for _ in range(1200):
        model.zero_grad()
        loss = model(**sides.batch([sides.draw_pair(rng, 10) for _ in range(32)])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < 0.9:
            return
    raise Redraw(f"it does not learn: loss {loss.item():.2f}")


# --- files ------------------------------------------------------------------------------------------------------------


def save(model, variant, sides, folder):
    shutil.rmtree(folder, ignore_errors=True)
    if variant["layout"] == "single":
        model.save_pretrained(folder)
        if sides.source.tokenizer:
            sides.source.tokenizer.save_pretrained(folder)
        return
    if "generation_start" in variant:
        model.decoder.config.decoder_start_token_id = variant["generation_start"]
    for part, side in (("encoder", sides.source), ("decoder", sides.target)):
        getattr(model, part).save_pretrained(folder / part)
        (folder / part / "generation_config.json").unlink(missing_ok=True)
        if side.tokenizer:
            side.tokenizer.save_pretrained(folder / part)
    for name in variant.get("lone", []):
        (folder / name).unlink()
    if variant["layout"] == "headed":
        # As the first checkpoints were made: a model with a head, no pooler, TensorFlow's names for layer norms.
        headed = AutoModelForMaskedLM.from_pretrained(folder / "encoder")
        headed.save_pretrained(folder / "encoder")
        weights = load_file(folder / "encoder" / "model.safetensors")
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        renamed = {
            next((name.replace(new, was) for new, was in old.items() if name.endswith(new)), name): tensor
            for name, tensor in weights.items()
        }
        assert all(name.startswith(("bert.", "cls.")) for name in renamed)
        save_file(renamed, folder / "encoder" / "model.safetensors", metadata={"format": "pt"})


def load(folder, variant, sides):
    if variant["layout"] == "single":
        model, info = MaskedModel.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
        assert not any(info.values()), info
    else:
        model = MaskedModel.from_encoder_decoder_pretrained(
            str(folder / "encoder"), str(folder / "decoder"),
            encoder_attn_implementation="eager", decoder_attn_implementation="eager",
        )  # fmt: skip
    if hasattr(model.encoder, "pooler"):
        model.encoder.pooler.requires_grad_(False)
    return tell_ids(model, variant, sides).eval()


def taught_by_start(model, sides):
    """Training begins with the tokenizer's start, whatever generation begins with."""
    model.config.decoder_start_token_id = sides.target.start
    return model


# --- answers ----------------------------------------------------------------------------------------------------------


def batch_tensors(model, sides, rng):
    answers, tensors = batch_answers(
        model,
        lambda length: sides.source.draw(rng, length),
        lambda length: sides.target.draw(rng, length + 1)[1:],
    )
    answers["targets"] = [[sides.target.start, *labels] for labels in answers["targets"]]
    if hasattr(model, "enc_to_dec_proj"):
        with torch.no_grad():
            tensors["encoder_projected"] = model.enc_to_dec_proj(tensors["encoder_last_hidden_state"])
    return answers, tensors


def training_pairs(sides, rng):
    if sides.source.tokenizer:
        tables = dict(train=TRAIN_ROWS, eval=EVAL_ROWS)
        return {
            name: [(sides.source.encode(source), sides.target.encode(target)) for source, target in rows]
            for name, rows in tables.items()
        }
    return {name: [sides.draw_pair(rng, 10) for _ in range(count)] for name, count in (("train", 8), ("eval", 5))}


def make(name, seed):
    variant, folder = VARIANTS[name], FIXTURES / name
    sides = Sides(variant)
    rng = random.Random(f"{name} {seed}")
    taught = draw_model(variant, sides, seed)
    teach_to_copy(taught, sides, rng)
    save(taught, variant, sides, folder)

    def loaded():
        return load(folder, variant, sides)

    model = loaded()
    for ours, theirs in zip(model.named_parameters(), taught.named_parameters(), strict=True):
        assert ours[0] == theirs[0]
        assert torch.equal(ours[1], theirs[1]) or (variant["layout"] == "headed" and "pooler" in ours[0]), ours[0]
    special = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
    expected = dict(seed=seed, config={key: getattr(model.config, key) for key in special})
    expected["batch"], tensors = batch_tensors(taught_by_start(loaded(), sides), sides, rng)

    pairs = training_pairs(sides, rng)
    columns = {side: [list(column) for column in zip(*rows)] for side, rows in pairs.items()}
    labels = {side: [sources, [target[1:] for target in targets]] for side, (sources, targets) in columns.items()}
    expected["training"], trained = training_answers(lambda: taught_by_start(loaded(), sides), labels, model.config)
    expected["training"]["ids"] = columns
    kept = [key for key in trained if ".layer.0." in key and ("attention" in key or "norm" in key.lower())]
    tensors |= {f"trained.{key}": trained[key] for key in [*kept, "decoder.cls.predictions.bias"]}

    if sides.source.tokenizer:
        whole = variant["layout"] == "single"
        encoder, decoder = [AutoTokenizer.from_pretrained(folder / ("" if whole else part)) for part in ("encoder", "decoder")]
        lines, expected["predictions"] = prediction_answers(model, encoder, rng, decoder)
        write_table(folder / "train.tsv", TRAIN_ROWS)
        write_table(folder / "eval.tsv", EVAL_ROWS)
        (folder / "input.txt").write_text("".join(line + "\n" for line in lines))
    expected["generation"] = answers_in_batches(model, lambda: sides.draw_pair(rng, 14)[0], rng, ID_SETTINGS)
    return write_expected(folder, expected, tensors)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="transformers")
    make_all(sys.argv[1:] or VARIANTS, make)
