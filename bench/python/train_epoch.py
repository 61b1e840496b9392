"""One epoch of training in plain PyTorch, done well, as a server of timed rounds: the other side of bench/train-epoch.ts.

    python train_epoch.py '{"directory": "…", "type": "bart"}'

Rows are tokenised before; batches hold rows of like length, sorted within windows of 64 batches and shuffled, padded to
their longest. AdamW (fused where it can be), clipping by norm, a linear schedule with warm-up.
"""

import math
import random
import time
from pathlib import Path

import torch
from bart_base import serve, settings
from transformers import (
    AutoTokenizer,
    BartForConditionalGeneration,
    BertLMHeadModel,
    BertModel,
    EncoderDecoderModel,
    get_linear_schedule_with_warmup,
)

options = settings(dict(threads=2, directory="", type="bart"))
torch.set_num_threads(options["threads"])
directory = Path(options["directory"])
is_bart = options["type"] == "bart"
place = directory / "model"
lines = (directory / "rows.tsv").read_text(encoding="utf-8").split("\n")[1:-1]
rows = [line.split("\t") for line in lines]
source_tokenizer = AutoTokenizer.from_pretrained(place if is_bart else place / "encoder")
target_tokenizer = source_tokenizer if is_bart else AutoTokenizer.from_pretrained(place / "decoder")


def load(dropout):
    if is_bart:
        off = {} if dropout else dict(dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)
        return BartForConditionalGeneration.from_pretrained(place, **off)
    off = {} if dropout else dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    encoder = BertModel.from_pretrained(place / "encoder", add_pooling_layer=False, **off)
    decoder = BertLMHeadModel.from_pretrained(place / "decoder", is_decoder=True, add_cross_attention=True, **off)
    return EncoderDecoderModel(encoder=encoder, decoder=decoder)


def batches(examples, size):
    random.Random(1).shuffle(examples)
    window = size * min(64, math.ceil(math.sqrt(len(examples) / size)))
    ordered = []
    for start in range(0, len(examples), window):
        ordered += sorted(examples[start : start + window], key=lambda each: len(each[0]) + len(each[1]))
    found = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    random.Random(2).shuffle(found)
    return found


def pad(sequences, value):
    longest = max(map(len, sequences))
    return torch.tensor([sequence + [value] * (longest - len(sequence)) for sequence in sequences])


def epoch(round):
    model = load(round["dropout"]).train()
    texts = rows[: round["rows"]]
    start = time.perf_counter()
    sources = source_tokenizer([source for source, _ in texts], truncation=True, max_length=128)["input_ids"]
    targets = target_tokenizer([target for _, target in texts], truncation=True, max_length=128)["input_ids"]
    planned = batches(list(zip(sources, targets)), round["batch"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-5, weight_decay=0.0, fused=True)
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.06 * len(planned)), len(planned))
    total = 0.0
    for batch in planned:
        source = pad([each[0] for each in batch], source_tokenizer.pad_token_id)
        mask = (source != source_tokenizer.pad_token_id).long()
        if is_bart:
            labels = pad([each[1] for each in batch], -100)
            loss = model(input_ids=source, attention_mask=mask, labels=labels, use_cache=False).loss
        else:
            decoder_input = pad([each[1][:-1] for each in batch], target_tokenizer.pad_token_id)
            labels = pad([each[1][1:] for each in batch], -100)
            logits = model(
                input_ids=source,
                attention_mask=mask,
                decoder_input_ids=decoder_input,
                decoder_attention_mask=(decoder_input != target_tokenizer.pad_token_id).long(),
                use_cache=False,
            ).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item()
    return dict(seconds=time.perf_counter() - start, loss=total / len(planned))


serve(epoch, name="torch", version=torch.__version__)
