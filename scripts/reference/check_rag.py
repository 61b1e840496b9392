"""Loads a RAG that this package saved, with its knowledge, and prints what Transformers finds and answers.

    python scripts/reference/check_rag.py DIR QUESTION ...
"""

import json
import sys
from pathlib import Path

from datasets import load_from_disk
from transformers import RagRetriever, RagSequenceForGeneration, RagTokenForGeneration, RagTokenizer


def main(directory, *questions):
    knowledge = Path(directory) / "knowledge_dataset"
    dataset = load_from_disk(str(knowledge))
    dataset.load_faiss_index("embeddings", str(knowledge / "hf_dataset_index.faiss"))
    print(dataset.features, len(dataset))
    retriever = RagRetriever.from_pretrained(directory, index_name="custom", indexed_dataset=dataset)
    names = json.loads((Path(directory) / "config.json").read_text())["architectures"]
    model_class = RagTokenForGeneration if names == ["RagTokenForGeneration"] else RagSequenceForGeneration
    model, info = model_class.from_pretrained(directory, retriever=retriever, output_loading_info=True)
    print(info)
    tokenizer = RagTokenizer.from_pretrained(directory)
    for question in questions:
        ids = tokenizer(question, return_tensors="pt")["input_ids"]
        vector = model.rag.question_encoder(ids)[0].detach().numpy()
        print(question, dataset.search_batch("embeddings", vector, model.config.n_docs))
        print(tokenizer.batch_decode(model.generate(ids, num_beams=3, max_length=20), skip_special_tokens=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
