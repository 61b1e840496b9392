"""Makes tests/fixtures/tables: the same rows as Parquet and Arrow files of several kinds, as Python writes them.

    python scripts/reference/tables.py        (seconds)
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
from datasets import Dataset

FOLDER = Path(__file__).parents[2] / "tests" / "fixtures" / "tables"

INPUTS = ["plain", "", None, "tabs\tand\nlines", 'quo"tes', "ünïcödé 😀", "again", "again", "again", "last " * 40]
TARGETS = ["one", "two", "three", None, "five", "six", "seven", "again", "again", "ten"]


def main():
    FOLDER.mkdir(exist_ok=True)
    table = pa.table({"id": list(range(len(INPUTS))), "input_text": INPUTS, "target_text": TARGETS})
    for compression in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
        pq.write_table(table, FOLDER / f"{compression}.parquet", compression=compression, row_group_size=3)
    pq.write_table(table, FOLDER / "plain-encoding.parquet", use_dictionary=False, data_page_version="2.0")
    pq.write_table(table.rename_columns(["id", "inputText", "targetText"]), FOLDER / "our-names.parquet")
    pq.write_table(pa.table({"input_text": [1, 2], "target_text": ["a", "b"]}), FOLDER / "numbers.parquet")
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), FOLDER / "other-columns.parquet")

    kinds = {"file": pa.string(), "large": pa.large_string(), "dictionary": pa.dictionary(pa.int32(), pa.string())}
    for name, kind in kinds.items():
        columns = {"input_text": pa.array(INPUTS).cast(kind), "target_text": pa.array(TARGETS).cast(kind)}
        typed = pa.table(columns)
        with pa.ipc.new_file(FOLDER / f"{name}.arrow", typed.schema) as writer:
            writer.write_table(typed, max_chunksize=4)
        with pa.ipc.new_stream(FOLDER / f"{name}-stream.arrow", typed.schema) as writer:
            writer.write_table(typed, max_chunksize=4)
    texts = table.select(["input_text", "target_text"])
    for compression in ["uncompressed", "lz4", "zstd"]:
        feather.write_feather(texts, FOLDER / f"{compression}.feather", compression=compression)
    many = pa.table({"input_text": [f"row {i} " + "again " * (i % 50) for i in range(3000)], "target_text": ["x"] * 3000})
    feather.write_feather(many, FOLDER / "many-lz4.feather", compression="lz4")
    numbers = pa.table({"input_text": [1, 2], "target_text": ["a", "b"]})
    with pa.ipc.new_file(FOLDER / "numbers.arrow", numbers.schema) as writer:
        writer.write_table(numbers)
    refused = {
        "binary": pa.array([b"x", b"\xff"]),
        "no-binary": pa.nulls(2, pa.binary()),
        "list": pa.array([["a"], ["b"]]),
        "no-list": pa.nulls(2, pa.list_(pa.string())),
        "no-number": pa.nulls(2, pa.int64()),
    }
    for name, values in refused.items():
        typed = pa.table({"input_text": values, "target_text": ["a", "b"]})
        pq.write_table(typed, FOLDER / f"{name}.parquet")
        with pa.ipc.new_file(FOLDER / f"{name}.arrow", typed.schema) as writer:
            writer.write_table(typed)
    # A column of texts whose bytes are no UTF-8: pyarrow lets them be called so.
    broken = pa.StringArray.from_buffers(1, pa.array([b"\xff"]).buffers()[1], pa.py_buffer(b"\xff"))
    pq.write_table(pa.table({"input_text": broken, "target_text": ["a"]}), FOLDER / "not-utf8.parquet")
    Dataset.from_dict({"input_text": INPUTS, "target_text": TARGETS}).save_to_disk(str(FOLDER / "dataset"))
    for place in (FOLDER / "dataset").glob("*.json"):
        place.unlink()
    rows = [dict(inputText=i or "", targetText=t or "") for i, t in zip(INPUTS, TARGETS)]
    (FOLDER / "rows.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
