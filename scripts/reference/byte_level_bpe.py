"""Writes tests/fixtures/tokenizers/{slow,fast,saved,*.json}, and src/tokenizers/character-class-runs.ts.

    python scripts/reference/byte_level_bpe.py

A byte-level BPE is trained on docstrings of Python's library, saved as slow files and as tokenizer.json, and asked for
the ids of hard strings, as BART's tokenizer and as RoBERTa's. (This file must not be called tokenizers.py: Python would import it in place of the library.)
"""

import importlib
import json
import random
import shutil
import tempfile
from pathlib import Path

from tokenizers import ByteLevelBPETokenizer, pre_tokenizers
from transformers import BartTokenizer, BartTokenizerFast, RobertaTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "tokenizers"
RUNS = ROOT / "src" / "tokenizers" / "character-class-runs.ts"

DOCUMENTED = [
    "argparse", "asyncio", "collections", "csv", "datetime", "decimal", "difflib", "email", "functools", "heapq", "json",
    "logging", "random", "re", "string", "textwrap",
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]

HARD = [
    "", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n\n", " \n \t x", "a", " a", "a ", "  a  b   c    ", "a\tb\t\tc",
    "x\r\ny\rz\n",
    "Hello world", " Hello world", "hello, world! don't you'll we've I'm he'd they're it's 'tis 'S 'LL", "''s 's's ' s",
    "can''t",
    "rock'n'roll", "1234567890", "3.14159e-10", "a1b2c3", "x²³¼½Ⅷ①", "٠١٢٣ १२३ 一二三", "$£€¥ ©®™ §¶", "!!!???...,,,",
    "-- — – ‐ ‑",
    "naïve café résumé Ångström ﬁ ﬂ ß ẞ İ ı",
    "e\u0301 a\u0308\u0323 \u0301x Z\u0351\u036b\u0343a\u0363l\u0340g\u0321o\u0322", "\u0300", " \u0300",
    "日本語のテキスト", "中文字符，标点。", "한국어 텍스트", "ｆｕｌｌ　ｗｉｄｔｈ", "漢字かなカナ混じり 漢字", "𠮷野家 𪚥",
    "مرحبا بالعالم", "שלום עולם", "\u200fעברית\u200e mixed \u202bRTL\u202c", "नमस्ते दुनिया", "ไทยภาษา",
    "Ελληνικά Русский Հայերեն ქართული",
    "😀", "😀😃😄", "a😀b 😀 c", "👨‍👩‍👧‍👦", "👩🏽‍💻 🏳️‍🌈 🇩🇪🇫🇷", "1️⃣ #️⃣ ❤️ ☺", "🤷🏾‍♂️🤷🏾‍♂️", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛",
    "\U0001f9ff\U0001fae8\U0001f6dc",
    "zero\u200bwidth\u200cnon\u200djoin\ufeffbom\u2060wj", "\ufeffbom first", "\u200b", "\u200b \u200b",
    "nbsp\u00a0here\u00a0\u00a0two \u00a0three",
    "\u2003em\u2009thin\u3000wide\u202fnarrow\u1680ogham\u205fmath", "line\u2028sep\u2029para\u0085next\x0bvt\x0cff",
    "\u00ad soft\u00adhyphen",
    "\x00", "\x00\x01\x02\x1f\x7f", "a\x00b", "\x1b[31mred\x1b[0m", "\x80\x81\x9f", "\ufffd", "\ufffe\uffff",
    "\ue000\uf8ff", "\U000e0001\U000e0041", "\U0010ffff",
    "a </s> b<mask> c", "<s>", "</s>", "<pad>", "<unk>", "<mask>", "<s></s>", "<mask><mask>", " <mask>", "<mask> ",
    "  <mask>  ", "a <mask> b", "a\n\t<mask>\n b",
    "a\u00a0<mask>b", "a\u200b<mask>", "\ufeff<mask>", "\u0085<mask>", "\u3000<mask>x", "<mask>  <mask>", "<mask",
    "mask>", "<<mask>>", "< mask >", "<MASK>",
    "<s>nested</s></s><s>", "x<pad><pad>y", "<unk>unk<unk>", "</s></s", "<s", "s>", "<pad >", "😀<mask>😀", "日本 <mask> 語",
    "<s> <s>  </s>",
    "Ġ", "ĠĠ", "Ċ", "âĢ", "Ã©", "ĠĠhello", "Ģ", "ł", "Ń", "Ā", "#version: 0.2",
    "__proto__ constructor toString hasOwnProperty",
    "def f(x):\n    return x ** 2  # comment\n", "https://example.org/a?b=c&d=%20#frag", "C:\\path\\to\\file.txt",
    '{"json": [1, 2.5, null]}', "user@example.org",
    "a" * 70, "ab" * 60, "a " * 50, " " * 40, " " * 40 + "x", "x" + " " * 40, "\n" * 30, "." * 33, "😀" * 12, "é" * 33,
    "word" * 20, "'" * 9, "'s" * 9,
    "supercalifragilisticexpialidocious", "aaaaaaaaaaaaab", "thethethethe", "returnreturnsreturned", "The the THE tHe",
    "HTTPServerError404",
    "it 's n't a test , right ? no ! ok .", "he 'm she 've they 're ' quoted '",
]

