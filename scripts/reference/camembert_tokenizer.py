"""Writes tests/fixtures/tokenizers/camembert: see mbart_tokenizer.py.

    python scripts/reference/camembert_tokenizer.py
"""

from mbart_tokenizer import train, write
from transformers import CamembertTokenizerFast


def more(serialized):
    post = serialized["post_processor"]
    start, text, end = post["single"]
    vocab = [token for token, _ in serialized["model"]["vocab"]]
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", vocab.index("</s>")], "cls": ["<s>", vocab.index("<s>")]}
    return {
        "template": ("fast", {}, {"post_processor": {**post, "single": [start, start, text, end]}}),
        "roberta": ("fast", {}, {"post_processor": {**roberta, "trim_offsets": True, "add_prefix_space": False}}),
        "new-cls": ("slow", {"tokenizer_config.json": {"cls_token": "<pad>"}}, {}),
    }


if __name__ == "__main__":
    write("camembert", CamembertTokenizerFast, train("nmt_nfkc"), more)
