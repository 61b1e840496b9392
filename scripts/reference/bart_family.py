"""What the scripts of BART's family share: wide weights, half-taught copying, ten steps of training, files."""

import itertools
import json
import math
import sys
import warnings

import torch
from bart_batch import HYPERPARAMETERS, Redraw, batch_of, double_precision, largest_difference, train, trained_parameters
from safetensors.torch import load_file, save_file
from transformers.utils import logging


def draw_wide(model, seed, logits_bias=None):
    """Wide random weights: biases that are not zero, layer norms that are not one, positions widest."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, std):
        return torch.randn(tensor.shape, generator=generator) * std

    with torch.no_grad():
        for name, parameter in trained_parameters(model):
            is_norm = "layer_norm" in name or "layernorm" in name
            widths = {"embed_positions": 1.0, "shared": 0.5, "embed_tokens": 0.5, "lm_head": 0.5, "bias": 0.3, "norm": 0.3}
            std = next((width for part, width in widths.items() if part in name), 1.2 / math.sqrt(model.config.d_model))
            parameter.copy_(normal(parameter, std) + (1 if is_norm and name.endswith("weight") else 0))
        if logits_bias:
            model.final_logits_bias.copy_(normal(model.final_logits_bias, logits_bias))


def teach(model, draw_pair, steps=500):
    """Some hundred steps: enough for sources to matter, too few for every answer to be right or sure."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0)
    for _ in range(steps):
        pairs = [draw_pair() for _ in range(32)]
        model.zero_grad()
        model(**batch_of(*zip(*pairs), model.config)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def draw_inner(rng, count, vocab_size, specials):
    return [rng.choice([i for i in range(vocab_size) if i not in specials]) for _ in range(count)]


def copy_embeddings(folder):
    """Transformers 4.49 writes one copy of the input embeddings, yet on loading an untied model looks for the others

    and leaves them random where they are missing, without a word.
    """
    weights = load_file(folder / "model.safetensors")
    for side in ("encoder", "decoder"):
        weights[f"model.{side}.embed_tokens.weight"] = weights["model.shared.weight"].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def training_answers(load, rows, config):
    """The log of ten steps, the trained weights, and the loss on the evaluation rows before and after.

    `rows`: of "train" and "eval" the sources and the targets, as ids.
    """

    def batch(name):
        return batch_of(*rows[name], config)

    def eval_loss(model):
        with torch.no_grad():
            return model(**batch("eval")).loss.item()

    model = load()
    before = eval_loss(model)
    model.train()
    log = train(model, batch("train"))
    exact_model = load().train().double()
    with double_precision():
        exact = train(exact_model, batch("train"))
    error = {key: max(abs(a - b) / b for a, b in zip(log[key], exact[key])) for key in ("loss", "grad_norm")}
    if error["loss"] > 1e-5 or error["grad_norm"] > 1e-4:
        raise Redraw(f"float32 training itself is off by {error}")
    after = eval_loss(model.eval())
    exact_state = {name: parameter.detach() for name, parameter in trained_parameters(exact_model)}
    final = {name: parameter.detach().clone() for name, parameter in trained_parameters(model)}
    norms = {name: tensor.double().norm().item() for name, tensor in final.items()}
    worst = largest_difference(final, exact_state)
    return (
        dict(
            hyperparameters=HYPERPARAMETERS, ids=rows, **log, float32_error=error, eval_loss=before,
            eval_loss_after=after, norms_after=norms, norms_float32_error=worst,
        ),
        final,
    )  # fmt: skip


def some_trained(trained):
    """The attention and layer norms of both sides' first layers, as tensors to be stored."""
    kept = [key for key in trained if "embed" not in key and "fc" not in key and "shared" not in key]
    return {f"trained.{key}": trained[key] for key in kept if ".layers.0." in key and "encoder." in key}


def dump(value, indent=0):
    """JSON with one line for whatever fits on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= 120 or not isinstance(value, (dict, list)):
        return flat
    space = "\n" + " " * (indent + 1)
    if isinstance(value, dict):
        inner = [json.dumps(key) + ": " + dump(item, indent + 1) for key, item in value.items()]
        return "{" + space + ("," + space).join(inner) + "\n" + " " * indent + "}"
    if not any(isinstance(item, (dict, list, str)) for item in value):
        return flat
    return "[" + space + ("," + space).join(dump(item, indent + 1) for item in value) + "\n" + " " * indent + "]"


def write_expected(folder, expected, tensors):
    (folder / "expected.json").write_text(dump(expected) + "\n")
    save_file({key: tensor.float().contiguous() for key, tensor in tensors.items()}, folder / "expected.safetensors")
    return sum(path.stat().st_size for path in folder.iterdir())


def make_all(names, make):
    """`make(name, seed)` with the first seed that it does not refuse."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    warnings.filterwarnings("ignore", message="Moving the following attributes")
    for name in names:
        for seed in itertools.count(1):
            try:
                size = make(name, seed)
            except Redraw as reason:
                print(f"{name}: seed {seed} refused: {reason}", file=sys.stderr)
                continue
            print(f"{name}: seed {seed}, {size} bytes")
            break
