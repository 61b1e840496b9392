"""Writes tests/fixtures/tokenizers/mbart and mbart50: what the fast tokenizers, converted from slow files, make of hard strings.

    python scripts/reference/mbart_tokenizer.py

mBART has a model without a character map; mBART-50 one with nmt_nfkc, which is large, and so left out of the files here: tests
put it in from sentencepiece/unigram.model. Also used by camembert_tokenizer.py.
"""

import io
import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from transformers import AutoTokenizer, MBart50TokenizerFast, MBartTokenizerFast

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "tokenizers"
WITH_MAP = FIXTURES / "sentencepiece" / "unigram.model"
MODEL_FILE = "sentencepiece.bpe.model"
LANGUAGES = ["ar_AR", "de_DE", "en_XX", "fr_XX", "zh_CN"]
ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]
FLAGS = ["content", "single_word", "lstrip", "rstrip", "normalized", "special"]

EXTRA = [
    "en_XX", "en_XX Hello", "Hello </s> en_XX", "aen_XXb", " de_DE fr_XX", "en_xx", "EN_XX", "sl_SI gl_ES", "<s>NOTUSED",
    "</s>NOTUSED <unk>NOTUSED<unk>", "a <unk>NOTUSED b", "\u2581", "\u2581\u2581", "\u2581a", "a\u2581b", "a \u2581 b", " \u2581", "\u2581 ",
    "\u2581\u2581a  \u2581b", "a  b", "a   b    c", "  a", "a  ", "a \t b", "a\t\tb ", "a\u00a0 b", "a \u00a0b", "a\u3000\u3000b",
    "Hello  <mask>  world", "Hello<mask>world", "  <mask>", "<mask>  ", "\u2581<mask>", "a\u2581<mask>\u2581b", "<mask>\u3000<mask>",
    "x </s>", "x  </s>  y", "</s> </s>", "\n</s>\n", "a <s> b </s> c <pad> d <unk> e", "the <ctl> end", "<ctl>", "the<ent>s", "<ent>",
    "a >>fr<< b", ">>fr<<", "\u2581<x>", " <x>", "a b", "xa by", "ＦＷ", "the\u0301", "e\u0301\u0302\u0303\u0304", "\u1112\u1161\u11ab",
    "ﬁ ﬀ ﬄ ½ ² ™ Å K ℃", "ＡＢＣ　ｄｅｆ", "カ\u3099 ガ ｶﾞ", "\u0f73\u0f75", "a\u200db", "\r\n\u0301", "\u1100\u1161 \u1100", "🇩🇪🇫 🇷", "𐀀𐀁𐀀",
    "\U0001f468\u200d\U0001f469", "unknown 龘龘龘 龘a龘", "龘 龘", "龘the龘", "the 龘<mask>龘", "it 's n't , ok ?", "x\x00y", "\x00", "\ufffd\ufffd",
]


def texts():
    """The hard strings of the byte-level BPE, and some that are hard for these."""
    found = [row["text"] for row in json.loads((FIXTURES / "cases.json").read_text())]
    draw = random.Random(11)
    parts = [*EXTRA, "the ", " of", "  ", "<mask>", "</s>", "en_XX", "\u2581", "学校", "don't "]
    mixed = ["".join(draw.choices(parts, k=draw.randint(2, 6))) for _ in range(80)]
    draw.shuffle(found)
    return list(dict.fromkeys([*EXTRA, *found[:330], *mixed]))


def train(rule):
    """The bytes of a model; its characters are few, so that much is unknown."""
    corpus = (FIXTURES / "trained" / "corpus.txt").read_text().split("\n")
    lines = [line for line in corpus if line.strip() and max(map(ord, line)) < 0x3000]
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=file, vocab_size=480, model_type="unigram", num_threads=1, minloglevel=2,
        normalization_rule_name=rule, character_coverage=0.99, user_defined_symbols=["<ent>", "a b"], control_symbols=["<ctl>"],
    )
    return file.getvalue()


def model_without_map(model):
    """The same with an empty character map, which must have been that of WITH_MAP."""
    stripped = proto.ModelProto.FromString(model)
    charsmap = stripped.normalizer_spec.precompiled_charsmap
    assert charsmap in (b"", proto.ModelProto.FromString(WITH_MAP.read_bytes()).normalizer_spec.precompiled_charsmap)
    stripped.normalizer_spec.precompiled_charsmap = b""
    return stripped.SerializeToString() if charsmap else model


