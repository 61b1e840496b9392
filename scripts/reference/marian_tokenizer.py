"""What Transformers' MarianTokenizer makes of hard strings: tests/fixtures/tokenizers/marian.

    python scripts/reference/marian_tokenizer.py

`joint` and `separate` are folders with one vocabulary and with one a side; `added` and `legacy` are what stands beside the
files of `joint` where tokens were added, as Transformers saves them now and as it once did. Each has `cases.json`:

- `cases`: one for each text of texts.json (of those with a splice of its own for `added` and `legacy`): its ids as a source,
  its ids as a target, and of the latter the text, the text without special tokens, and the text cleaned up.
- `decoded`: arbitrary ids, and the same three texts.
"""

import json
import random
import shutil
import tempfile
import warnings
from pathlib import Path

import sentencepiece as spm
from byte_level_bpe import HARD, POOLS
from sentencepiece_models import corpus
from transformers import AddedToken, MarianTokenizer

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "tokenizers" / "marian"
CODES = [">>fra<<", ">>deu<<", ">>zh_Hans<<"]
RULES = {"ß": "ss", "…": "...", "’": "'", "\t": " ", "ﬁ": "fi", "＜": "<", "\u00a0": " "}

OWN = [
    ">>fra<< hello world", ">>fra<<hello", ">>fra<<", ">>fra<< ", " >>fra<< hello", "hello >>fra<< world", ">>deu<< 日本",
    ">>xyz<< hello", ">>fra<< >>deu<< hello", ">>fra<< one >>deu<< two", ">>fra hello", "fra<< hello", ">><< hello", ">><<",
    ">>fra<<\nhello", "hello\n>>fra<< world", ">>fra<< a\n>>deu<< b", ">>fr\na<< b", ">>a<<b>>c<<", "a >>b<< c >>d<< e",
    ">>\u2028<< a", ">>\r<< a", ">>>fra<<< a", ">>>>fra<<<< a", ">> fra << a", "</s>>>fra<< a", "<pad> >>fra<< a",
    ">>fra</s><< a", ">>zh_Hans<< 世界", ">>fra<<</s>hello", "a << b >> c", "a >> b << c", "x >> y << z >> w",
    "</s>", "</s></s>", "hello</s>", "</s>hello", " </s> hello </s> ", "<pad>hello<pad>", "<unk>", "a<unk>b", "<unk> <unk>",
    "<s>", "<s>hello</s>", "< /s>", "</S>", "<pad", "pad>", "＜/s>", "＜pad>", "</s> .", "it </s> 's </s> , </s> .",
    "▁", "▁▁", "▁hello", "hello▁world", " ▁ ", "▁▁a▁b▁▁", "a ▁ b", "▁</s>▁", "▁>>fra<< a",
    "hello , world . it 's n't ? no !", " ' ", "a ' b", "ß…’ﬁ\u00a0x", "ßß", "⁇", " ⁇ ", "中</s>文", "中文中", "éé é",
]  # fmt: skip

TOUCHES = [
    "a<x>b", "a <x> b", "<x>", " <x> ", "a\t<x>\u3000b", "a<x><x>b", "a <x> <x> b", "a\x1c<x>\x85b", "a\ufeff<x>\ufeffb",
    "a[w]b", "a [w] b", "[w]", "[w][w]", " [w]", "[w] ", "a\t[w] b", "a [w]b", ".[w].", "</s>[w]", "[w]</s>", "a[w] <x>b",
    "a<q>b", "a <q> b", "<q>", "<q><q>", "<q> . <q> , a", "a<qq>b", "<qqq>", "<q<q>", "hello", "hellohello", "a hello b",
    "<new>", "a <new> b", "<new><x><q>", "a <new></s> b", "<new>.", ">>fra<< a", "a >>fra<< b", "a >>fra<<>>deu<< b",
    "<rare>a", "中<rare>中", "<NEW>", "<x", "[w", "<x>>>fra<< a", "the<x>the[w]the<q>the<new>the", "<sep>a<sep> b",
]  # fmt: skip
SPLICES = [*OWN[:9], "</s>", "<pad>", "<unk>", "▁", " ", "  ", "\n", "'s", " .", ">>", "<<", " the", "中"]
rng = random.Random(11)


def random_text(splices):
    parts = []
    for _ in range(rng.randint(1, 5)):
        low, high = rng.choice(rng.choice(POOLS))
        codes = [rng.randint(low, high) for _ in range(rng.randint(1, 4))]
        parts.append("".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF))
        parts.append(rng.choice(["", "", " the ", rng.choice(splices), rng.choice(splices)]))
    return "".join(parts)


def train(path, texts, **options):
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(path.with_suffix("")), character_coverage=0.98,
        num_threads=1, minloglevel=2, **options,
    )  # fmt: skip
    path.with_suffix(".model").rename(path)
    path.with_suffix(".vocab").unlink()


def pieces(path):
    model = spm.SentencePieceProcessor(model_file=str(path))
    return [model.id_to_piece(i) for i in range(model.get_piece_size()) if not (model.is_control(i) or model.is_unknown(i))]


