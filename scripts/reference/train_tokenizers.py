"""Writes tests/fixtures/tokenizers/trained, and src/tokenizers/training/script-runs.ts.

    python scripts/reference/train_tokenizers.py             # everything
    python scripts/reference/train_tokenizers.py check DIR … # loads folders that `seq2seq tokenizer train` wrote

`corpus.txt`: docstrings of Python's library, and sentences in many scripts. `bpe.json`, `wordpiece.json` and `unigram.json`:
for some settings what Hugging Face's trainers, and SentencePiece's, make of it.

WordPieceTrainer gives the characters inside words ids in the order of a hash table, and pairs met equally often are merged by
these ids, so that two runs of it differ. Here the alphabet is handed to it as special tokens, in the order of code points.
"""

import importlib
import io
import json
import random
import sys
from collections import Counter
from pathlib import Path

import regex
import sentencepiece as spm
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "tokenizers" / "trained"
RUNS = ROOT / "src" / "tokenizers" / "training" / "script-runs.ts"


def script_runs():
    """Runs of code points of one script. SentencePiece takes kana, and the sign for long vowels, for Han."""
    from regex._regex_core import PROPERTIES

    names = {number: name for name, number in PROPERTIES["SCRIPT"][1].items()}
    merged = {"HIRAGANA": "HAN", "KATAKANA": "HAN", "HIRA": "HAN", "KANA": "HAN", "HANI": "HAN"}
    text = "".join(map(chr, (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)))
    scripts = ["COMMON"] * 0x110000
    for name in names.values():
        if name in ("UNKNOWN", "ZZZZ", "COMMON", "ZYYY"):
            continue
        for character in regex.findall(rf"\p{{Script={name}}}", text):
            scripts[ord(character)] = merged.get(name, name)
    scripts[0x30FC] = "HAN"
    inherited = next(name for name in names.values() if name in ("INHERITED", "ZINH", "QAAI"))
    letters = {"COMMON": "A", inherited: "B"}
    runs, start = [], 0
    for end in range(1, 0x110001):
        if end < 0x110000 and scripts[end] == scripts[start]:
            continue
        script = scripts[start]
        if script not in letters:
            n = len(letters)
            letters[script] = chr(65 + n) if n < 26 else chr(64 + n // 26) + chr(65 + n % 26)
        runs.append(f"{base36(end - start)}{letters[script]}")
        start = end
    return "".join(runs)


def base36(number):
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def write_runs():
    lines = regex.findall(r".{1,112}", script_runs())
    body = " +\n".join(f"  '{line}'" for line in lines)
    RUNS.write_text(
        "/**\n"
        " * The code points in order, as runs of one script: length in base 36, then the script; A: Common, B: Inherited; the\n"
        " * others have letters in the order of their first characters. Made by scripts/reference/train_tokenizers.py.\n"
        " */\n"
        f"export const SCRIPT_RUNS =\n{body};\n"
    )


DOCUMENTED = ["argparse", "asyncio", "collections", "csv", "datetime", "decimal", "difflib", "email", "json", "logging", "random"]
SENTENCES = """
Le garçon déjà vu à Noël a été très naïf, c'est-à-dire l'œuvre d'un élève. Où êtes-vous ?
Der größte Übungsraum für fünf Mädchen heißt schön; die Straße ist lang, die Bücher sind über dem Tisch.
El niño comió mañana el corazón de la sandía; ¿qué día según tú? ¡Aquí está!
Привет, мир! Это большой город, и жизнь в нём ещё продолжается. Человек сказал слово.
Καλημέρα κόσμε, ο λόγος δεν είναι μεγάλος. Η Ελλάδα ΣΊΣΥΦΟΣ.
שלום עולם, הספר של המלך. مرحبا بالعالم، السلام عليكم. नमस्ते दुनिया, भारत की किताब।
日本語のテキストは東京の学校で先生が書きます。世界こんにちは、ありがとう。カタカナとひらがな。
中文你好世界，学习大学在北京。我们今天学习中文，明天去北京大学。
안녕하세요 세계, 서울의 한국어 학교입니다. 오늘은 한국어를 배웁니다.
Prices: $20.50, 1,000 € or 3.14159 (50%) on 2024-01-31 at 10:42; see http://www.example.com/a?b=c&d=%20#e.
He said: "don't", we're, I'll, they've, it's... U.S. e.g. C++ foo_bar test@example.com ☃ 👍🏽 x² ½ ﬁ Å
""".strip().split("\n")


def corpus():
    draw = random.Random(3)
    lines = []
    for name in DOCUMENTED:
        module = importlib.import_module(name)
        for member in [module, *(getattr(module, n) for n in sorted(dir(module)))]:
            text = getattr(member, "__doc__", None)
            lines += [line.strip() for line in (text if isinstance(text, str) else "").split("\n") if line.strip()]
    lines = list(dict.fromkeys(lines))
    for sentence in SENTENCES:
        words = sentence.split(" ")
        lines += [sentence, *(" ".join(draw.sample(words, max(1, len(words) * 2 // 3))) for _ in range(4))]
    # More ideographs than a WordPiece alphabet holds.
    lines += ["".join(draw.choices([chr(0x4E00 + 7 * i) for i in range(1300)], k=20)) for _ in range(250)]
    lines += ["", "   ", "  two  spaces  ", "\ttab\tstops", "a\u00a0b\u3000c", "\u2581low\u2581line"]
    return lines


def byte_level_bpe(lines, vocab_size, min_frequency):
    """Without the mask, which is put at the end."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1, min_frequency=min_frequency, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return {"merges": [" ".join(merge) for merge in merges], "vocab": tokens_of(tokenizer)[260:]}


def word_piece(lines, vocab_size, min_frequency, lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words = Counter()
    for line in lines:
        normalized = tokenizer.normalizer.normalize_str(line)
        words.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalized))
    characters = Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count
    kept = sorted(sorted(characters, key=lambda c: (-characters[c], c))[:1000])
    inside = sorted({c for word in words for c in word[1:] if c in set(kept)})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *kept, *("##" + c for c in inside)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=special, limit_alphabet=0, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return {"vocab": tokens_of(tokenizer)}


def tokens_of(tokenizer):
    return sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)


def unigram(lines, vocab_size):
    """Of a model of so many pieces: tokens of the corpus, and the sum of their scores, unknown ones left out."""
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=file, vocab_size=vocab_size, model_type="unigram",
        normalization_rule_name="nmt_nfkc", num_threads=1, minloglevel=2, max_sentence_length=1000000,
    )
    model = spm.SentencePieceProcessor(model_proto=file.getvalue())
    ids = [i for line in model.encode(lines) for i in line]
    known = [i for i in ids if i != 0]
    pieces = [model.id_to_piece(i) for i in range(3, vocab_size)]
    return {"tokens": len(ids), "score": sum(model.get_score(i) for i in known), "unknown": len(ids) - len(known), "pieces": pieces}


def check(folders):
    from transformers import AutoTokenizer

    text = "Hello world, déjà vu: 3.14! parameters of the function"
    for folder in folders:
        for fast in (False, True):
            tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=fast)
            ids = tokenizer(text)["input_ids"]
            print(folder, type(tokenizer).__name__, len(tokenizer), ids, repr(tokenizer.decode(ids)))


def dump(name, value):
    (FIXTURES / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    write_runs()
    lines = corpus()
    (FIXTURES / "corpus.txt").write_text("\n".join(lines) + "\n")
    bpe = [(1000, 2), (600, 30), (20000, 2)]
    dump("bpe.json", [{"vocabSize": n, "minFrequency": f, **byte_level_bpe(lines, n, f)} for n, f in bpe])
    word = [(3000, 2, False), (2600, 5, True)]
    keys = ["vocabSize", "minFrequency", "lowercase"]
    dump("wordpiece.json", [{**dict(zip(keys, case)), **word_piece(lines, *case)} for case in word])
    dump("unigram.json", [{"pieces": n, "expected": unigram(lines, n)} for n in [2000, 3000]])


if __name__ == "__main__":
    check(sys.argv[2:]) if sys.argv[1:2] == ["check"] else main()
