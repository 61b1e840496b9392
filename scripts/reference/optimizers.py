"""Makes tests/fixtures/optimizers.json: what PyTorch's AdamW, Transformers' Adafactor and its schedules compute.

    python scripts/reference/optimizers.py        (seconds)

Weights and gradients of `updates` are a formula that the tests repeat, so that only the results are stored; `runs` are ten
steps of the tiny BART in tests/fixtures/bart/base on its training rows.
"""

import json
import math
from contextlib import nullcontext
from pathlib import Path

import torch
from bart_batch import batch_of, double_precision
from transformers import BartForConditionalGeneration, get_scheduler
from transformers.optimization import Adafactor

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures"
SHAPES = {"matrix.weight": (7, 5), "wide.weight": (1, 6), "tall.weight": (19, 1), "bias": (9,), "large.weight": (33, 20)}
STEPS = 10

UPDATES = {
    "AdamW": dict(optimizer="AdamW", lr=0.01),
    "AdamW with decay and other betas": dict(
        optimizer="AdamW", lr=0.02, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-6
    ),
    "Adafactor, relative step": dict(
        optimizer="Adafactor", lr=None, relative_step=True, scale_parameter=True, warmup_init=False
    ),
    "Adafactor, relative step with warm-up": dict(
        optimizer="Adafactor", lr=None, relative_step=True, scale_parameter=True, warmup_init=True
    ),
    "Adafactor, first moment": dict(
        optimizer="Adafactor", lr=0.01, relative_step=False, scale_parameter=True, warmup_init=False, beta1=0.9
    ),
    "Adafactor, learning rate alone": dict(
        optimizer="Adafactor", lr=0.003, relative_step=False, scale_parameter=False, warmup_init=False
    ),
    "Adafactor, all options": dict(
        optimizer="Adafactor", lr=0.02, relative_step=False, scale_parameter=True, warmup_init=False, beta1=0.8,
        clip_threshold=0.5, decay_rate=-0.6, eps=(1e-12, 0.2), weight_decay=0.05,
    ),
}  # fmt: skip

SCHEDULES = {
    "linear_schedule_with_warmup": ("linear", {}),
    "constant_schedule": ("constant", {}),
    "constant_schedule_with_warmup": ("constant_with_warmup", {}),
    "cosine_schedule_with_warmup": ("cosine", dict(num_cycles=0.5)),
    "cosine_with_hard_restarts_schedule_with_warmup": ("cosine_with_restarts", dict(num_cycles=3)),
    "polynomial_decay_schedule_with_warmup": ("polynomial", dict(lr_end=1e-4, power=2.0)),
}

# Ten steps of the tiny BART, clipped by norm with AdamW alone, as Simple Transformers does.
RUNS = {
    # Unclipped, these steps are so large that float32 itself is off by 5e-5.
    "Adafactor": dict(
        optimizer={**UPDATES["Adafactor, relative step"], "clip_threshold": 0.1}, schedule="constant_schedule"
    ),
    "Adafactor with a learning rate": dict(
        optimizer={**UPDATES["Adafactor, first moment"], "lr": 0.05}, schedule="linear_schedule_with_warmup"
    ),
    **{
        name: dict(optimizer=dict(optimizer="AdamW", lr=0.001 if "restarts" in name else 0.003), schedule=name)
        for name in SCHEDULES
    },
    "groups": dict(
        optimizer=dict(optimizer="AdamW", lr=0.003, weight_decay=0.05),
        schedule="linear_schedule_with_warmup",
        groups=[{"params": ["model.encoder.layers.0.fc1.weight", "model.shared.weight"], "lr": 0.03, "weight_decay": 0.2}],
        layers=[{"layer": 1, "lr": 0.01, "weight_decay": 0.1}],
    ),
    "groups alone": dict(
        optimizer=dict(optimizer="AdamW", lr=0.001),
        schedule="linear_schedule_with_warmup",
        groups=[{"params": ["model.encoder.layers.0.fc1.weight"], "lr": 0.01}],
        layers=[{"layer": 1}],
        only=True,
    ),
}
WARMUP, TOTAL = 3, 10


def create(parameters, optimizer, **settings):
    if optimizer == "AdamW":
        return torch.optim.AdamW(parameters, **{"weight_decay": 0.0, **settings})
    return Adafactor(parameters, **settings)


def formula(shape, place, step):
    """Weights are those of step 0, gradients those of later ones."""
    count = math.prod(shape)
    values = [math.sin(1.7 * i + 3 * place) * (1.5 if step == 0 else math.cos(0.9 * i * step)) for i in range(count)]
    return torch.tensor(values, dtype=torch.float64).float().reshape(shape)


