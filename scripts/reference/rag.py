"""Makes tests/fixtures/rag: a tiny RAG of each kind, a context encoder, its knowledge and indexes, and Transformers' answers.

    python scripts/reference/rag.py        (about two minutes)

Weights are drawn wide and then taught some questions, so that answers depend on the documents. Answers must be the same in
double precision: then a different answer is a different computation, never rounding.
"""

import json
import math
import random
import shutil
import sys
import tempfile
from pathlib import Path

import faiss
import numpy
import torch
from bart_search import MaskedSource
from datasets import Dataset, Features, Sequence, Value
from safetensors.torch import load_file, save_file
from simpletransformers.seq2seq.seq2seq_utils import split_documents
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BartTokenizerFast,
    DPRConfig,
    DPRContextEncoder,
    DPRContextEncoderTokenizerFast,
    DPRQuestionEncoder,
    DPRQuestionEncoderTokenizerFast,
    RagConfig,
    RagRetriever,
    RagSequenceForGeneration,
    RagTokenForGeneration,
    RagTokenizer,
)

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "rag"
N_DOCS = 3
MAX_COMBINED = 56
CLASSES = {"token": RagTokenForGeneration, "sequence": RagSequenceForGeneration}

KNOWLEDGE = [
    ("Paris", "Paris is the capital of France. It lies on the river Seine and has a tall iron tower."),
    ("Berlin", "Berlin is the capital of Germany, and lies on the river Spree in the north east of the land."),
    ("Rome", "Rome is the capital of Italy. The river Tiber runs through it, and its oldest houses are very old."),
    ("The \"Nile\"", "The Nile is a long river in Africa. It runs north to the sea, past Cairo, the capital of Egypt."),
    ("Mars", "Mars is a small red planet. It has two moons, Phobos and Deimos, and one very tall mountain."),
    ("Venus", "Venus is a hot planet with thick clouds. It has no moon, and its day is longer than its year."),
    ("Saturn", "Saturn is a large planet with rings of ice, and more moons than most others that go round the sun."),
    ("Cat", "The cat is a small animal that sleeps most of the day and hunts mice at night. It purrs."),
    ("Whale", "The blue whale is the largest animal of all. It lives in the sea, and eats krill, which are small."),
    ('"Owl"', "The owl hunts at night. It turns its head far round, since its eyes cannot move."),
    ("Oslo", "Oslo is the capital of Norway  and lies at the end of a fjord."),
    ("", "Some passages have no title, as this one of the moon, which goes round the earth."),
]
ROWS = [
    ("what is the capital of france", "Paris"),
    ("what is the capital of germany", "Berlin"),
    ("which river runs through rome ?", "the river Tiber"),
    ("how many moons has mars", "two moons"),
    ("which animal hunts mice", "the cat"),
    ("what is the largest animal", "the blue whale"),
    ("which planet has rings", "Saturn"),
]
EVAL_ROWS = [
    ("which planet is red", "Mars"),
    ("who hunts at night", "the owl"),
    ("what is the capital of norway", "Oslo"),
    ("where is the nile", "in Africa"),
]
QUESTIONS = [
    "what is the capital of italy",
    "which planet is hot",
    "Who hunts mice, and eats them?",
    "where does the Nile run",
    "what is the capital of norway",
    "which moon goes round the earth",
]
SETTINGS = {
    "greedy": dict(max_length=14, num_beams=1),
    "beams": dict(max_length=14, num_beams=3, length_penalty=2.0, early_stopping=True),
    "several": dict(
        max_length=12, num_beams=4, length_penalty=0.7, early_stopping=False, num_return_sequences=2, no_repeat_ngram_size=3
    ),
    "penalty": dict(max_length=12, num_beams=2, repetition_penalty=1.4, min_length=5, early_stopping=True),
}  # fmt: skip
BERT = dict(
    hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=40,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)  # fmt: skip


