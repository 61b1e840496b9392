"""Loads directories of any type that this package saved with Transformers and prints what Transformers makes of them.

    python scripts/reference/check_saved_types.py ROWS.tsv DIR [DIR ...]

ROWS have the columns input_text and target_text. Printed for each directory: weights that are missing, unexpected or of
another shape (nothing when it is right), and the mean loss over all label tokens, to be held against `seq2seq eval`.
"""

import csv
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer, BertLMHeadModel, EncoderDecoderModel
from transformers.utils import logging


def load_halves(directory):
    encoder, decoder = directory / "encoder", directory / "decoder"
    infos = [kind.from_pretrained(half, output_loading_info=True)[1]
             for kind, half in ((AutoModel, encoder), (BertLMHeadModel, decoder))]  # fmt: skip
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(encoder, decoder).eval()
    source, target = AutoTokenizer.from_pretrained(encoder), AutoTokenizer.from_pretrained(decoder)

    def logits_and_labels(row):
        ids = source(row["input_text"], return_tensors="pt")["input_ids"]
        answer = target(row["target_text"], return_tensors="pt")["input_ids"]
        return model(input_ids=ids, decoder_input_ids=answer[:, :-1]).logits[0], answer[0, 1:]

    return infos, logits_and_labels


def load_whole(directory):
    model, info = AutoModelForSeq2SeqLM.from_pretrained(directory, output_loading_info=True)
    languages = dict(src_lang="en_XX", tgt_lang="ro_RO") if model.config.model_type == "mbart" else {}
    tokenizer = AutoTokenizer.from_pretrained(directory, **languages)
    model.eval()

    def logits_and_labels(row):
        ids = tokenizer(row["input_text"], return_tensors="pt")["input_ids"]
        labels = tokenizer(text_target=row["target_text"], return_tensors="pt")["input_ids"]
        return model(input_ids=ids, labels=labels).logits[0], labels[0]

    return [info], logits_and_labels


def main():
    logging.set_verbosity_error()
    table, *directories = map(Path, sys.argv[1:])
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for directory in directories:
        infos, logits_and_labels = (load_halves if (directory / "encoder").exists() else load_whole)(directory)
        wrong = [(name, key) for info in infos for name, keys in info.items() for key in keys]
        total, count = 0.0, 0
        with torch.inference_mode():
            for row in rows:
                logits, labels = logits_and_labels(row)
                total += torch.nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                count += labels.numel()
        print(directory, wrong or "all weights fit", f"loss {total / count:.7f}")


if __name__ == "__main__":
    main()
