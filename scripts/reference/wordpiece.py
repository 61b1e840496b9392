"""Writes tests/fixtures/tokenizers/wordpiece, and src/tokenizers/bert-character-runs.ts.

    python scripts/reference/wordpiece.py

WordPiece is trained, cased and uncased, on the hard strings of byte_level_bpe.py, and asked for their ids.
"""

import json
import random
import shutil
import tempfile
from pathlib import Path

from byte_level_bpe import HARD, POOLS
from tokenizers import BertWordPieceTokenizer, normalizers, pre_tokenizers
from transformers import BertTokenizer, BertTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "tokenizers" / "wordpiece"
RUNS = ROOT / "src" / "tokenizers" / "bert-character-runs.ts"
PIECES = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[mask]", " ", "é", "İ", "Σ", "ς", "中", ".", "don't", "\u0301"]
rng = random.Random(7)


def character_runs():
    def normalizer(**on):
        off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
        return normalizers.BertNormalizer(**{**off, **on}).normalize_str

    clean, chinese, strip = normalizer(clean_text=True), normalizer(handle_chinese_chars=True), normalizer(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str

    def class_of(c):
        if clean(c) == "":
            return "C"
        if clean(c) == " ":
            return "S"
        if chinese(c) != c:
            return "I"
        if strip(c) == "":
            return "M"
        return "P" if len(split(f"a{c}b")) == 3 else "O"

    def base36(number):
        return ("" if number < 36 else base36(number // 36)) + "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]

    runs = []
    for code in range(0x110000):
        letter = "C" if 0xD800 <= code <= 0xDFFF else class_of(chr(code))
        if runs and runs[-1][1] == letter:
            runs[-1][0] += 1
        else:
            runs.append([1, letter])
    text = "".join(base36(length) + letter for length, letter in runs)
    lines = [text[i : i + 112] for i in range(0, len(text), 112)]
    RUNS.write_text(
        "/**\n * The code points in order, as runs of one class: length in base 36, then C (removed), S (white space), I\n"
        " * (ideograph), M (accent), P (punctuation) or O (other), as the reference's BertNormalizer and BertPreTokenizer have\n"
        " * them. Made by scripts/reference/wordpiece.py.\n */\n"
        "export const BERT_RUNS =\n" + " +\n".join(f"  '{line}'" for line in lines) + ";\n"
    )


def random_text():
    parts = []
    for _ in range(rng.randint(1, 8)):
        low, high = rng.choice(rng.choice(POOLS))
        codes = [rng.randint(low, high) for _ in range(rng.randint(1, 5))]
        parts.append("".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF))
        if rng.random() < 0.5:
            parts.append(rng.choice(PIECES))
    return "".join(parts)


PROBES = [
    "", "Hello, WORLD!", "naïve Café RÉSUMÉ Ångström", "e\u0301 E\u0301 Z\u0351\u036ba", "İstanbul ı ẞ ß ΣΑΣ ς", "ﬁ ﬂ ｆｕｌｌ",
    "日本語のテキスト 中文字符，标点。", "漢字a漢b 𠮷野家", "한국어 텍스트 가", "नमस्ते दुनिया", "ไทยภาษา", "מרחבא שָׁלוֹם", "x²³¼½Ⅷ①", "don't [MASK] [mask] it's",
    "[CLS] a [SEP] É[PAD]", "Ünïcödé [UNK]é", "\u0300 \u0301x", "a\u00adb\u200bc\ufeffd", "a\tb\nc\u00a0d\u3000e", "İ", "😀 👩🏽‍💻",
]
SETTINGS = {
    "alone": None,
    "accents kept": {"strip_accents": False},
    "accents kept, cased": {"strip_accents": False, "do_lower_case": False},
    "accents stripped": {"strip_accents": True},
    "accents stripped, cased": {"strip_accents": True, "do_lower_case": False},
    "ideographs together": {"tokenize_chinese_chars": False},
    "ideographs together, cased": {"tokenize_chinese_chars": False, "do_lower_case": False, "strip_accents": None},
}


def variants():
    """The fast class over vocab.txt or tokenizer.json, with nothing beside it or with settings."""
    for vocabulary in ("cased", "uncased"):
        for source in ("vocab.txt", "fast/tokenizer.json"):
            for name, settings in SETTINGS.items():
                with tempfile.TemporaryDirectory() as folder:
                    folder = Path(folder)
                    shutil.copy(FIXTURES / vocabulary / source, folder)
                    if settings is not None:
                        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
                    fast = BertTokenizerFast.from_pretrained(folder)
                ids = [fast(text)["input_ids"] for text in PROBES]
                yield {
                    "name": name, "file": f"{vocabulary}/{source}", "settings": settings,
                    "normalizer": json.loads(fast.backend_tokenizer.to_str())["normalizer"],
                    "cases": [{"text": t, "ids": row, "decoded": fast.decode(row)} for t, row in zip(PROBES, ids)],
                }


def dump(path, rows):
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{lines}\n]\n")


def main():
    character_runs()
    shutil.rmtree(FIXTURES, ignore_errors=True)
    texts = list(dict.fromkeys([*HARD, *PIECES, *(random_text() for _ in range(350))]))
    for name, lower in (("cased", False), ("uncased", True)):
        folder = FIXTURES / name
        folder.mkdir(parents=True)
        trained = BertWordPieceTokenizer(lowercase=lower)
        trained.train_from_iterator(HARD * 3, vocab_size=900, min_frequency=2, limit_alphabet=400, show_progress=False)
        trained.save_model(str(folder))
        (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}) + "\n")
        fast, slow = BertTokenizerFast.from_pretrained(folder), BertTokenizer.from_pretrained(folder)
        with tempfile.TemporaryDirectory() as saved:
            fast.save_pretrained(saved)
            (folder / "fast").mkdir()
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(Path(saved) / file, folder / "fast" / file)
        rows = []
        for text in texts:
            ids = fast(text)["input_ids"]
            rows.append({
                "text": text, "ids": ids, "decoded": fast.decode(ids), "skipped": fast.decode(ids, skip_special_tokens=True),
                "cleaned": fast.decode(ids, clean_up_tokenization_spaces=True),
            })
            if slow(text)["input_ids"] != ids:
                print("slow and fast differ:", ascii(text))
        dump(folder / "cases.json", rows)
    dump(FIXTURES / "variants.json", variants())


if __name__ == "__main__":
    main()
