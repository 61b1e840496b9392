"""Training steps of a BART-base-size model in PyTorch, as a server of timed rounds.

    python torch_train.py '{"dropout": 0.1, "fused": false, "weights": "model.safetensors"}'

A round {"sources": [128, …], "targets": [64, …]} gives the lengths of a batch, padded to its longest with an attention
mask and labels of -100: zero_grad, forward, backward, clipping by norm and AdamW are timed. The reply has the loss
before the step and the gradients' norm before clipping. Target ids are labels; rows are counted from 1000 for them.
"""

import time

import torch
from bart_base import CONFIG, serve, settings, token
from safetensors.torch import load_file
from transformers import BartConfig, BartForConditionalGeneration

options = settings(
    dict(threads=2, dropout=0.1, fused=False, weights=None, learning_rate=4e-5, max_grad_norm=1.0, seed=0)
)
torch.set_num_threads(options["threads"])
torch.manual_seed(options["seed"])
config = BartConfig(**{**CONFIG, **{key: options["dropout"] for key in CONFIG if key.endswith("dropout")}})
model = BartForConditionalGeneration(config)
if options["weights"]:
    missing, unexpected = model.load_state_dict(load_file(options["weights"]), strict=False)
    if unexpected or not all(name.endswith(("embed_tokens.weight", "lm_head.weight")) for name in missing):
        raise SystemExit(f"{options['weights']}: weights missing {missing}, unexpected {unexpected}")
    model.tie_weights()
model.train()
optimizer = torch.optim.AdamW(
    model.parameters(), lr=options["learning_rate"], weight_decay=0.0, fused=options["fused"] or None
)


def padded(lengths, first_row, padding):
    rows = [[token(first_row + row, column) for column in range(length)] for row, length in enumerate(lengths)]
    return torch.tensor([row + [padding] * (max(lengths) - len(row)) for row in rows])


def step(round):
    sources = padded(round["sources"], 0, config.pad_token_id)
    batch = dict(
        input_ids=sources, attention_mask=(sources != config.pad_token_id).long(),
        labels=padded(round["targets"], 1000, -100),
    )  # fmt: skip
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss = model(**batch, use_cache=False).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options["max_grad_norm"])
    optimizer.step()
    return dict(seconds=time.perf_counter() - start, loss=loss.item(), grad_norm=norm.item())


serve(step, name="torch", version=torch.__version__, threads=torch.get_num_threads())
