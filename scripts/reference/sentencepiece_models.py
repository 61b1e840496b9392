"""What Python's sentencepiece makes of hard strings, with small models of every kind: tests/fixtures/tokenizers/sentencepiece.

    python scripts/reference/sentencepiece_models.py

For each of MODELS: `NAME.model`, and `NAME.json` with `cases`, one for each of texts.json, [ids, decoded], or
[ids, decoded, pieces] where the pieces are not those of the ids (unknown text), and `decoded`, [pieces, text] of arbitrary
pieces. `maps.json`: each text by the map of `unigram.model` alone, as sentencepiece and as tokenizers apply it.
"""

import io
import json
import random
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import normalizers

FIXTURES = Path(__file__).parents[2] / "tests/fixtures/tokenizers/sentencepiece"

WORDS = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were
all her she there would their we him been has when who will no more if out so up said what its about than into them can only
other time new some could these two may first then do any like my now over such our man me even most made after also did many
off before must well back through years where much your way down should because long each just state people those too mr how
little good world make very year still see own work men day get here between both being under three never know same last
another while us might great go come since against right came take used himself few house use place during without again
home around small however found mrs part school thought went say general once upon every left war don't it's we're
le la les de des un une et à il elle nous vous être avoir été où garçon français déjà naïve cœur Noël forêt hôtel œuvre
der die das und nicht über schön Straße Mädchen größer Übung können fünf zwölf heißt
el niño señor mañana corazón está aquí según días qué años también
привет мир это не что как время человек город слова большой дом ещё жизнь
Ελλάδα καλημέρα κόσμε είναι λόγος δεν
שלום עולם ספר מלך
مرحبا بالعالم كتاب السلام
नमस्ते दुनिया भारत किताब
สวัสดี ชาวโลก ภาษา
日本語 東京 世界 こんにちは ありがとう カタカナ ひらがな 学校 先生
中文 你好 世界 学习 大学 北京
한국어 안녕하세요 세계 서울
1 2 10 42 100 1984 2024 3.14 1,000 50% $20 €5
hello Hello HELLO world World U.S. e.g. C++ foo_bar test@example.com http://www.example.com
""".split()


def corpus():
    draw = random.Random(5)
    weights = [1 / (1 + i) ** 0.7 for i in range(len(WORDS))]
    for _ in range(6000):
        words = draw.choices(WORDS, weights, k=draw.randint(3, 14))
        yield " ".join(words) + draw.choice([".", "!", "?", ",", "", " …"])


SYMBOLS = ["<mask>", "<ent>", "<ent>s", ">>fr<<", "▁<x>", "ＦＷ", "a b"]
RULES = {"ß": "ss", "ä": "ae", "…": "...", "É": "", "\t": " ", "  ": " ", "ﬁ": "fi", "ab": "X", "abc": "YZ"}

MODELS = {
    "unigram": dict(model_type="unigram", vocab_size=900, user_defined_symbols=SYMBOLS, control_symbols=["<ctl>"]),
    "unigram-folded": dict(model_type="unigram", vocab_size=600, normalization_rule_name="nmt_nfkc_cf", pad_id=3),
    "unigram-identity": dict(
        model_type="unigram", vocab_size=700, normalization_rule_name="identity", remove_extra_whitespaces=False,
        split_by_whitespace=False, user_defined_symbols=SYMBOLS, unk_surface="[?]",
    ),
    "unigram-bytes": dict(
        model_type="unigram", vocab_size=800, normalization_rule_name="identity", byte_fallback=True,
        character_coverage=0.98, add_dummy_prefix=False, pad_id=0, unk_id=3, bos_id=-1, eos_id=1,
    ),
    "unigram-rules": dict(model_type="unigram", vocab_size=500, rules=RULES, back={"ss": "ß", "XX": ""}),
    "unigram-suffix": dict(
        model_type="unigram", vocab_size=600, normalization_rule_name="identity", treat_whitespace_as_suffix=True,
    ),
    "bpe": dict(
        model_type="bpe", vocab_size=900, normalization_rule_name="identity", user_defined_symbols=SYMBOLS,
        character_coverage=0.98,
    ),
    "bpe-bytes": dict(
        model_type="bpe", vocab_size=1000, normalization_rule_name="identity", byte_fallback=True,
        character_coverage=0.98, remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True,
        user_defined_symbols=["<mask>", "    "],
    ),
    "bpe-unused": dict(
        model_type="bpe", vocab_size=800, normalization_rule_name="identity", unused=3, split_by_whitespace=False,
    ),
    "unigram-unused": dict(model_type="unigram", vocab_size=800, normalization_rule_name="identity", unused=4),
    "unigram-ties": dict(model_type="unigram", vocab_size=600, normalization_rule_name="identity", rounded=True),
    "bpe-ties": dict(model_type="bpe", vocab_size=600, normalization_rule_name="identity", rounded=True),
    "unigram-rivals": dict(
        model_type="unigram", vocab_size=500, normalization_rule_name="identity", rounded=True, shift=9,
        user_defined_symbols=[*SYMBOLS, "th", "he", "a", "世", "the"],
    ),
    "char": dict(model_type="char", vocab_size=150, unused=5, normalization_rule_name="identity", user_defined_symbols=["<mask>"]),
    "word": dict(model_type="word", vocab_size=200, normalization_rule_name="identity", unused=5),
}


def train(sentences, rules=None, back=None, unused=0, rounded=False, shift=0, **options):
    """A model's bytes. `unused`: every so manieth piece is; `rounded`: scores are whole, so that many tie; `shift`: is added."""
    for name, table in {"normalization_rule_tsv": rules, "denormalization_rule_tsv": back}.items():
        if table:
            options[name] = f"/tmp/{name}.tsv"
            hexed = ["\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) for rule in table.items()]
            Path(options[name]).write_text("\n".join(hexed) + "\n")
    file = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=file, num_threads=1, minloglevel=2, hard_vocab_limit=False, **options
    )
    model = proto.ModelProto.FromString(file.getvalue())
    for i, piece in enumerate(model.pieces):
        if piece.type == piece.NORMAL and unused and i % unused == 0:
            piece.type = piece.UNUSED
        if piece.type == piece.NORMAL and rounded:
            piece.score = round(piece.score) if options["model_type"] == "unigram" else -(-piece.score // 40)
        if piece.type == piece.NORMAL:
            piece.score += shift
    model.trainer_spec.ClearField("input")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model.SerializeToString()


HARD = [
    "", " ", "   ", "\t", "\n", "\u3000", "\u00a0", "▁", "▁▁", " ▁ ", "▁hello", "hello▁world", "hello ▁ world", "\0", "a\0b", " \0 ",
    "Hello world", " Hello world", "Hello  world ", "  Hello   world  ", "\tHello\tworld\n", "a\r\nb\rc\n\nd", "HELLO WORLD!",
    "café", "cafe\u0301", "e\u0301\u0302\u0323", "A\u030a Å \u212b", "ﬁne ﬂow ﬃ ﬀ ﬆ", "①②③ ⅳ ½ ¼ x² H₂O", "ＦＵＬＬ　ＷＩＤＴＨ　１２３", "ﾊﾝｶｸ ｶﾞｷﾞ",
    "\ufdfa", "ﷺ test \ufdfa", "straße STRASSE ẞ", "İstanbul ı I i̇", "ΣΊΣΥΦΟΣ σίσυφος", "Ǆ ǅ ǆ", "ŉ ſ ﬅ", "…", "a…b", "ab abc abcd xabx aabc",
    "日本語テキスト", "日本語 テキスト 東京", "中文你好世界", "한국어 안녕하세요", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "が か\u3099 ば\u3099",
    "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "السَّلامُ عَلَيْكُمْ", "\u202eright to left\u202c", "नमस्ते दुनिया", "क्षत्रिय ज्ञान", "สวัสดีชาวโลก", "ภาษาไทย นี้",
    "👍", "👍🏽", "👨‍👩‍👧‍👦 family", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️ ❤", "a👍b", "😀😀😀 😀", "1️⃣ #️⃣", "𝒽𝑒𝓁𝓁𝑜 𝔘𝔫𝔦", "𠀀𠀁 𐍈", "\U000e0001\U0010ffff",
    "a\u200bb", "a\u200cb\u200dc", "\ufeffbom", "mid\ufeffbom", "a\u00adb", "a\u2028b\u2029c", "\u0001\u0002\u001f", "\u007f\u0080\u009f", "\ufffd \ufffe \uffff",
    "\ue000 private \uf8ff", "a\u034fb", "z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334a\u0335", "\u0600\u0661", "\u0e33 \u0eb3", "a\u0300\u0300",
    "<mask>", "a<mask>b", "<mask><mask>", "<mask> <mask>", " <mask> ", "<ent><ent>s", "<ent>ss<ent", "<ent>>fr<<>>fr<<", ">>fr<< Hello", "<x> <x>", "▁<x>",
    "ＦＷ ＦＷＦ", "a b a b", "xa bx", "a  b", "<s>", "</s>", "<unk>", "<s> hello </s>", "<pad>", "<ctl>", "<0x41>", "<0x0A>\n", "a <unk> b",
    "    four", "a    b        c", "\t\ttabs", "1234567890", "3.14159 1,000,000 50%", "$20 €5 £3 ¥9", "test@example.com", "http://www.example.com/a?b=c&d=%20",
    "don't it's we're I'll", "“quotes” ‘single’ «guillemets»", "– — ― ‐ ‑", "U.S. e.g. C++ foo_bar", "x" * 300, "ab" * 150, "é" * 100, "日" * 80, "☃" * 50, "the " * 60,
    "ThequickbrownfoxjumpsoverthelazydogThequickbrown", "the of and to in a is that for it as was with be by on not", "☃", "☃ ☃", "☃☃", "a☃☃b ☃ c",
    "le garçon déjà naïve à Noël", "der größer Übung Straße", "mañana corazón también", "привет мир это жизнь ещё", "Ελλάδα καλημέρα", "c'est-à-dire l'œuvre",
    "SS XX ßß ss XXss", "ÉÉ É a É", "hello\u0085world", "\u1680ogham", "a\u2003b\u2009c\u205fd", "\u180e mongolian", "a \u0301b", " \u0301", "\u0301", "~ ～ ˜ \u223c", "ー〜～",
    "\u1e9b\u0323", "\u0344", "\u2126 \u212a", "\uac00\u11a8", "\u0958", "\ufb1d", "\U0001d15e", "\U0002f800", "㈱ ㍿ ㎏ ℡ ™", "ⓐ Ⓐ 🄰 🅰", "ª º ¹", "ĳ Ĳ ŀ", "ᵃ ᵇ",
]
POOL = [
    *WORDS, *SYMBOLS, *RULES, " ", " ", " ", "  ", "\t", "\n", "▁", "\u3000", "\u00a0", "\0", "é", "e\u0301", "\u0308", "ｱ", "ﾞ", "ﬁ", "①", "½", "👍", "👨‍👩‍👧", "🏽", "\u200d", "\ufe0f",
    "\u200b", "\u200f", "\u0001", "☃", "𝔘", "𠀀", "\ufffd", "\r\n", "<", ">", "x", "s", "a", "b", "ab", "ss", "th", "he", "...", "、", "。", "！", "\ufdfa", "\u1100", "\u1161", "İ", "ẞ",
]


def texts():
    draw = random.Random(7)
    for text in HARD:
        yield text
    for _ in range(220):
        yield "".join(draw.choices(POOL, k=draw.randint(1, 10)))
    for _ in range(60):
        yield " ".join(draw.choices(WORDS, k=draw.randint(4, 16)))
    planes = [(0, 0x250), (0, 0x3000), (0, 0xD7FF), (0xE000, 0x1FFFF)]
    for _ in range(80):
        yield "".join(chr(draw.randint(*draw.choice(planes))) for _ in range(draw.randint(1, 12)))


def case(model, text):
    ids, pieces = model.encode(text, out_type=int), model.encode(text, out_type=str)
    decoded = model.decode_pieces(pieces)
    same = pieces == [model.id_to_piece(i) for i in ids]
    return [ids, decoded] if same else [ids, decoded, pieces]


def decode_cases(model):
    draw = random.Random(11)
    special = ["<unk>", "<s>", "</s>", "▁", "▁▁", "<0xE2>", "<0x98>", "<0x83>", "<0xFF>", "<0x41>", "<0xF0>", "<0xED>", "<0xA0>", "nowhere☃", "▁nowhere", ""]
    for _ in range(150):
        pieces = [
            draw.choice(special) if draw.random() < 0.5 else model.id_to_piece(draw.randrange(model.vocab_size()))
            for _ in range(draw.randint(0, 7))
        ]
        yield [pieces, model.decode_pieces(pieces)]


def dump(name, value):
    (FIXTURES / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    FIXTURES.mkdir(parents=True, exist_ok=True)
    sentences = list(corpus())
    hard = list(dict.fromkeys(texts()))
    dump("texts.json", hard)
    for name, options in MODELS.items():
        serialized = train(sentences, **options)
        (FIXTURES / f"{name}.model").write_bytes(serialized)
        model = spm.SentencePieceProcessor(model_proto=serialized)
        dump(f"{name}.json", {"cases": [case(model, text) for text in hard], "decoded": list(decode_cases(model))})

    spec = proto.ModelProto.FromString((FIXTURES / "unigram.model").read_bytes()).normalizer_spec
    plain = spm.SentencePieceNormalizer(
        rule_name="nmt_nfkc", add_dummy_prefix=False, remove_extra_whitespaces=False, escape_whitespaces=False
    )
    precompiled = normalizers.Precompiled(spec.precompiled_charsmap)
    dump("maps.json", [[plain.normalize(text), precompiled.normalize_str(text)] for text in hard])


if __name__ == "__main__":
    main()
