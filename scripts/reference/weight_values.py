"""Writes tests/fixtures/weights/sinusoidal.f32: the positions that Transformers gives a Marian model, [512, 64] float32, row by row.
Run: python scripts/reference/weight_values.py (torch, transformers)."""

from pathlib import Path

from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

ROOT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "weights"
ROOT.mkdir(parents=True, exist_ok=True)
positions = MarianSinusoidalPositionalEmbedding(512, 64).weight.detach().numpy()
positions.astype("<f4").tofile(ROOT / "sinusoidal.f32")