POOLS = [
    [(0x20, 0x7E)], [(0x61, 0x7A)], [(0x30, 0x39), (0x20, 0x20)], [(0x20, 0x20), (0x09, 0x0D), (0x61, 0x63)],
    [(0xA0, 0x17F)], [(0x300, 0x36F), (0x61, 0x7A)],
    [(0x370, 0x5FF)], [(0x600, 0x6FF), (0x20, 0x20)], [(0x900, 0xDFF)], [(0x2000, 0x206F), (0x61, 0x7A)],
    [(0x2070, 0x2BFF)], [(0x3000, 0x30FF)],
    [(0x4E00, 0x9FFF)], [(0xAC00, 0xD7A3), (0x20, 0x20)], [(0xE000, 0xFFFF)], [(0x10000, 0x107FF)],
    [(0x1D400, 0x1D7FF), (0x30, 0x39)],
    [(0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF), (0x200D, 0x200D), (0xFE0F, 0xFE0F)], [(0x20000, 0x323AF)],
    [(0x00, 0x1F), (0x7F, 0x9F), (0x41, 0x45)], [(0x00, 0xD7FF)], [(0x00, 0x10FFFF)],
]
SPLICES = [*SPECIAL, " ", "  ", "\n", "\t", "'s", "'ll", "\u00a0", "\u200d", "\ufeff", "0", "a", " the", "."]

rng = random.Random(20250101)


def random_text():
    pools = rng.sample(POOLS, rng.choice([1, 1, 2, 3]))
    parts = []
    for _ in range(rng.randint(1, 6)):
        low, high = rng.choice(rng.choice(pools))
        for _ in range(rng.randint(1, 5)):
            code = rng.randint(low, high)
            parts.append(chr(code) if not 0xD800 <= code <= 0xDFFF else "?")
        if rng.random() < 0.4:
            parts.append(rng.choice(SPLICES))
    return "".join(parts)


def dump(name, rows):
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    (FIXTURES / name).write_text("[\n" + ",\n".join(lines) + "\n]\n")