class MaskedBart(MaskedSource, BartForConditionalGeneration):
    """As other releases: documents are padded to max_combined_length, and the decoder does not see that."""


def word_piece(tokenizer_class):
    texts = [text.lower() for row in KNOWLEDGE + ROWS + EVAL_ROWS for text in row] + [text.lower() for text in QUESTIONS]
    words = sorted({word for text in texts for word in "".join(c if c.isalpha() else " " for c in text).split()})
    letters = sorted({letter for text in texts for letter in text if not letter.isspace()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters if c.isalpha()), *words]
    with tempfile.TemporaryDirectory() as folder:
        vocab = Path(folder) / "vocab.txt"
        vocab.write_text("".join(f"{piece}\n" for piece in dict.fromkeys(pieces)))
        return tokenizer_class(str(vocab), model_max_length=40)


def byte_level_bpe():
    texts = [text for row in KNOWLEDGE + ROWS + EVAL_ROWS for text in row] + QUESTIONS
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts * 3, vocab_size=5 + 256 + 200, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False
    )
    with tempfile.TemporaryDirectory() as folder:
        return BartTokenizerFast(*bpe.save_model(folder))


def draw(model, generator, width):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name.lower()
            std = 0.2 if name.endswith("bias") or is_norm else 0.5 if "embed" in name else width
            values = torch.randn(parameter.shape, generator=generator) * std
            parameter.copy_(values + (1 if is_norm and name.endswith("weight") else 0))
    return model


def passages():
    titles, texts = zip(*KNOWLEDGE)
    return split_documents(dict(title=list(titles), text=list(texts)), split_text_n=12)


def embedded(context_encoder, tokenizer):
    """One passage at a time: the reference's batches let padding take part."""
    found = passages()
    vectors = []
    with torch.no_grad():
        for title, text in zip(found["title"], found["text"]):
            ids = tokenizer(title, text, truncation=True, return_tensors="pt")["input_ids"]
            vectors.append(context_encoder(ids).pooler_output[0].numpy())
    features = Features(
        {"text": Value("string"), "title": Value("string"), "embeddings": Sequence(Value("float32"))}
    )
    columns = dict(text=found["text"], title=found["title"], embeddings=[vector.tolist() for vector in vectors])
    return Dataset.from_dict(columns, features=features), numpy.stack(vectors)


def batch_of(rows, tokenizer, bart_tokenizer, started=False):
    """`started`: labels begin with what answers begin with, the decoder's start token and the one that is forced."""
    questions = tokenizer([source for source, _ in rows], padding=True, return_tensors="pt")
    labels = bart_tokenizer([target for _, target in rows], padding=True, return_tensors="pt")["input_ids"]
    if started:
        labels = torch.cat([torch.full_like(labels[:, :1], 2), labels], 1)
    return dict(input_ids=questions["input_ids"], attention_mask=questions["attention_mask"], labels=labels)


