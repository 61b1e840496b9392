"""Makes tests/fixtures/encoder-decoder: tiny encoder-decoders as Transformers writes them, beside what it answers to them.

    python scripts/reference/encoder_decoder.py [VARIANT ...]        (about a minute each)

As bart.py does it: weights drawn wide and half taught to copy, drawn anew until no choice of a search is a near tie.
"""

import itertools
import json
import math
import random
import shutil
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from bart import ID_SETTINGS, dump
from bart_batch import HYPERPARAMETERS, Redraw, batch_answers, batch_of, double_precision, largest_difference, train
from bart_search import MaskedSource, answers_in_batches
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForMaskedLM, EncoderDecoderConfig, EncoderDecoderModel
from transformers.utils import logging

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "encoder-decoder"

COMMON = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=40,
    hidden_act="gelu", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, vocab_size=40,
)  # fmt: skip
DISTILBERT = dict(
    dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=40, activation="gelu", dropout=0.0,
    attention_dropout=0.0, vocab_size=40,
)  # fmt: skip
BERT_IDS = dict(pad=0, start=2, end=3)
ROBERTA_IDS = dict(pad=1, start=0, end=2)

# Each variant: encoder and decoder as they differ from COMMON, the special ids of both, and how it is saved.
VARIANTS = {
    "bert": dict(
        layout="folders", type="bert", encoder={}, decoder=dict(num_attention_heads=4, vocab_size=50),
        ids=BERT_IDS, target_ids=dict(pad=0, start=4, end=5),
    ),
    "roberta": dict(
        layout="folders", type="roberta",
        encoder=dict(hidden_act="relu", layer_norm_eps=1e-5, type_vocab_size=1, num_attention_heads=4),
        decoder=dict(hidden_act="relu", tie_word_embeddings=False, intermediate_size=40, num_hidden_layers=1),
        ids=ROBERTA_IDS, target_ids=BERT_IDS,
    ),
    "distilbert": dict(
        layout="folders", type="distilbert", encoder={}, decoder=dict(hidden_act="gelu_new"),
        ids=BERT_IDS, target_ids=BERT_IDS,
    ),
    "camembert": dict(
        layout="single", type="camembert",
        encoder=dict(layer_norm_eps=1e-5, type_vocab_size=1, vocab_size=60, pad_token_id=3),
        decoder=dict(pad_token_id=7, num_hidden_layers=3), ids=dict(pad=3, start=5, end=6),
        target_ids=dict(pad=7, start=9, end=8), generation_start=11,
    ),
    "electra": dict(
        layout="single", type="electra", encoder=dict(embedding_size=12, hidden_act="gelu_new", num_attention_heads=4),
        decoder=dict(tie_word_embeddings=False, type_vocab_size=3), ids=BERT_IDS, target_ids=BERT_IDS,
    ),
    "projected": dict(
        layout="single", type="bert", encoder=dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=3),
        decoder=dict(num_hidden_layers=1, hidden_act="silu"), ids=BERT_IDS, target_ids=BERT_IDS,
    ),
    "headed": dict(
        layout="headed", type="bert", encoder=dict(num_hidden_layers=1), decoder=dict(layer_norm_eps=1e-3),
        ids=BERT_IDS, target_ids=BERT_IDS,
    ),
}  # fmt: skip


class MaskedModel(MaskedSource, EncoderDecoderModel):
    pass


# --- models ---------------------------------------------------------------------------------------------------------


def configs_of(variant):
    base = DISTILBERT if variant["type"] == "distilbert" else COMMON
    encoder = AutoConfig.for_model(
        variant["type"], **{**base, "pad_token_id": variant["ids"]["pad"], **variant["encoder"]}
    )
    decoder = AutoConfig.for_model(
        "bert", **{**COMMON, "pad_token_id": variant["target_ids"]["pad"], **variant["decoder"]}
    )
    return EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)


def tell_ids(model, variant):
    """What a loader takes from the decoder's tokenizer; training starts at its first token, whatever generation does."""
    ids = variant["target_ids"]
    model.config.vocab_size = model.config.decoder.vocab_size
    start = variant.get("generation_start", ids["start"])
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = start
        config.eos_token_id, config.pad_token_id = ids["end"], ids["pad"]
    return model


def draw_model(variant, seed):
    model = EncoderDecoderModel(configs_of(variant)).eval()
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
    return tell_ids(model, variant)


def draw_side(rng, length, ids, vocab_size):
    plain = [i for i in range(vocab_size) if i not in ids.values()]
    return [ids["start"], *rng.choices(plain, k=length - 2), ids["end"]]


def draw_pair(rng, variant, config, longest):
    """A source, and a target with another token for each of its tokens."""
    source = draw_side(rng, rng.randint(3, longest), variant["ids"], config.encoder.vocab_size)
    plain = [i for i in range(config.decoder.vocab_size) if i not in variant["target_ids"].values()]
    ids = variant["target_ids"]
    return source, [ids["start"], *(plain[token * 7 % len(plain)] for token in source[1:-1]), ids["end"]]


def batch(pairs, variant, config):
    """Labels are the target without its start, which is the first of what the decoder reads."""
    sources, targets = zip(*pairs)
    told = SimpleNamespace(pad_token_id=variant["ids"]["pad"])
    labelled = batch_of(list(sources), [target[1:] for target in targets], told)
    inputs = batch_of(list(sources), [target[:-1] for target in targets], told)["labels"]
    inputs[inputs == -100] = variant["target_ids"]["pad"]
    return dict(**labelled, decoder_input_ids=inputs, decoder_attention_mask=inputs != variant["target_ids"]["pad"])


