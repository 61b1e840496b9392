"""Makes tests/fixtures/datasets: datasets that Python saved, the same rows as Arrow streams of many types, rows that are to
be refused, and how Simple Transformers splits texts into passages.

    python scripts/reference/datasets_on_disk.py        (half a minute)
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset, DatasetDict, Features, Sequence, Value, load_dataset
from simpletransformers.seq2seq.seq2seq_utils import split_documents, split_text

FOLDER = Path(__file__).parents[2] / "tests" / "fixtures" / "datasets"

TITLES = ["plain", "", None, "tabs\tand\nlines", 'quo"tes', "ünïcödé 😀", "longer than twelve bytes", "again", "again"]
TEXTS = ["one", "", "three", None, "five é", "日本語のテキスト", "s" * 12, "s" * 13, "last " * 40]
ROWS = len(TEXTS)
DIMENSION = 5
# Multiples of 1/8 are the same in 16, 32 and 64 bits.
VECTORS = (np.random.default_rng(8).integers(-64, 64, (ROWS, DIMENSION)) / 8).tolist()
FEATURES = Features({"text": Value("string"), "title": Value("string"), "embeddings": Sequence(Value("float32"))})


def stream(name, columns, rows=4, **options):
    table = pa.table(columns)
    writer_options = pa.ipc.IpcWriteOptions(**options)
    with pa.ipc.new_stream(FOLDER / f"{name}.arrow", table.schema, options=writer_options) as writer:
        writer.write_table(table, max_chunksize=rows)


def lists(values, kind=None):
    return pa.array(values, kind or pa.list_(pa.float32()))


def save_datasets():
    columns = {"text": TEXTS, "title": TITLES, "embeddings": VECTORS}
    plain = Dataset.from_dict(columns, features=FEATURES)
    plain.save_to_disk(str(FOLDER / "saved"), num_shards=2)
    # A selection is saved as its rows; other columns, another order, other widths.
    wide = plain.add_column("id", list(range(ROWS))).add_column("tags", [["a", None], []] * 4 + [["b"]])
    wide = wide.add_column("more", [{"x": 1.5, "y": [True]}] * ROWS).select_columns(["id", "tags", "embeddings", "more", "title", "text"])
    features = wide.features.copy()
    features.update(embeddings=Sequence(Value("float64")), text=Value("large_string"))
    wide = wide.cast(features).select(range(ROWS - 1, -1, -1))
    wide.save_to_disk(str(FOLDER / "reversed"))
    plain.remove_columns("embeddings").save_to_disk(str(FOLDER / "texts-only"))
    with tempfile.TemporaryDirectory() as folder:
        DatasetDict({"train": plain, "test": plain}).save_to_disk(folder)
        (FOLDER / "dict").mkdir()
        shutil.copy(Path(folder) / "dataset_dict.json", FOLDER / "dict")


def make_streams():
    floats = {bits: getattr(pa, f"float{bits}")() for bits in (16, 32, 64)}
    texts, titles = pa.array(TEXTS), pa.array(TITLES)
    half = lists([np.array(row, np.float16) for row in VECTORS], pa.list_(floats[16]))
    stream("large", {"text": texts.cast(pa.large_string()), "title": titles.cast(pa.large_string()), "embeddings": lists(VECTORS, pa.large_list(floats[64]))})
    stream("views", {"text": texts.cast(pa.string_view()), "title": titles.cast(pa.string_view()), "embeddings": lists(VECTORS, pa.list_(floats[32], DIMENSION))})
    stream("half", {"embeddings": half, "title": titles, "text": texts}, rows=100)
    stream("no-titles", {"title": pa.nulls(ROWS), "text": texts, "embeddings": lists(VECTORS)}, rows=1)
    stream("batches-of-none", {"title": titles, "text": texts, "embeddings": lists(VECTORS)}, rows=ROWS)
    # Columns of every other layout before the ones that are read.
    others = {
        "null": pa.nulls(ROWS), "bool": pa.array([True] * ROWS), "binary": pa.array([b"x"] * ROWS),
        "view": pa.array(["longer than twelve bytes"] * ROWS, pa.string_view()), "fixed": pa.array([b"abc"] * ROWS, pa.binary(3)),
        "struct": pa.array([{"a": 1, "b": "x"}] * ROWS), "map": pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int8())),
        "dense": pa.UnionArray.from_dense(pa.array([0] * ROWS, pa.int8()), pa.array(range(ROWS), pa.int32()), [pa.array(range(ROWS))]),
        "sparse": pa.UnionArray.from_sparse(pa.array([0] * ROWS, pa.int8()), [pa.array(range(ROWS))]),
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([ROWS], pa.int32()), pa.array(["r"])),
        "listed": pa.array([[1]] * ROWS, pa.list_view(pa.int64())), "day": pa.array([1] * ROWS, pa.date32()),
        "decimal": pa.array([1] * ROWS).cast(pa.decimal128(20)), "word": pa.array(["w"] * ROWS).dictionary_encode(),
    }  # fmt: skip
    stream("others", {**others, "text": texts, "title": titles, "embeddings": lists(VECTORS)}, rows=100)
    # Dictionaries that grow from batch to batch, and such that are replaced.
    for name, deltas in [("deltas", True), ("replaced", False)]:
        schema = pa.schema([("text", pa.dictionary(pa.int8(), pa.string())), ("title", pa.dictionary(pa.int32(), pa.large_string())), ("embeddings", pa.list_(pa.float32()))])
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(FOLDER / f"{name}.arrow", schema, options=options) as writer:
            known = {0: [], 1: []}
            for start in range(0, ROWS, 4):
                columns = []
                for number, values in enumerate((TEXTS, TITLES)):
                    part = values[start : start + 4]
                    before = known[number] if deltas else []
                    known[number] = before + [each for each in dict.fromkeys(part) if each is not None and each not in before]
                    indices = pa.array([None if each is None else known[number].index(each) for each in part], schema[number].type.index_type)
                    columns.append(pa.DictionaryArray.from_arrays(indices, pa.array(known[number], schema[number].type.value_type)))
                writer.write_batch(pa.record_batch([*columns, lists(VECTORS[start : start + 4])], schema=schema))


def make_refused():
    texts = {"text": TEXTS, "title": TITLES}
    changed = lambda row, value: lists([value if i == row else each for i, each in enumerate(VECTORS)])
    stream("bad-null", {**texts, "embeddings": changed(6, None)})
    stream("bad-element", {**texts, "embeddings": changed(5, [1, None, 3, 4, 5])})
    stream("bad-uneven", {**texts, "embeddings": changed(7, [1, 2, 3, 4])})
    stream("bad-first", {**texts, "embeddings": changed(0, [])})
    stream("bad-nan", {**texts, "embeddings": changed(5, [1, 2, float("nan"), 4, 5])})
    stream("bad-infinite", {**texts, "embeddings": lists([[1e300 if i == 8 else 1.0] * 5 for i in range(ROWS)], pa.list_(pa.float64()))})
    stream("bad-integers", {**texts, "embeddings": lists([[1]] * ROWS, pa.list_(pa.int64()))})
    stream("bad-nested", {**texts, "embeddings": pa.array([[[1.0]]] * ROWS)})
    stream("bad-title", {"text": TEXTS, "title": list(range(ROWS)), "embeddings": lists(VECTORS)})
    stream("bad-columns", {"passage": TEXTS, "title": TITLES, "embeddings": lists(VECTORS)})
    stream("bad-empty", {"text": pa.array([], pa.string()), "title": pa.array([], pa.string()), "embeddings": lists([])})
    broken = pa.StringArray.from_buffers(1, pa.array([b"\xff"]).buffers()[1], pa.py_buffer(b"\xff"))
    stream("bad-utf8", {"text": broken, "title": ["x"], "embeddings": lists([[1.0]])})
    for codec in ("lz4", "zstd"):
        stream(f"bad-{codec}", {**texts, "embeddings": lists(VECTORS)}, compression=codec)
    with pa.ipc.new_file(FOLDER / "bad-file.arrow", pa.schema([("text", pa.string())])):
        pass


SPLIT = [
    ("one two three four five six seven", 3, " "), ("", 3, " "), (" ", 1, " "), ("a  b   c", 2, " "), ("   lead and trail   ", 2, " "),
    ("aaaa", 1, "aa"), ("aaaaa", 1, "aa"), ("aXXbXXXc", 1, "XX"), ("no character here", 5, "\n\n"), ("p1\n\np2\n\n\n\np3", 1, "\n\n"),
    ("\x1c a \x85\x85b\u3000", 10, " "), ("\ufeffx \ufeff", 10, " "), ("\u200b x", 1, " "), ("😀 😀 😀", 2, " "), ("a.b.c.", 2, "."), ("...", 2, "."),
    ("ends on the character ", 4, " "), ("exactly four words here", 4, " "), ("a\tb\tc", 1, "\t"), ("日本。語の。文", 2, "。"), ("x", 1000000, " "),
]  # fmt: skip

TSV = [
    ("Plain", "one two three four five six seven eight"), ('"Quo""ted"', '"tabs\tand\nlines and ""quotes"" in it"'), ("Empty", '""'),
    ("", "a text without title"), ("Spaces", "   "), ("Quote inside", '5" disk and "so on"'), ("Ünï", "cödé 😀 日本 語"), ("Last", "end."),
]  # fmt: skip


def make_passages():
    splits = [dict(text=text, n=n, character=character, pieces=split_text(text, n, character)) for text, n, character in SPLIT]
    path = FOLDER / "knowledge.tsv"
    path.write_text("".join(f"{title}\t{text}\n" for title, text in TSV))
    rows = load_dataset("csv", data_files=str(path), delimiter="\t", column_names=["title", "text"], cache_dir=tempfile.mkdtemp())
    passages = [split_documents(rows["train"][:], n) for n in (3, 100)]
    (FOLDER / "passages.json").write_text(json.dumps(dict(splits=splits, passages=passages), ensure_ascii=False, indent=1) + "\n")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    save_datasets()
    make_streams()
    make_refused()
    make_passages()
    rows = [dict(title=title or "", text=text or "") for title, text in zip(TITLES, TEXTS)]
    (FOLDER / "rows.json").write_text(json.dumps(dict(passages=rows, embeddings=VECTORS), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