def teach(model, tokenizer, bart_tokenizer, steps, started):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.0)
    rng = random.Random(5)
    for _ in range(steps):
        rows = rng.sample(ROWS, 4)
        model.zero_grad()
        model(**batch_of(rows, tokenizer, bart_tokenizer, started), reduce_loss=True).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def retrieved(model, retriever, tokenizer, question):
    ids = tokenizer(question, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        vector = model.rag.question_encoder(ids)[0]
    found = retriever(ids.numpy(), vector.float().numpy(), prefix=model.rag.generator.config.prefix, return_tensors="pt")
    embeddings = found["retrieved_doc_embeds"].to(vector)
    scores = torch.bmm(vector.unsqueeze(1), embeddings.transpose(1, 2)).squeeze(1)
    return ids, vector, found, scores


def answers(model, retriever, tokenizer):
    """What each setting generates, each question alone, as Simple Transformers asks."""
    results = {}
    for name, setting in SETTINGS.items():
        sequences = []
        for question in QUESTIONS:
            _, _, found, scores = retrieved(model, retriever, tokenizer, question)
            with torch.no_grad():
                output = model.generate(
                    context_input_ids=found["context_input_ids"],
                    context_attention_mask=found["context_attention_mask"],
                    doc_scores=scores,
                    **setting,
                )
            sequences.append([strip(row) for row in output.tolist()])
        results[name] = sequences
    return results


def strip(row):
    while row and row[-1] == 1:
        row = row[:-1]
    return row


def copy_head(folder):
    """Transformers 4.49 saves tied weights once, but a RagSequenceForGeneration is not tied when it is loaded."""
    weights = load_file(folder / "model.safetensors")
    weights["rag.generator.lm_head.weight"] = weights["rag.generator.model.shared.weight"].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def ten_steps(load, tokenizer, bart_tokenizer):
    """As Simple Transformers trains: AdamW, the summed loss."""
    model = load().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    losses = []
    for _ in range(10):
        model.zero_grad()
        loss = model(**batch_of(ROWS, tokenizer, bart_tokenizer), reduce_loss=True).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def write_table(file, rows):
    file.write_text("input_text\ttarget_text\n" + "".join(f"{source}\t{target}\n" for source, target in rows))


def make(kind, seed, encoders, dataset, tokenizers):
    """None where rounding could decide."""
    tokenizer, bart_tokenizer = tokenizers
    generator = torch.Generator().manual_seed(seed)
    bart = BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(bart_tokenizer), d_model=16, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=32,
            decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=4, max_position_embeddings=64, dropout=0.0,
            forced_bos_token_id=0 if kind == "sequence" else None, forced_eos_token_id=2,
        )
    )  # fmt: skip
    draw(bart, generator, 0.3)
    question_encoder = DPRQuestionEncoder(DPRConfig(vocab_size=len(tokenizer), **BERT))
    question_encoder.load_state_dict(
        {name.replace("ctx_encoder", "question_encoder"): value for name, value in encoders.state_dict().items()}
    )
    config = RagConfig.from_question_encoder_generator_configs(
        question_encoder.config, bart.config, n_docs=N_DOCS, max_combined_length=MAX_COMBINED, retrieval_vector_size=16,
        index_name="custom", reduce_loss=False, decoder_start_token_id=2, eos_token_id=2, bos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    retriever = RagRetriever(
        config, question_encoder_tokenizer=tokenizer, generator_tokenizer=bart_tokenizer, index=retriever_index(dataset)
    )
    model = CLASSES[kind](config, question_encoder=question_encoder, generator=bart, retriever=retriever)
    model.eval()
    teach(model, tokenizer, bart_tokenizer, 70, started=kind == "sequence")
    model.eval()

    found = answers(model, retriever, tokenizer)
    exact = answers(model.double(), retriever, tokenizer)
    model.float()
    if found != exact:
        return None
    distinct = len({str(each) for each in found["greedy"]})
    print(kind, seed, "distinct", distinct, [bart_tokenizer.decode(s[0], skip_special_tokens=True) for s in found["beams"]])
    if distinct < 3:
        return None

    folder = FIXTURES / kind
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if kind == "sequence":
        copy_head(folder)
    RagTokenizer(tokenizer, bart_tokenizer).save_pretrained(folder)
    write_table(folder / "train.tsv", ROWS)
    write_table(folder / "eval.tsv", EVAL_ROWS)
    (folder / "input.txt").write_text("".join(f"{question}\n" for question in QUESTIONS))

    def load():
        loaded = CLASSES[kind].from_pretrained(folder, retriever=retriever)
        loaded.rag.generator.tie_weights()
        return loaded.eval()

    loaded = load()
    documents, vectors = [], []
    for question in QUESTIONS:
        ids, vector, docs, scores = retrieved(loaded, retriever, tokenizer, question)
        contexts = [strip(row) for row in docs["context_input_ids"].tolist()]
        documents.append(
            dict(question=ids[0].tolist(), ids=docs["doc_ids"][0].tolist(), scores=scores[0].tolist(), contexts=contexts)
        )
        vectors.append(vector[0])
    batch = batch_of(ROWS, tokenizer, bart_tokenizer)
    loaded.zero_grad()
    output = loaded(**batch, reduce_loss=True)
    output.loss.backward()
    with torch.no_grad():
        each = loaded(**batch, reduce_loss=False).loss
        evaluated = loaded(**batch_of(EVAL_ROWS, tokenizer, bart_tokenizer), reduce_loss=False).loss
        loaded.config.label_smoothing = 0.1
        smoothed = loaded(**batch, reduce_loss=True).loss
        loaded.config.label_smoothing = 0.0
    tensors = {"question_vectors": torch.stack(vectors)}
    for name, parameter in loaded.named_parameters():
        if parameter.grad is not None:
            tensors[f"gradient.{name}"] = parameter.grad.contiguous()
    save_file(tensors, folder / "expected.safetensors")
    generation = {
        name: dict(arguments=SETTINGS[name], sequences=found[name], texts=[
            bart_tokenizer.batch_decode(each, skip_special_tokens=True, clean_up_tokenization_spaces=True) for each in found[name]
        ]) for name in SETTINGS
    }  # fmt: skip
    expected = dict(
        n_docs=N_DOCS, documents=documents, loss=output.loss.item(), losses=each.tolist(),
        eval_losses=evaluated.tolist(), smoothed_loss=smoothed.item(),
        eval_tokens=sum(len(bart_tokenizer(target)["input_ids"]) - 1 for _, target in EVAL_ROWS),
        ten_steps=ten_steps(load, tokenizer, bart_tokenizer), generation=generation,
    )  # fmt: skip
    if kind == "sequence":
        generator_class = type(loaded.rag.generator)
        loaded.rag.generator.__class__ = MaskedBart
        expected["masked"] = answers(loaded, retriever, tokenizer)
        loaded.rag.generator.__class__ = generator_class
        loaded.config.do_deduplication = False
        expected["duplicated"] = answers(loaded, retriever, tokenizer)
        loaded.config.do_deduplication = True
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return model


def retriever_index(dataset):
    from transformers.models.rag.retrieval_rag import CustomHFIndex

    return CustomHFIndex(16, dataset)


def main():
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    context_tokenizer = word_piece(DPRContextEncoderTokenizerFast)
    tokenizer = word_piece(DPRQuestionEncoderTokenizerFast)
    bart_tokenizer = byte_level_bpe()
    context_encoder = DPRContextEncoder(DPRConfig(vocab_size=len(context_tokenizer), **BERT)).eval()
    draw(context_encoder, torch.Generator().manual_seed(3), 1.2 / math.sqrt(16))
    context_encoder.save_pretrained(FIXTURES / "context_encoder")
    context_tokenizer.save_pretrained(FIXTURES / "context_encoder")
    rows = "".join("\t".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if '"' in cell else cell for cell in row) + "\n" for row in KNOWLEDGE)
    (FIXTURES / "knowledge.tsv").write_text(rows)

    dataset, vectors = embedded(context_encoder, context_tokenizer)
    dataset.save_to_disk(FIXTURES / "knowledge_dataset")
    hnsw = faiss.IndexHNSWFlat(16, 4, faiss.METRIC_INNER_PRODUCT)
    hnsw.add(vectors)
    faiss.write_index(hnsw, str(FIXTURES / "hnsw.faiss"))
    dataset.add_faiss_index("embeddings", custom_index=faiss.IndexFlatIP(16))
    dataset.get_index("embeddings").save(str(FIXTURES / "knowledge_dataset" / "hf_dataset_index.faiss"))

    for kind in CLASSES:
        for seed in range(40):
            if make(kind, seed, context_encoder, dataset, (tokenizer, bart_tokenizer)):
                break
        else:
            sys.exit(f"no weights of {kind} are free of near ties")


if __name__ == "__main__":
    main()
