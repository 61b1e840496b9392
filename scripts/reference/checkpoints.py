"""Writes tests/fixtures/checkpoints: tiny checkpoints in every layout that Hugging Face models come in, hand-made hostile
pickles, and expected.json with the values as float32. Run: python scripts/reference/checkpoints.py (torch, safetensors)."""

import io
import json
import os
import pickle
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "checkpoints"
CONFIG = {"model_type": "bart", "d_model": 4, "vocab_size": 6}
GENERATION_CONFIG = {"num_beams": 4, "max_length": 20}

expected = {}


def describe(tensor):
    return {
        "shape": list(tensor.shape),
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "values": tensor.detach().to(torch.float32).flatten().tolist(),
    }


def directory(name):
    path = ROOT / name
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(CONFIG))
    return path


def expect(key, state):
    expected[key] = {name: describe(tensor) for name, tensor in state.items()}


def plain_state():
    """What safetensors can hold: contiguous tensors that own their memory, in every element type."""
    torch.manual_seed(0)
    return {
        "shared.weight": torch.randn(6, 4),
        "half": torch.tensor([1.0, -2.5, 65504.0, 6e-8, 6.1e-5, -0.0, 0.1, 1 / 3]).half(),
        "brain": torch.tensor([[1.0, -3.14159], [1e30, -1e-30]]).bfloat16(),
        "double": torch.tensor([0.1, -1e-3, 12345.678], dtype=torch.float64),
        "long": torch.tensor([-3, 0, 2**40]),
        "int": torch.tensor([-7, 2**20], dtype=torch.int32),
        "short": torch.tensor([-300, 300], dtype=torch.int16),
        "char": torch.tensor([-128, 127], dtype=torch.int8),
        "byte": torch.tensor([0, 255], dtype=torch.uint8),
        "flag": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
    }


def torch_state():
    """What only torch files hold as well: views of shared storages, strides, parameters, a module's _metadata."""
    state = OrderedDict(plain_state())
    base = torch.arange(60, dtype=torch.float32)
    state["view.rows"] = base[8:20].view(3, 4)
    state["view.transposed"] = base[20:32].view(3, 4).t()
    state["view.permuted"] = base[:24].view(2, 3, 4).permute(2, 0, 1)
    state["view.every_third"] = base[1::3]
    state["view.column"] = base.view(12, 5)[:, 3]
    state["view.windows"] = base.unfold(0, 4, 2)[:5]
    state["view.expanded"] = base[3:5].view(2, 1).expand(2, 3)
    state["half.transposed"] = torch.randn(3, 5).half().t()
    state["brain.transposed"] = torch.randn(4, 2).bfloat16().t()
    state["long.transposed"] = torch.arange(6).view(2, 3).t()
    state["tied.weight"] = state["shared.weight"]
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    state["frozen"] = torch.nn.Parameter(torch.randn(3), requires_grad=False)
    state._metadata = OrderedDict({"": {"version": 1}, "encoder": {"version": 1}})
    return state


def shards(state):
    names = list(state)
    return [{name: state[name] for name in part} for part in (names[: len(names) // 2], names[len(names) // 2 :])]


def write_sharded(path, state, stem, extension, save):
    weight_map = {}
    for number, part in enumerate(shards(state), start=1):
        file = f"{stem}-{number:05d}-of-00002.{extension}"
        save(part, path / file)
        weight_map.update({name: file for name in part})
    index = {"metadata": {"total_size": sum(t.nbytes for t in state.values())}, "weight_map": weight_map}
    (path / f"{stem}.{extension}.index.json").write_text(json.dumps(index, indent=2))


def write_safetensors(part, path):
    save_file(part, path, metadata={"format": "pt"})


def rewrite_as_zip64(source, target):
    """The same archive with all sizes and offsets in zip64 fields, as files beyond 4 GiB have them."""
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, -1
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    zipfile.ZIP64_LIMIT = limit


class RunsCode:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


class Evaluates:
    def __reduce__(self):
        return eval, ("1 + 1",)


def write_hostile(path):
    def archive(name, data):
        with zipfile.ZipFile(path / name, "w", zipfile.ZIP_STORED) as file:
            file.writestr("archive/data.pkl", data)
            file.writestr("archive/version", "3\n")

    for protocol in (2, 3, 4, 5):
        archive(f"system-protocol-{protocol}.bin", pickle.dumps({"weight": RunsCode()}, protocol=protocol))
    archive("eval.bin", pickle.dumps(OrderedDict(weight=Evaluates()), protocol=2))
    # The global is only named, never called.
    archive("named-only.bin", b"\x80\x02}X\x06\x00\x00\x00weightcsubprocess\nPopen\ns.")
    legacy = io.BytesIO()
    torch.save({"weight": RunsCode()}, legacy, _use_new_zipfile_serialization=False)
    (path / "legacy.bin").write_bytes(legacy.getvalue())


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    plain, full = plain_state(), torch_state()

    path = directory("safetensors")
    write_safetensors(plain, path / "model.safetensors")
    (path / "generation_config.json").write_text(json.dumps(GENERATION_CONFIG))
    (path / "vocab.json").write_text("{}")
    (path / "merges.txt").write_text("#version: 0.2\n")
    expect("safetensors", plain)

    # Float32 alone, in the order and bytes that Python's library gives it.
    floats = {"b.weight": torch.randn(2, 3), "a": torch.tensor(1.5), "c": torch.zeros(0), "b.bias": torch.randn(3)}
    write_safetensors(floats, directory("float32") / "model.safetensors")
    expect("float32", floats)

    write_sharded(directory("safetensors-sharded"), plain, "model", "safetensors", write_safetensors)
    expect("safetensors-sharded", plain)

    path = directory("torch")
    torch.save(full, path / "pytorch_model.bin")
    expect("torch", full)

    path = directory("torch-legacy")
    torch.save(full, path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    expect("torch-legacy", full)

    write_sharded(directory("torch-sharded"), full, "pytorch_model", "bin", torch.save)
    expect("torch-sharded", full)

    for protocol in (3, 4, 5):
        torch.save(full, directory(f"torch-protocol-{protocol}") / "pytorch_model.bin", pickle_protocol=protocol)
        expect(f"torch-protocol-{protocol}", full)

    path = directory("torch-zip64")
    torch.save(floats, path / "small.bin")
    rewrite_as_zip64(path / "small.bin", path / "pytorch_model.bin")
    (path / "small.bin").unlink()
    expect("torch-zip64", floats)

    (ROOT / "hostile").mkdir()
    write_hostile(ROOT / "hostile")
    (ROOT / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
