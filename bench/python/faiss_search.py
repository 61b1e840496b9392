"""Faiss's side of bench/index.ts: makes vectors, and times a search on one thread."""

import sys
import time
from pathlib import Path

import faiss
import numpy


def make(folder, count, dimension):
    random = numpy.random.default_rng(0)
    basis = random.standard_normal((64, dimension)).astype("float32")
    for name, rows in (("vectors", count), ("queries", 500)):
        inner = random.standard_normal((rows, 64)).astype("float32")
        noise = random.standard_normal((rows, dimension)).astype("float32")
        (inner @ basis / 8 + 0.3 * noise).tofile(Path(folder) / f"{name}.f32")


def search(folder, file, dimension, best):
    faiss.omp_set_num_threads(1)
    index = faiss.read_index(file)
    queries = numpy.fromfile(Path(folder) / "queries.f32", "float32").reshape(-1, dimension)
    index.search(queries[:50], best)
    start = time.perf_counter()
    index.search(queries, best)
    print(len(queries) / (time.perf_counter() - start))


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "make":
        make(rest[0], int(rest[1]), int(rest[2]))
    else:
        search(rest[0], rest[1], int(rest[2]), int(rest[3]))