def teach_to_copy(model, variant, rng):
    """Until sources matter, but not every answer is right or sure."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.0)
    for _ in range(1000):
        pairs = [draw_pair(rng, variant, model.config, 10) for _ in range(32)]
        model.zero_grad()
        loss = model(**batch(pairs, variant, model.config)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < 0.9:
            return
    raise Redraw(f"it does not learn: loss {loss.item():.2f}")


# --- files ------------------------------------------------------------------------------------------------------------


def save(model, variant, folder):
    shutil.rmtree(folder, ignore_errors=True)
    if variant["layout"] == "single":
        model.save_pretrained(folder)
        return
    model.decoder.save_pretrained(folder / "decoder")
    model.encoder.save_pretrained(folder / "encoder")
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


def load(folder, variant):
    if variant["layout"] == "single":
        model, info = MaskedModel.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
        assert not any(info.values()), info
    else:
        # Not from_encoder_decoder_pretrained of the subclass: it makes the same of the same parts.
        model = MaskedModel.from_encoder_decoder_pretrained(
            str(folder / "encoder"), str(folder / "decoder"),
            encoder_attn_implementation="eager", decoder_attn_implementation="eager",
        )  # fmt: skip
    if hasattr(model.encoder, "pooler"):
        model.encoder.pooler.requires_grad_(False)
    return tell_ids(model, variant).eval()


# --- answers ----------------------------------------------------------------------------------------------------------


def batch_with_starts(model, variant, rng):
    """The answers to one batch, whose decoder reads the tokenizer's start."""
    start = variant["target_ids"]["start"]
    generation_start, model.config.decoder_start_token_id = model.config.decoder_start_token_id, start
    answers, tensors = batch_answers(
        model,
        lambda length: draw_side(rng, length, variant["ids"], model.config.encoder.vocab_size),
        lambda length: draw_side(rng, length + 1, variant["target_ids"], model.config.decoder.vocab_size)[1:],
    )
    model.config.decoder_start_token_id = generation_start
    answers["targets"] = [[start, *labels] for labels in answers["targets"]]
    if hasattr(model, "enc_to_dec_proj"):
        with torch.no_grad():
            tensors["encoder_projected"] = model.enc_to_dec_proj(tensors["encoder_last_hidden_state"])
    return answers, tensors


def training_answers(folder, variant, rng):
    """The log of ten steps, the trained weights, and the loss on other rows before and after."""
    model = load(folder, variant)
    rows = {
        side: [draw_pair(rng, variant, model.config, 10) for _ in range(count)]
        for side, count in (("train", 8), ("eval", 5))
    }

    def eval_loss(model):
        with torch.no_grad():
            return model(**batch(rows["eval"], variant, model.config)).loss.item()

    before = eval_loss(model)
    log = train(model, batch(rows["train"], variant, model.config))
    exact_model = load(folder, variant).double()
    with double_precision():
        exact = train(exact_model, batch(rows["train"], variant, model.config))
    error = {key: max(abs(a - b) / b for a, b in zip(log[key], exact[key])) for key in ("loss", "grad_norm")}
    if error["loss"] > 1e-5 or error["grad_norm"] > 1e-4:
        raise Redraw(f"float32 training itself is off by {error}")
    final = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    worst = largest_difference(final, {name: parameter.detach() for name, parameter in exact_model.named_parameters()})
    ids = {side: list(map(list, zip(*pairs))) for side, pairs in rows.items()}
    return (
        dict(
            hyperparameters=HYPERPARAMETERS, ids=ids, **log, float32_error=error, eval_loss=before,
            eval_loss_after=eval_loss(model), norms_float32_error=worst,
        ),
        final,
    )  # fmt: skip


def make(name, seed):
    variant, folder = VARIANTS[name], FIXTURES / name
    rng = random.Random(f"{name} {seed}")
    taught = draw_model(variant, seed)
    teach_to_copy(taught, variant, rng)
    save(taught, variant, folder)
    model = load(folder, variant)
    for ours, theirs in zip(model.named_parameters(), taught.named_parameters(), strict=True):
        assert ours[0] == theirs[0]
        assert torch.equal(ours[1], theirs[1]) or (variant["layout"] == "headed" and "pooler" in ours[0]), ours[0]
    special = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
    expected = dict(seed=seed, config={key: getattr(model.config, key) for key in special})
    expected["batch"], tensors = batch_with_starts(model, variant, rng)
    expected["training"], trained = training_answers(folder, variant, rng)
    kept = [key for key in trained if ".layer.0." in key and ("attention" in key or "norm" in key.lower())]
    tensors |= {f"trained.{key}": trained[key] for key in [*kept, "decoder.cls.predictions.bias"]}
    expected["generation"] = answers_in_batches(
        model, lambda: draw_pair(rng, variant, model.config, 12)[0], rng, ID_SETTINGS
    )
    (folder / "expected.json").write_text(dump(expected) + "\n")
    save_file({key: tensor.float().contiguous() for key, tensor in tensors.items()}, folder / "expected.safetensors")
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(names):
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", module="transformers")
    warnings.filterwarnings("ignore", message="Moving the following attributes")
    for name in names or VARIANTS:
        for seed in itertools.count(1):
            try:
                size = make(name, seed)
            except Redraw as reason:
                print(f"{name}: seed {seed} refused: {reason}", file=sys.stderr)
                continue
            print(f"{name}: seed {seed}, {size} bytes")
            break


if __name__ == "__main__":
    main(sys.argv[1:])