def dump(path, rows):
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def row(fast, text):
    """Ids without special tokens, and text with them; [text, ids, decoded, skipped], and cleaned up if that differs."""
    ids = fast(text)["input_ids"]
    plain = fast(text, add_special_tokens=False)["input_ids"]
    decoded, skipped = fast.decode(ids), fast.decode(ids, skip_special_tokens=True)
    cleaned = fast.decode(ids, clean_up_tokenization_spaces=True)
    return [text, plain, decoded, skipped, *([cleaned] if cleaned != decoded else [])]


def decode_rows(fast):
    draw = random.Random(12)
    for _ in range(150):
        ids = [draw.randrange(draw.choice([8, 60, len(fast)])) for _ in range(draw.randint(0, 8))]
        yield [ids, fast.decode(ids), fast.decode(ids, skip_special_tokens=True)]


def without_map(serialized):
    """A copy with the character map made empty."""
    serialized = json.loads(json.dumps(serialized))
    normalizer = serialized["normalizer"]
    for step in normalizer.get("normalizers", [normalizer]) if normalizer else []:
        if step["type"] == "Precompiled":
            step["precompiled_charsmap"] = ""
    return serialized


def added(content, **flags):
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": content, **plain, **flags}


def with_type(token):
    return {**{k: v for k, v in token.items() if k != "special"}, "__type": "AddedToken"}


def variants(serialized, size):
    """Folders as people have them: files beside the base, slow or fast, and what to change in tokenizer.json."""
    config = lambda **settings: {"tokenizer_config.json": settings}
    mask = added("<mask>", lstrip=False, rstrip=True, normalized=True)
    steps = serialized["normalizer"]["normalizers"]
    hub = {
        "normalizer": steps[0] if steps[0]["type"] == "Precompiled" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True},
        ]},
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "str_rep": "\u2581", "add_prefix_space": True},
    }
    never = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "split": False}
    first = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    listed = {size - 1: mask, size: added("wow", single_word=True, normalized=True, special=False), size + 1: added(" up", special=False)}
    described = config(mask_token="<mask>", added_tokens_decoder={str(i): token for i, token in listed.items()})
    legacy = {
        "special_tokens_map.json": {"mask_token": {k: v for k, v in mask.items() if k != "special"}, "additional_special_tokens": ["<q>"]},
        "added_tokens.json": {"zap": size + 1, "<q>": size},
    }
    more = ["<x>", with_type(added("<y>", lstrip=True, rstrip=True))]
    return {
        "fast-alone": ("fast", {}, {}),
        "hub": ("fast", {}, hub),
        "hub-nothing-listed": ("fast", {}, {**hub, "added_tokens": []}),
        "never": ("fast", {}, {"pre_tokenizer": never, "decoder": never}),
        "first": ("fast", {}, {"pre_tokenizer": first, "decoder": first}),
        "replace": ("fast", {}, {"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "a"}, "content": " $& "}, {"type": "Strip", "strip_left": True, "strip_right": True},
        ]}}),
        "no-normalizer": ("fast", {}, {"normalizer": None}),
        "no-post-processor": ("fast", {}, {"post_processor": None}),
        "additional": ("slow", config(additional_special_tokens=more), {}),
        "additional-fast": ("fast", config(additional_special_tokens=more, mask_token=with_type(mask)), {}),
        "mask-object": ("slow", config(mask_token=with_type(mask)), {}),
        "decoder": ("slow", described, {}),
        "decoder-fast": ("fast", described, {}),
        "legacy": ("slow", legacy, {}),
        "legacy-fast": ("fast", legacy, {}),
        "new-roles": ("slow", config(eos_token="<end>", sep_token="<end>"), {}),
        "new-roles-fast": ("fast", config(eos_token="<end>", mask_token="<m>"), {}),
        "left": ("slow", config(truncation_side="left", clean_up_tokenization_spaces=True, model_max_length=77), {}),
    }