def character_class_runs():
    """Writes the runs of code points of one class, told by what each joins to in the pre-tokenizer."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str

    def class_of(character):
        for neighbour, letter in (("a", "L"), ("1", "N"), ("!", "O")):
            if len(split(neighbour + character)) == 1:
                return letter
        return "S"

    def base36(number):
        return ("" if number < 36 else base36(number // 36)) + "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]

    runs = []
    for code in range(0x110000):
        letter = "O" if 0xD800 <= code <= 0xDFFF else class_of(chr(code))
        if runs and runs[-1][1] == letter:
            runs[-1][0] += 1
        else:
            runs.append([1, letter])
    text = "".join(base36(length) + letter for length, letter in runs)
    lines = [text[i : i + 112] for i in range(0, len(text), 112)]
    RUNS.write_text(
        "/**\n * The code points in order, as runs of one class: length in base 36, then L (letter), N (number), S (white\n"
        " * space) or O (other), as the reference's pre-tokenizer has them (Unicode 16). Made by\n"
        " * scripts/reference/byte_level_bpe.py.\n */\n"
        "export const CLASS_RUNS =\n" + " +\n".join(f"  '{line}'" for line in lines) + ";\n"
    )


def train(folder):
    texts = []
    for name in DOCUMENTED:
        module = importlib.import_module(name)
        public = [getattr(module, name) for name in sorted(dir(module)) if not name.startswith("_")]
        texts += [item.__doc__ or "" for item in (module, *public)]
    tokenizer = ByteLevelBPETokenizer()
    # The hard strings take part, so that there are merges across the bytes of a character and beyond it.
    tokenizer.train_from_iterator(
        texts + HARD * 3, vocab_size=1500, min_frequency=2, special_tokens=SPECIAL, show_progress=False
    )
    folder.mkdir(parents=True)
    tokenizer.save_model(str(folder))


def case(fast, text):
    ids = fast(text)["input_ids"]
    plain = fast(text, add_special_tokens=False)["input_ids"]
    cut = fast(text, truncation=True, max_length=8)["input_ids"]
    assert ids == [0, *plain, 2]
    decoded, skipped = fast.decode(ids), fast.decode(ids, skip_special_tokens=True)
    row = {"text": text, "ids": plain, "cut": cut, "decoded": decoded, "skipped": skipped}
    cleaned = fast.decode(plain, clean_up_tokenization_spaces=True)
    return row if cleaned == fast.decode(plain) else {**row, "cleaned": cleaned}


def decode_cases(fast):
    for _ in range(200):
        ids = [rng.randrange(rng.choice([5, 261, len(fast)])) for _ in range(rng.randint(1, 8))]
        yield {"ids": ids, "decoded": fast.decode(ids), "skipped": fast.decode(ids, skip_special_tokens=True)}


def added(content, **flags):
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": content, **plain, **flags}


def with_type(token):
    token = {**token, "__type": "AddedToken"}
    del token["special"]
    return token


def config(**settings):
    return {"tokenizer_config.json": settings}


def variants(vocab, serialized):
    """Folders as people have them: base, files beside it, and what to change in tokenizer.json."""
    n = len(vocab)
    merged = {part for merge in serialized["model"]["merges"] for part in merge}
    unmerged = [token for token in vocab if len(token) == 1 and token not in merged][:40]
    mask = added("<mask>", lstrip=False, rstrip=True, normalized=True)
    more = ["<x>", with_type(added("<y>", lstrip=True, rstrip=True))]
    listed = {
        vocab["<mask>"]: mask,
        n: added("wow", single_word=True, normalized=True, special=False),
        n + 1: added(" up", special=False),
    }
    described = config(mask_token="<mask>", added_tokens_decoder={str(i): token for i, token in listed.items()})
    legacy = {
        "special_tokens_map.json": {
            "mask_token": {k: v for k, v in mask.items() if k != "special"},
            "additional_special_tokens": ["<q>"],
            "cls_token": "<s>",
        },
        "added_tokens.json": {"zap": n + 1, "<q>": n},
    }
    special = [{"SpecialToken": {"id": token, "type_id": 0}} for token in SPECIAL[:3]]
    text = {"Sequence": {"id": "A", "type_id": 0}}
    template = {
        "type": "TemplateProcessing",
        "single": [special[0], special[1], text, special[2]],
        "pair": [text, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {token: {"id": token, "ids": [vocab[token]], "tokens": [token]} for token in SPECIAL[:3]},
    }
    processors = [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]},
    ]
    return {
        "prefix-space": ("slow", config(add_prefix_space=True, model_max_length=77), {}),
        "prefix-space-fast": ("fast", config(add_prefix_space=True, model_max_length=1e30), {}),
        "prefix-space-only-serialized": (
            "fast", {}, {"pre_tokenizer": {**serialized["pre_tokenizer"], "add_prefix_space": True}},
        ),
        "additional": ("slow", config(additional_special_tokens=more), {}),
        "additional-fast": ("fast", config(additional_special_tokens=more, mask_token=with_type(mask)), {}),
        "mask-object": ("slow", config(mask_token=with_type(mask), bos_token="<s>"), {}),
        "decoder": ("slow", described, {}),
        "decoder-fast": ("fast", described, {}),
        "legacy": ("slow", legacy, {}),
        "legacy-fast": ("fast", {**legacy, "special_tokens_map.json": {"pad_token": "<q>"}}, {}),
        "new-roles": ("slow", config(eos_token="<end>", sep_token="<end>", pad_token="<p>"), {}),
        "new-roles-fast": ("fast", config(eos_token="<end>", sep_token="<end>", mask_token="<m>"), {}),
        "flags-loose": (
            "fast", {}, {"added_tokens": [{"id": i, **added(token)} for token, i in vocab.items() if token in SPECIAL]},
        ),
        "nothing-listed": ("fast", {}, {"added_tokens": []}),
        "no-post-processor": ("fast", {}, {"post_processor": None}),
        "template": ("fast", {}, {"post_processor": template}),
        "sequence": ("fast", {}, {"post_processor": {"type": "Sequence", "processors": processors}}),
        "bytes-missing": ("fast", {}, {"model": {"drop": unmerged}}),
        "bytes-unknown": ("fast", {}, {"model": {"drop": unmerged, "unk_token": "<unk>"}}),
        "bytes-fused": ("fast", {}, {"model": {"drop": unmerged, "unk_token": "<unk>", "fuse_unk": True}}),
        "ignore-merges": ("fast", {}, {"model": {"ignore_merges": True, "merges": []}}),
        "left": ("fast", config(truncation_side="left", clean_up_tokenization_spaces=True), {}),
    }


PROBES = [
    "", "wow wowed wow! a wow", "go up <mask>  up", "a <x> b <y> c", " <q>zap zapped<q> ", "it 's fine , ok ?",
    "Hello \u00e9\u4e2d\U0001f600 \x01\x02 x", "<s>a</s> <end><p> <m> b", "the returned list\n\n  of values",
]
ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
FLAGS = ["content", "single_word", "lstrip", "rstrip", "normalized", "special"]


def variant_cases(slow_folder, fast_folder):
    vocab = json.loads((slow_folder / "vocab.json").read_text())
    serialized = json.loads((fast_folder / "tokenizer.json").read_text())
    for name, (base, files, patch) in variants(vocab, serialized).items():
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            shutil.copytree(slow_folder if base == "slow" else fast_folder, folder, dirs_exist_ok=True)
            if patch:
                (folder / "tokenizer.json").write_text(json.dumps(patched(serialized, patch)))
            for file, content in files.items():
                (folder / file).write_text(json.dumps(content))
            fast = BartTokenizerFast.from_pretrained(folder)
        limit = fast.model_max_length
        tokens = fast.added_tokens_decoder.items()
        yield {
            "name": name, "base": base, "files": files, "patch": patch, "size": len(fast),
            "modelMaxLength": limit if limit < 1e20 else None,
            "special": {role: getattr(fast, f"{role}_token_id") for role in ROLES},
            "added": [{"id": i, **{flag: getattr(token, flag) for flag in FLAGS}} for i, token in tokens],
            "cases": [probe(fast, text) for text in PROBES],
        }


def probe(fast, text):
    ids = fast(text)["input_ids"]
    cut = fast(text, truncation=True, max_length=6)["input_ids"]
    decoded, skipped = fast.decode(ids), fast.decode(ids, skip_special_tokens=True)
    return {"text": text, "ids": ids, "cut": cut, "decoded": decoded, "skipped": skipped}


def patched(serialized, patch):
    result = {**serialized, **patch}
    if "model" in patch:
        changes = dict(patch["model"])
        drop = set(changes.pop("drop", []))
        model = {**serialized["model"], **changes}
        result["model"] = {**model, "vocab": {token: i for token, i in model["vocab"].items() if token not in drop}}
    return result


def roberta(slow_folder, fast_folder, texts):
    """Folders with settings: what is saved, and the ids of the texts of cases.json in their order."""
    settings = {
        "plain": {},
        "prefix-space": {"add_prefix_space": True},
        "offsets": {"trim_offsets": False, "model_max_length": 512},
    }
    for name, said in settings.items():
        cases = {}
        for base, files in (("slow", slow_folder), ("fast", fast_folder)):
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(files, folder, dirs_exist_ok=True)
                if said:
                    (Path(folder) / "tokenizer_config.json").write_text(json.dumps(said))
                fast = RobertaTokenizerFast.from_pretrained(folder)
                fast.save_pretrained(folder)
                saved = json.loads((Path(folder) / "tokenizer.json").read_text())
                config = json.loads((Path(folder) / "tokenizer_config.json").read_text())
            shown = ("ids", "decoded", "skipped") if name == "plain" else ("ids",)
            cases[base] = [{key: row[key] for key in shown} for row in (probe(fast, text) for text in texts)]
            yield {
                "name": name, "base": base, "settings": said,
                "post": saved["post_processor"], "pre": saved["pre_tokenizer"], "added": saved["added_tokens"],
                "config": {key: config[key] for key in ("add_prefix_space", "trim_offsets", "tokenizer_class")},
            }
        assert cases["slow"] == cases["fast"], "tokenizer.json and slow files disagree"
        yield {"name": name, "cases": cases["slow"]}


def main():
    character_class_runs()
    slow_folder, fast_folder, saved_folder = FIXTURES / "slow", FIXTURES / "fast", FIXTURES / "saved"
    for folder in (slow_folder, fast_folder, saved_folder):
        shutil.rmtree(folder, ignore_errors=True)
    train(slow_folder)
    fast, slow = BartTokenizerFast.from_pretrained(slow_folder), BartTokenizer.from_pretrained(slow_folder)
    fast.save_pretrained(saved_folder)
    fast_folder.mkdir()
    (saved_folder / "tokenizer.json").rename(fast_folder / "tokenizer.json")
    for file in ("vocab.json", "merges.txt"):
        (saved_folder / file).unlink()

    texts = list(dict.fromkeys([*HARD, *(random_text() for _ in range(400))]))
    rows = [case(fast, text) for text in texts]
    reloaded = BartTokenizerFast.from_pretrained(fast_folder)
    assert rows == [case(reloaded, text) for text in texts], "tokenizer.json and slow files disagree"
    dump("cases.json", rows)
    dump("decode.json", decode_cases(fast))
    dump("variants.json", variant_cases(slow_folder, fast_folder))
    dump("roberta.json", roberta(slow_folder, fast_folder, texts))

    for row in rows:
        ids = [0, *row["ids"], 2]
        answers = [slow(row["text"])["input_ids"], slow.decode(ids), slow.decode(ids, skip_special_tokens=True)]
        if answers != [ids, row["decoded"], row["skipped"]]:
            print("slow and fast differ:", row["text"], answers)


if __name__ == "__main__":
    main()
