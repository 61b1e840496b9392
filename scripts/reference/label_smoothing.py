"""Makes tests/fixtures/label-smoothing.json: losses with Transformers' LabelSmoother, and the gradients' norms and sums.

    python scripts/reference/label_smoothing.py        (seconds)

The models are those of tests/fixtures, one with a bias on its logits among them, on the batch in their expected.json.
"""

import json
from pathlib import Path

from bart_batch import batch_of, trained_parameters
from transformers import BartForConditionalGeneration, MarianMTModel
from transformers.trainer_pt_utils import LabelSmoother

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures"
MODELS = {
    "bart/base": BartForConditionalGeneration,
    "bart/bias": BartForConditionalGeneration,
    "marian/published": MarianMTModel,
}
EPSILONS = [0.1, 0.35]


def smoothed(folder, model_class, epsilon):
    model = model_class.from_pretrained(
        FIXTURES / folder, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0
    ).train()
    expected = json.loads((FIXTURES / folder / "expected.json").read_text())
    batch = batch_of(expected["batch"]["sources"], expected["batch"]["targets"], model.config)
    outputs = model(**batch)
    loss = LabelSmoother(epsilon=epsilon)(outputs, batch["labels"])
    loss.backward()
    gradients = {
        name: dict(norm=parameter.grad.norm().item(), sum=parameter.grad.double().sum().item())
        for name, parameter in trained_parameters(model)
    }
    return dict(loss=loss.item(), gradients=gradients)


def main():
    answers = {
        folder: {str(epsilon): smoothed(folder, model_class, epsilon) for epsilon in EPSILONS}
        for folder, model_class in MODELS.items()
    }
    place = FIXTURES / "label-smoothing.json"
    place.write_text(json.dumps(answers, indent=1) + "\n")
    print(place, place.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
