"""Loads a directory that this package saved with Transformers and prints, as JSON, what Transformers makes of it.

    python scripts/reference/check_saved.py DIR [ROWS] [--generate '{"num_beams": 4, "max_length": 20}']

ROWS are either a .tsv with the columns input_text and target_text, or a .jsonl of {"source": [ids], "target": [ids]}
for models without a tokenizer. Printed: weights that are missing, unexpected or of another shape (all empty when the
directory is right), whether encoder and decoder look tokens up in `shared` (an untied model whose file lacks the copies
of it gets random ones, without a word), whether logits are finite, and for given rows the loss over all label tokens
and each row's answer.
"""

import argparse
import csv
import json
from pathlib import Path

import torch
from bart_batch import batch_of
from bart_search import MaskedBart, generate
from transformers import AutoTokenizer
from transformers.utils import logging


def read_rows(path, tokenizer):
    """Sources and targets as lists of ids."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [row["source"] for row in rows], [row["target"] for row in rows]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple([tokenizer(row[column])["input_ids"] for row in rows] for column in ("input_text", "target_text"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("rows", type=Path, nargs="?")
    parser.add_argument("--generate", type=json.loads, default={}, help="arguments of generate(), as JSON")
    options = parser.parse_args()
    torch.set_num_threads(2)
    logging.set_verbosity_error()

    model, info = MaskedBart.from_pretrained(options.directory, output_loading_info=True)
    model.eval()
    ids = torch.tensor([[model.config.bos_token_id, model.config.eos_token_id]])
    report = dict(
        missing=info["missing_keys"], unexpected=info["unexpected_keys"], mismatched=info["mismatched_keys"],
        one_input_embedding=torch.equal(model.model.shared.weight, model.model.encoder.embed_tokens.weight),
        finite=bool(model(input_ids=ids).logits.isfinite().all()),
    )  # fmt: skip
    has_tokenizer = any((options.directory / name).exists() for name in ("tokenizer.json", "vocab.json"))
    tokenizer = AutoTokenizer.from_pretrained(options.directory) if has_tokenizer else None
    if tokenizer:
        report.update(tokens=len(tokenizer), vocab_size=model.config.vocab_size)
    if options.rows:
        sources, targets = read_rows(options.rows, tokenizer)
        with torch.inference_mode():
            report["loss"] = model(**batch_of(sources, targets, model.config)).loss.item()
        setting = {"num_beams": 1, "max_length": 20, **options.generate}
        answers = [generate(model, [source], setting)[0]["sequences"] for source in sources]
        report["generated"] = answers
        if tokenizer:
            report["texts"] = [tokenizer.batch_decode(answer, skip_special_tokens=True) for answer in answers]
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
