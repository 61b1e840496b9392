"""One batch through a model, for bart.py and its like: logits, loss, gradients, and ten steps of training."""

import copy
import math
from contextlib import contextmanager

import torch
from transformers import get_linear_schedule_with_warmup

BATCH_LENGTHS = [7, 14, 3, 10, 5], [4, 9, 2, 6, 3]  # of sources, of targets
HYPERPARAMETERS = dict(
    learning_rate=0.003, weight_decay=0.01, max_grad_norm=1.0, warmup_ratio=0.06, num_train_epochs=10
)


class Redraw(Exception):
    """These weights or this input have a near tie or say too little; the next may not."""


def collect(draw, check, count, tries):
    """`count` pairs of something drawn and what check(drawn, pairs so far) made of it, passing over what it refuses."""
    accepted = []
    for _ in range(tries):
        candidate = draw()
        try:
            accepted.append((candidate, check(candidate, accepted)))
        except Redraw:
            continue
        if len(accepted) == count:
            return accepted
    raise Redraw(f"{len(accepted)} of {count} inputs that will do")


def pad(rows, value):
    return torch.tensor([row + [value] * (max(map(len, rows)) - len(row)) for row in rows])


def batch_of(sources, targets, config):
    """Padded tensors; decoder inputs are left to Transformers' own shift of the labels."""
    mask = pad([[1] * len(row) for row in sources], 0)
    return dict(input_ids=pad(sources, config.pad_token_id), attention_mask=mask, labels=pad(targets, -100))


def trained_parameters(model):
    """Marian's sinusoids are parameters that are not trained."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def run_batch(model, batch):
    """Loss, and packed tensors: rows of real tokens only, one sequence after the other."""
    model.zero_grad()
    result = model(**batch)
    result.loss.backward()
    tensors = {
        "logits": result.logits[batch["labels"] != -100],
        "encoder_last_hidden_state": result.encoder_last_hidden_state[batch["attention_mask"] == 1],
        **{f"gradient.{name}": parameter.grad for name, parameter in trained_parameters(model)},
    }
    return result.loss.item(), {name: tensor.detach().clone() for name, tensor in tensors.items()}


@contextmanager
def double_precision():
    """Masks are made in the default type; a double model needs them to be doubles too."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def largest_difference(tensors, exact):
    """The largest, over tensors, of max |a - b| ÷ max |b|.

    The biases of keys stay out: they shift a whole row of attention scores, which softmax ignores, so that their
    gradient is rounding alone.
    """
    return max(
        ((tensors[name].double() - exact[name]).abs().max() / exact[name].abs().max()).item()
        for name in exact
        if not name.endswith(("k_proj.bias", "key.bias", "k_lin.bias"))
    )


def batch_answers(model, *draw_ids):
    """For sources and targets that the two functions draw, each given a length."""

    def draw():
        return [[draw_side(length) for length in lengths] for draw_side, lengths in zip(draw_ids, BATCH_LENGTHS)]

    def check(rows, _):
        batch = batch_of(*rows, model.config)
        loss, tensors = run_batch(model, batch)
        with double_precision():
            exact_loss, exact = run_batch(copy.deepcopy(model).double(), batch)
        error = max(abs(loss - exact_loss) / exact_loss, largest_difference(tensors, exact))
        if error > 3e-6:
            raise Redraw(f"float32 itself is off by {error:.1e}")
        return dict(loss=loss, float32_error=error), tensors

    [((sources, targets), (answers, tensors))] = collect(draw, check, 1, 100)
    return dict(sources=sources, targets=targets, **answers), tensors


def train(model, batch):
    """Ten steps over the same full batch, as a run of ten epochs of one batch each."""
    decayed, plain = [], []
    for name, parameter in trained_parameters(model):
        is_norm = "layer_norm" in name or "layernorm" in name.lower()
        (plain if is_norm or name.endswith(".bias") else decayed).append(parameter)
    groups = [
        dict(params=decayed, weight_decay=HYPERPARAMETERS["weight_decay"]),
        dict(params=plain, weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, lr=HYPERPARAMETERS["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    total = HYPERPARAMETERS["num_train_epochs"]
    warmup = math.ceil(total * HYPERPARAMETERS["warmup_ratio"])
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, total)
    log = dict(loss=[], grad_norm=[], lr=[])
    for _ in range(total):
        model.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), HYPERPARAMETERS["max_grad_norm"])
        log["loss"].append(loss.item())
        log["grad_norm"].append(norm.item())
        log["lr"].append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        log["loss_after"] = model(**batch).loss.item()
    return log
