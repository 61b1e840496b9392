"""Makes random tiny RAG models of both kinds, with what Transformers finds, loses and answers; fuzz_rag.mjs compares.

    python scripts/reference/fuzz_rag.py FOLDER FIRST LAST
    npm run build && node scripts/reference/fuzz_rag.mjs FOLDER
"""

import json
import random
import sys
import warnings
from pathlib import Path

import faiss
import rag
import torch
from datasets import Dataset, Features, Sequence, Value
from rag import CLASSES, QUESTIONS, ROWS
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    DPRConfig,
    DPRContextEncoder,
    DPRContextEncoderTokenizerFast,
    DPRQuestionEncoder,
    DPRQuestionEncoderTokenizerFast,
    RagConfig,
    RagRetriever,
    RagTokenizer,
    logging,
)


def draw_setting(rng):
    beams = rng.choice([1, 2, 4])
    setting = dict(
        max_length=rng.choice([6, 12]), num_beams=beams, length_penalty=rng.choice([1.0, 2.0, 0.5]),
        early_stopping=rng.choice([True, False]),
    )  # fmt: skip
    extras = dict(no_repeat_ngram_size=2, repetition_penalty=1.3, min_length=4)
    setting.update({name: value for name, value in extras.items() if rng.random() < 0.3})
    if beams > 1 and rng.random() < 0.4:
        setting["num_return_sequences"] = 2
    return setting


def draw_parts(rng, generator, tokenizers):
    projection = rng.choice([0, 0, 12])
    bert = dict(
        hidden_size=16, num_hidden_layers=rng.choice([1, 2]), num_attention_heads=rng.choice([2, 4]), intermediate_size=20,
        max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, projection_dim=projection,
        hidden_act=rng.choice(["gelu", "relu"]),
    )  # fmt: skip
    bart = BartConfig(
        vocab_size=len(tokenizers["bart"]), d_model=16, encoder_layers=rng.choice([1, 2]), decoder_layers=rng.choice([1, 2]),
        encoder_ffn_dim=24, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=4,
        max_position_embeddings=64, dropout=0.0, forced_bos_token_id=rng.choice([0, None]),
        forced_eos_token_id=rng.choice([2, None]), scale_embedding=rng.choice([True, False]),
        activation_function=rng.choice(["gelu", "relu"]),
    )  # fmt: skip
    context = DPRContextEncoder(DPRConfig(vocab_size=len(tokenizers["context"]), **bert)).eval()
    question = DPRQuestionEncoder(DPRConfig(vocab_size=len(tokenizers["question"]), **bert)).eval()
    rag.draw(context, generator, 0.3)
    rag.draw(question, generator, 0.3)
    return context, question, rag.draw(BartForConditionalGeneration(bart), generator, 0.4), projection or 16


def make(number, folder, tokenizers):
    rng = random.Random(number)
    kind = rng.choice(list(CLASSES))
    context, question, bart, size = draw_parts(rng, torch.Generator().manual_seed(number), tokenizers)
    config = RagConfig.from_question_encoder_generator_configs(
        question.config, bart.config, n_docs=rng.choice([1, 2, 3, 5]), max_combined_length=rng.choice([24, 40, 56]),
        retrieval_vector_size=size, index_name="custom", do_deduplication=rng.random() < 0.7, title_sep=rng.choice([" / ", ": "]),
    )  # fmt: skip
    found = rag.passages()
    with torch.no_grad():
        vectors = [
            context(tokenizers["context"](title, text, truncation=True, return_tensors="pt")["input_ids"]).pooler_output[0]
            for title, text in zip(found["title"], found["text"])
        ]
    features = Features({"text": Value("string"), "title": Value("string"), "embeddings": Sequence(Value("float32"))})
    columns = dict(text=found["text"], title=found["title"], embeddings=[vector.tolist() for vector in vectors])
    dataset = Dataset.from_dict(columns, features=features)
    knowledge = folder / "model" / "knowledge_dataset"
    dataset.save_to_disk(knowledge)
    graph = faiss.IndexHNSWFlat(size, rng.choice([4, 16]), faiss.METRIC_INNER_PRODUCT)
    dataset.add_faiss_index("embeddings", custom_index=graph if rng.random() < 0.5 else faiss.IndexFlatIP(size))
    dataset.get_index("embeddings").save(knowledge / "hf_dataset_index.faiss")

    question_tokenizer, bart_tokenizer = tokenizers["question"], tokenizers["bart"]
    index = rag.retriever_index(dataset)
    retriever = RagRetriever(config, question_encoder_tokenizer=question_tokenizer, generator_tokenizer=bart_tokenizer, index=index)
    model = CLASSES[kind](config, question_encoder=question, generator=bart, retriever=retriever).eval()
    model.save_pretrained(folder / "model")
    if kind == "sequence":
        rag.copy_head(folder / "model")
    RagTokenizer(question_tokenizer, bart_tokenizer).save_pretrained(folder / "model")

    rag.SETTINGS = {str(i): draw_setting(rng) for i in range(3)}
    answers = rag.answers(model, retriever, question_tokenizer)
    documents = []
    for text in QUESTIONS:
        _, _, docs, scores = rag.retrieved(model, retriever, question_tokenizer, text)
        documents.append(dict(ids=docs["doc_ids"][0].tolist(), scores=scores[0].tolist()))
    # Answers that rounding decides are not compared.
    exact = rag.answers(model.double(), retriever, question_tokenizer)
    with torch.no_grad():
        loss = model.float()(**rag.batch_of(ROWS, question_tokenizer, bart_tokenizer), reduce_loss=True).loss.item()
    rag.write_table(folder / "rows.tsv", ROWS)
    expected = dict(
        kind=kind, settings=rag.SETTINGS, answers=answers, stable={name: answers[name] == exact[name] for name in answers},
        documents=documents, loss=loss, questions=QUESTIONS,
    )  # fmt: skip
    (folder / "expected.json").write_text(json.dumps(expected))
    print(number, kind, expected["stable"], flush=True)


def main(folder, first, last):
    warnings.filterwarnings("ignore")
    logging.set_verbosity_error()
    tokenizers = dict(
        context=rag.word_piece(DPRContextEncoderTokenizerFast), question=rag.word_piece(DPRQuestionEncoderTokenizerFast),
        bart=rag.byte_level_bpe(),
    )  # fmt: skip
    for number in range(int(first), int(last)):
        make(number, Path(folder) / str(number), tokenizers)


if __name__ == "__main__":
    main(*sys.argv[1:])