def updated(settings):
    parameters = [torch.nn.Parameter(formula(shape, place, 0)) for place, shape in enumerate(SHAPES.values())]
    settings = dict(settings)
    decay = settings.pop("weight_decay", 0.0)
    groups = [
        {"params": [p for p, name in zip(parameters, SHAPES) if (name == "bias") == is_bias], "weight_decay": rate}
        for is_bias, rate in [(False, decay), (True, 0.0)]
    ]
    optimizer = create(groups, **settings)
    for step in range(1, STEPS + 1):
        for place, parameter in enumerate(parameters):
            parameter.grad = formula(parameter.shape, place, step)
        optimizer.step()
    return {
        # Nine digits tell every float32 from its neighbours.
        name: [float(f"{value:.9g}") for value in parameter.detach().flatten().tolist()]
        for name, parameter in zip(SHAPES, parameters)
    }


def scheduler_of(optimizer, name):
    kind, specific = SCHEDULES[name]
    return get_scheduler(kind, optimizer, WARMUP, TOTAL, scheduler_specific_kwargs=specific)


def rates(name):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.003)
    scheduler = scheduler_of(optimizer, name)
    found = []
    for _ in range(TOTAL + 2):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


def no_decay(name):
    return name.endswith(".bias") or "layer_norm" in name or "layernorm" in name


def grouped(model, decay, groups=(), layers=(), only=False):
    named = dict(model.named_parameters())
    taken = set()
    found = []
    for group in groups:
        taken |= set(group["params"])
        found.append({"weight_decay": decay, **group, "params": [named[name] for name in group["params"]]})
    for group in layers:
        number = f".layers.{group['layer']}."
        names = [name for name in named if number in name and name not in taken]
        taken |= set(names)
        settings = {key: value for key, value in group.items() if key != "layer"}
        found.append({"weight_decay": decay, **settings, "params": [named[n] for n in names if not no_decay(n)]})
        found.append({**settings, "weight_decay": 0.0, "params": [named[n] for n in names if no_decay(n)]})
    rest = [name for name in named if name not in taken]
    if not only:
        found.append({"params": [named[n] for n in rest if not no_decay(n)], "weight_decay": decay})
        found.append({"params": [named[n] for n in rest if no_decay(n)], "weight_decay": 0.0})
    else:
        for name in rest:
            named[name].requires_grad = False
    return found


def run(optimizer, schedule, groups=(), layers=(), only=False, exact=False):
    with double_precision() if exact else nullcontext():
        answers = steps_of(optimizer, schedule, groups, layers, only, exact)
    return answers


def steps_of(optimizer, schedule, groups, layers, only, exact):
    model = BartForConditionalGeneration.from_pretrained(FIXTURES / "bart" / "base").train()
    if exact:
        model = model.double()
    expected = json.loads((FIXTURES / "bart" / "base" / "expected.json").read_text())
    batch = batch_of(*expected["training"]["ids"]["train"], model.config)
    settings = dict(optimizer)
    decay = settings.pop("weight_decay", 0.0)
    update = create(grouped(model, decay, groups, layers, only), **settings)
    scheduler = scheduler_of(update, schedule) if settings["lr"] is not None else None
    losses, learning_rates = [], []
    for _ in range(TOTAL):
        loss = model(**batch).loss
        loss.backward()
        if settings["optimizer"] == "AdamW":
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        learning_rates.append(update.param_groups[-1]["lr"])
        update.step()
        if scheduler:
            scheduler.step()
        model.zero_grad()
        losses.append(loss.item())
    with torch.no_grad():
        losses.append(model(**batch).loss.item())
    norms = {name: parameter.detach().double().norm().item() for name, parameter in model.named_parameters()}
    return dict(loss=losses, lr=learning_rates, norms=norms)


def main():
    answers = dict(
        steps=STEPS,
        shapes=SHAPES,
        updates={name: dict(settings=settings, weights=updated(settings)) for name, settings in UPDATES.items()},
        schedules={name: rates(name) for name in SCHEDULES},
        runs={},
    )
    for name, arguments in RUNS.items():
        found, exact = run(**arguments), run(**arguments, exact=True)
        error = max(abs(a / b - 1) for a, b in zip(found["loss"], exact["loss"]))
        print(f"{name}: float32 itself is off by {error:.1e}")
        if error > 3e-6:
            raise SystemExit(f"{name}: too much to compare losses to 1e-5; choose a lower learning rate")
        answers["runs"][name] = dict(arguments=arguments, float32_error=error, **found)
    place = FIXTURES / "optimizers.json"
    place.write_text(json.dumps(answers) + "\n")
    print(place, place.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