def write_vocabulary(path, tokens):
    """As the hub's translation models have it: </s> 0, <unk> 1, <pad> last."""
    ids = {token: i for i, token in enumerate(dict.fromkeys(["</s>", "<unk>", *tokens, "<pad>"]))}
    path.write_text(json.dumps(ids, indent=0) + "\n")


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def answers(tokenizer, texts):
    def decoded(ids):
        return [
            tokenizer.decode(ids),
            tokenizer.decode(ids, skip_special_tokens=True),
            tokenizer.decode(ids, clean_up_tokenization_spaces=True),
        ]

    def case(text):
        target = tokenizer(text_target=text)["input_ids"]
        return [tokenizer(text)["input_ids"], target, *decoded(target)]

    special = [*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder]
    rows = []
    for i in range(120):
        ids = [rng.randrange(len(tokenizer) + 3) for _ in range(rng.randint(0, 12))]
        ids = [rng.choice(special) if rng.random() < 0.25 else j for j in ids] + ([-100] if i == 5 else [])
        rows.append([ids, *decoded(ids)])
    return [case(text) for text in texts], rows


def save(folder, files, texts):
    with tempfile.TemporaryDirectory() as whole:
        for file in [*files, *folder.iterdir()]:
            shutil.copy(file, whole)
        tokenizer = MarianTokenizer.from_pretrained(whole)
        tokens = len(tokenizer)
        cases, rows = answers(tokenizer, texts)
    lines = [",\n".join(json.dumps(row, separators=(",", ":")) for row in part) for part in (cases, rows)]
    special = {role: getattr(tokenizer, f"{role}_token_id") for role in ("eos", "unk", "pad")}
    (folder / "cases.json").write_text(
        f'{{"tokens": {tokens}, "special": {json.dumps(special)},\n"cases": [\n{lines[0]}\n],\n"decoded": [\n{lines[1]}\n]}}\n'
    )


def main():
    warnings.simplefilter("ignore")
    shutil.rmtree(FIXTURES, ignore_errors=True)
    joint, separate, added, legacy = (FIXTURES / name for name in ("joint", "separate", "added", "legacy"))
    for folder in (joint, separate, added, legacy):
        folder.mkdir(parents=True)
    sentences = list(corpus())
    rules = joint / "rules.tsv"
    rules.write_text("".join(
        " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n"
        for source, target in RULES.items()
    ))  # fmt: skip
    train(joint / "source.spm", sentences[:3000], vocab_size=420, normalization_rule_name="identity")
    train(joint / "target.spm", sentences[3000:], vocab_size=400, normalization_rule_tsv=str(rules))
    train(separate / "source.spm", sentences[:2000], vocab_size=450, model_type="bpe", normalization_rule_tsv=str(rules))
    train(separate / "target.spm", sentences[2000:4000], vocab_size=380, normalization_rule_name="identity",
          user_defined_symbols=["<ent>"], remove_extra_whitespaces=False)  # fmt: skip
    rules.unlink()

    # Without some pieces of the models, and with tokens that only the other side's model, or none, has.
    both = [*pieces(joint / "source.spm"), *pieces(joint / "target.spm"), "<rare>", "☃", "__proto__", *CODES]
    write_vocabulary(joint / "vocab.json", [token for i, token in enumerate(both) if i % 29])
    write_json(joint / "tokenizer_config.json", {"source_lang": "eng", "target_lang": "fra", "model_max_length": 512})
    write_vocabulary(separate / "vocab.json", [*pieces(separate / "source.spm"), "☃"])
    write_vocabulary(separate / "target_vocab.json", pieces(separate / "target.spm")[:-9])
    write_json(separate / "tokenizer_config.json", {
        "separate_vocabs": True, "sp_model_kwargs": {}, "clean_up_tokenization_spaces": True,
        "tokenizer_class": "MarianTokenizer", "tokenizer_file": None, "special_tokens_map_file": None,
    })  # fmt: skip

    files = [joint / name for name in ("source.spm", "target.spm", "vocab.json")]
    tokenizer = MarianTokenizer.from_pretrained(joint)
    tokenizer.add_tokens([
        AddedToken("<x>", lstrip=True, rstrip=True), AddedToken("[w]", single_word=True), "<q>", AddedToken("<qq>", normalized=False),
        "hello", "<rare>",
    ])  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": [">>fra<<", "<new>", AddedToken(" .", rstrip=True)]})
    with tempfile.TemporaryDirectory() as saved:
        tokenizer.save_pretrained(saved)
        for name in ("tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(Path(saved) / name, added)
    tokens = len(MarianTokenizer.from_pretrained(joint))
    write_json(legacy / "added_tokens.json", {"<new>": tokens, "<x>": tokens + 1, "<q>": tokens + 2})
    write_json(legacy / "tokenizer_config.json", {"target_lang": "fra", "unk_token": "<unk>", "name_or_path": "somewhere"})
    strips = {"content": "<sep>", "single_word": False, "lstrip": True, "rstrip": True, "normalized": True}
    write_json(legacy / "special_tokens_map.json", {
        "eos_token": "</s>", "pad_token": {**strips, "content": "<pad>"}, "sep_token": strips, "additional_special_tokens": ["<new>", "<rare>"],
    })  # fmt: skip

    texts = list(dict.fromkeys([*OWN, *HARD, *(random_text(SPLICES) for _ in range(260))]))
    touching = list(dict.fromkeys([*TOUCHES, *OWN[:40], *(random_text(TOUCHES) for _ in range(120))]))
    write_json(FIXTURES / "texts.json", {"plain": texts, "touching": touching})
    save(joint, [], texts)
    save(separate, [], texts)
    save(added, files, touching)
    save(legacy, files, touching)


if __name__ == "__main__":
    main()
