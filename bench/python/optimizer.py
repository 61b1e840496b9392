"""One step of PyTorch's fused AdamW over BART-base's weights, as a server of timed rounds.

    python optimizer.py '{"threads": 2}'
"""

import time

import torch
from bart_base import CONFIG, serve, settings
from transformers import BartConfig, BartForConditionalGeneration

options = settings(dict(threads=2))
torch.set_num_threads(options["threads"])
model = BartForConditionalGeneration(BartConfig(**CONFIG))
for parameter in model.parameters():
    parameter.data.fill_(0.5)
    parameter.grad = torch.full_like(parameter, 0.01)
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-5, weight_decay=0.0, fused=True)


def step(_):
    start = time.perf_counter()
    optimizer.step()
    seconds = time.perf_counter() - start
    return dict(seconds=seconds, sample=model.model.shared.weight[16, 57].item())


serve(step, name="torch", version=torch.__version__)