PROBES = [
    "", "wow wowed wow! a wow", "go up <mask>  up", "a <x> b <y> c", " <q>zap zapped<q> ", "it 's fine , ok ?", "Hello  é中😀 \x01\x02 x ",
    "<s>a</s> <end><pad> <m> b", "the  returned list\n\n  of\tvalues", "\u2581a b en_XX <ent> ", "ﬁn ＡＢ e\u0301 ½ ",
]


def probe(fast, text):
    ids = fast(text)["input_ids"]
    cut = fast(text, truncation=True, max_length=6)["input_ids"]
    return [text, ids, cut, fast.decode(ids), fast.decode(ids, skip_special_tokens=True)]


def variant(cls, slow_folder, serialized, name, base, files, patch):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        if base == "slow":
            shutil.copy(slow_folder / MODEL_FILE, folder)
        else:
            (folder / "tokenizer.json").write_text(json.dumps({**serialized, **patch}))
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
        fast = cls.from_pretrained(folder)
    limit = fast.model_max_length
    tokens = fast.added_tokens_decoder.items()
    return {
        "name": name, "base": base, "files": files, "patch": without_map(patch) if patch.get("normalizer") else patch, "size": len(fast),
        "modelMaxLength": limit if limit < 1e20 else None,
        "special": {role: getattr(fast, f"{role}_token_id") for role in ROLES if getattr(fast, f"{role}_token_id") is not None},
        "added": [{"id": i, **{flag: getattr(token, flag) for flag in FLAGS}} for i, token in tokens],
        "cases": [probe(fast, text) for text in PROBES],
    }


def write(name, cls, model, more_variants=lambda serialized: {}):
    target = FIXTURES / name
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / MODEL_FILE).write_bytes(model)
        (target / MODEL_FILE).write_bytes(model_without_map(model))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": cls.__name__.removesuffix("Fast")}))
        fast = AutoTokenizer.from_pretrained(folder)
        assert type(fast) is cls
        saved = folder / "saved"
        fast.save_pretrained(saved)
        rows = [row(fast, text) for text in texts()]
        # Slow and fast disagree in some strings; these follow the fast one.
        slow = AutoTokenizer.from_pretrained(folder, use_fast=False)
        different = sum(slow(text, add_special_tokens=False)["input_ids"] != ids for text, ids, *_ in rows)
        print(name, len(rows), "texts;", different, "that the slow tokenizer cuts otherwise")
        reloaded = AutoTokenizer.from_pretrained(saved)
        assert rows == [row(reloaded, text) for text in texts()], "tokenizer.json and slow files disagree"
        dump(target / "cases.json", rows)
        dump(target / "decode.json", decode_rows(fast))
        for file in ("tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(saved / file, target / file)
        serialized = json.loads((saved / "tokenizer.json").read_text())
        chosen = {**variants(serialized, len(fast)), **more_variants(serialized)}
        dump(target / "variants.json", [variant(cls, folder, serialized, key, *value) for key, value in chosen.items()])
        (target / "tokenizer.json").write_text(json.dumps(without_map(serialized), ensure_ascii=False, separators=(",", ":")) + "\n")
        return fast


def languages(fast):
    """[language, ids around a text of the source side, of the target side], each [before, behind]."""
    plain = fast("Hello world", add_special_tokens=False)["input_ids"]

    def around(ids):
        start = next(i for i in range(len(ids)) if ids[i : i + len(plain)] == plain)
        return [ids[:start], ids[start + len(plain) :]]

    for language in LANGUAGES:
        fast.src_lang, fast.tgt_lang = language, language
        yield [language, around(fast("Hello world")["input_ids"]), around(fast(text_target="Hello world")["input_ids"])]


def main():
    config = lambda **settings: {"tokenizer_config.json": settings}
    more = lambda serialized: {
        "language": ("slow", config(src_lang="de_DE", tgt_lang="fr_XX"), {}),
        "language-fast": ("fast", config(src_lang="zh_CN", additional_special_tokens=["<x>", "en_XX"]), {}),
    }
    for name, cls, rule in (("mbart", MBartTokenizerFast, "identity"), ("mbart50", MBart50TokenizerFast, "nmt_nfkc")):
        fast = write(name, cls, train(rule), more)
        dump(FIXTURES / name / "languages.json", languages(fast))


if __name__ == "__main__":
    main()
