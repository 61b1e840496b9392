"""Writes a model whose random weights give varied answers, for the decoding servers.

    python make_model.py DIRECTORY bart|marian

DIRECTORY/hf is the model as Transformers saves it (no tokenizer), DIRECTORY/ct2 the same for CTranslate2 in float32,
and DIRECTORY/sources.json holds 32 sources of 32 ids. DIRECTORY/ending has the same but for the end token, which
comes by itself there, and 2,000 sources as long as real lines. bart has the size of facebook/bart-base, marian that of the
Helsinki-NLP/opus-mt models. The usual initialisation (0.02 everywhere) would answer every source with one token over
and over. Here positions and the feed-forward parts outweigh what is alike in all steps, signs in the last layer norm
keep a token from making itself likely, and wide embeddings keep the best tokens well apart.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from bart_base import CONFIG, token
from ctranslate2.converters.transformers import TransformersConverter
from real_lines import lengths


@dataclass
class Kind:
    model: type
    config: transformers.PretrainedConfig
    # Names of the special tokens by id; every other id is its own token's name.
    specials: dict
    # The ids that a source begins and ends with.
    frame: tuple
    # Of the words' embeddings.
    width: float


LINES = 2000
# In how many of the steps an answer ends, where answers are to end by themselves.
END_SHARE = 0.04
MARIAN_SIZE = 58101
MARIAN_PAD = MARIAN_SIZE - 1
KINDS = {
    "bart": Kind(
        transformers.BartForConditionalGeneration,
        transformers.BartConfig(**CONFIG),
        {0: "<s>", 1: "<pad>", 2: "</s>", 3: "<unk>"},
        frame=([0], [2]),
        width=0.2,
    ),
    "marian": Kind(
        transformers.MarianMTModel,
        transformers.MarianConfig(
            vocab_size=MARIAN_SIZE, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
            decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, max_position_embeddings=512,
            activation_function="swish", scale_embedding=True, static_position_embeddings=True,
            pad_token_id=MARIAN_PAD, decoder_start_token_id=MARIAN_PAD, eos_token_id=0, forced_eos_token_id=None,
            # As in the published models: the padding, which also starts the decoder, is never an answer.
            bad_words_ids=[[MARIAN_PAD]],
        ),
        {0: "</s>", 1: "<unk>", MARIAN_PAD: "<pad>"},
        frame=([], [0]),
        width=0.08,
    ),
}  # fmt: skip


class NumberTokenizer:
    """Stands in for a tokenizer while converting: each id is its own token's name."""

    def __init__(self, kind):
        self.bos_token, self.pad_token, self.eos_token, self.unk_token = "<s>", "<pad>", "</s>", "<unk>"
        self.tokens = [kind.specials.get(id, str(id)) for id in range(kind.config.vocab_size)]

    def get_vocab(self):
        return {name: id for id, name in enumerate(self.tokens)}

    def convert_ids_to_tokens(self, id):
        return self.tokens[id]


class Converter(TransformersConverter):
    def __init__(self, path, kind):
        super().__init__(path)
        self.kind = kind

    def load_model(self, model_class, path, **_):
        return model_class.from_pretrained(path)

    def load_tokenizer(self, *_, **__):
        return NumberTokenizer(self.kind)


def make_model(kind):
    torch.manual_seed(0)
    model = kind.model(kind.config).eval()
    # Gains of matrices over 1/√inputs, standard deviations of vectors and embeddings.
    gains = {"q_proj": 2.0, "k_proj": 2.0, "out_proj": 0.4, "fc1": 1.5, "fc2": 1.5, "v_proj": 1.0}
    widths = {"bias": 0.05, "embed_positions": 0.8, "shared": kind.width}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            width = next((width for part, width in widths.items() if part in name), None)
            gain = next((gain for part, gain in gains.items() if part in name), None)
            if parameter.requires_grad and (width or gain):
                parameter.normal_(0, width or gain * parameter.shape[1] ** -0.5)
        if kind.config.decoder_start_token_id == kind.config.pad_token_id:
            # CTranslate2 starts such a decoder from zeros, and as published the padding's embedding is that.
            model.model.shared.weight[kind.config.pad_token_id] = 0
        scale = model.model.decoder.layers[-1].final_layer_norm.weight
        scale.copy_(torch.randn_like(scale).sign() * (0.75 + 0.5 * torch.rand_like(scale)))
    return model


def make_source(row, kind, length=32):
    first, last = kind.frame
    return [*first, *(token(2000 + row, column) for column in range(length - len(first + last))), *last]


def let_end(model, sources):
    """Biases the end token so that it is the best one in as many steps as END_SHARE says: answers end by themselves."""
    ids, eos = torch.tensor(sources), model.config.eos_token_id
    with torch.inference_mode():
        found = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), min_new_tokens=64, max_new_tokens=64,
            return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
        logits = torch.stack(found.logits)
        others = logits.clone()
        others[..., eos] = -torch.inf
        behind = others.amax(-1) - logits[..., eos]
        model.final_logits_bias[0, eos] = behind.flatten().quantile(END_SHARE)


def main(directory, kind):
    torch.set_num_threads(2)
    model = make_model(kind)
    save(model, directory, kind)
    sources = [make_source(row, kind) for row in range(32)]
    (directory / "sources.json").write_text(json.dumps(sources) + "\n")
    let_end(model, sources)
    save(model, directory / "ending", kind)
    lines = [make_source(row, kind, length + len(kind.frame[0] + kind.frame[1])) for row, length in enumerate(lengths(LINES))]
    (directory / "ending" / "sources.json").write_text(json.dumps(lines) + "\n")


def save(model, directory, kind):
    model.save_pretrained(directory / "hf")
    Converter(str(directory / "hf"), kind).convert(str(directory / "ct2"), quantization="float32", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), KINDS[sys.argv[2]])
