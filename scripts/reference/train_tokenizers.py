"""Writes tests/fixtures/tokenizers/trained, and src/tokenizers/training/script-runs.ts.

    python scripts/reference/train_tokenizers.py            # everything
    python scripts/reference/train_tokenizers.py check DIR… # loads folders that `seq2seq tokenizer train` wrote
"""

import sys
from pathlib import Path

import regex

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


if __name__ == "__main__":
    write_runs()
