"""Makes tests/fixtures/faiss: small indexes that Faiss wrote, and what it finds in them.

    python scripts/reference/faiss_indexes.py
"""

import json
from pathlib import Path

import faiss
import numpy

FOLDER = Path(__file__).parents[2] / "tests" / "fixtures" / "faiss"
COUNT, DIMENSION, QUERIES = 160, 12, 8


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(3)
    vectors = random.standard_normal((COUNT, DIMENSION)).astype("float32")
    queries = random.standard_normal((QUERIES, DIMENSION)).astype("float32")
    product, distance = faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2
    indexes = {
        "flat_ip": faiss.IndexFlatIP(DIMENSION),
        "flat_l2": faiss.IndexFlatL2(DIMENSION),
        "hnsw_ip": faiss.IndexHNSWFlat(DIMENSION, 4, product),
        "hnsw_l2": faiss.IndexHNSWFlat(DIMENSION, 4, distance),
        "hnsw_sparse": faiss.IndexHNSWFlat(DIMENSION, 2, product),
    }
    for index in indexes.values():
        index.add(vectors)
    indexes["hnsw_sparse"].hnsw.efSearch = 4
    ids = numpy.arange(COUNT) * 5 + 2**40
    indexes["map"] = faiss.IndexIDMap(faiss.IndexFlatIP(DIMENSION))
    indexes["map2_hnsw"] = faiss.IndexIDMap2(faiss.IndexHNSWFlat(DIMENSION, 4, distance))
    for name in ("map", "map2_hnsw"):
        indexes[name].add_with_ids(vectors, ids)
    few = faiss.IndexFlatIP(DIMENSION)
    few.add(vectors[:3])
    indexes["few"] = few

    results = {}
    for name, index in indexes.items():
        faiss.write_index(index, str(FOLDER / f"{name}.faiss"))
        k = 20 if name == "hnsw_sparse" else 5
        scores, found = index.search(queries, k)
        results[name] = dict(k=k, ids=found.tolist(), scores=[[s if abs(s) < 1e30 else None for s in row] for row in scores.tolist()])
    (FOLDER / "expected.json").write_text(json.dumps(dict(queries=queries.tolist(), results=results)) + "\n")


if __name__ == "__main__":
    main()
