"""Writes a BART-base-size model whose random weights give varied answers, for the decoding servers.

    python make_model.py DIRECTORY

DIRECTORY/hf is the model as Transformers saves it (no tokenizer), DIRECTORY/ct2 the same for CTranslate2 in float32,
and DIRECTORY/sources.json holds 32 sources of 32 ids. The usual initialisation (0.02 everywhere) would answer every
source with one token over and over. Here positions and the feed-forward parts outweigh what is alike in all steps,
signs in the last layer norm keep a token from making itself likely, and wide embeddings keep the best tokens well
apart.
"""

import json
import sys
from pathlib import Path

import torch
from bart_base import CONFIG, token
from ctranslate2.converters.transformers import TransformersConverter
from transformers import BartConfig, BartForConditionalGeneration

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]


class NumberTokenizer:
    """Stands in for a tokenizer while converting: each id is its own token's name."""

    bos_token, pad_token, eos_token, unk_token = SPECIALS

    def __init__(self):
        self.tokens = SPECIALS + [str(id) for id in range(len(SPECIALS), CONFIG["vocab_size"])]

    def get_vocab(self):
        return {name: id for id, name in enumerate(self.tokens)}

    def convert_ids_to_tokens(self, id):
        return self.tokens[id]


class Converter(TransformersConverter):
    def load_model(self, model_class, path, **_):
        return model_class.from_pretrained(path)

    def load_tokenizer(self, *_, **__):
        return NumberTokenizer()


def make_model():
    torch.manual_seed(0)
    model = BartForConditionalGeneration(BartConfig(**CONFIG)).eval()
    # Gains of matrices over 1/√inputs, standard deviations of vectors and embeddings.
    gains = {"q_proj": 2.0, "k_proj": 2.0, "out_proj": 0.4, "fc1": 1.5, "fc2": 1.5, "v_proj": 1.0}
    widths = {"bias": 0.05, "embed_positions": 0.8, "shared": 0.2}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            width = next((width for part, width in widths.items() if part in name), None)
            gain = next((gain for part, gain in gains.items() if part in name), None)
            if width or gain:
                parameter.normal_(0, width or gain * parameter.shape[1] ** -0.5)
        scale = model.model.decoder.layers[-1].final_layer_norm.weight
        scale.copy_(torch.randn_like(scale).sign() * (0.75 + 0.5 * torch.rand_like(scale)))
    return model


def main(directory):
    torch.set_num_threads(2)
    make_model().save_pretrained(directory / "hf")
    Converter(str(directory / "hf")).convert(str(directory / "ct2"), quantization="float32", force=True)
    sources = [[0, *(token(2000 + row, column) for column in range(30)), 2] for row in range(32)]
    (directory / "sources.json").write_text(json.dumps(sources) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
