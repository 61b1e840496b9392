"""Makes tests/fixtures/metrics.json: texts, and what sacrebleu, rouge_score and jiwer say of them.

    python scripts/reference/metrics.py        (seconds)
"""

import json
import random
from pathlib import Path

import jiwer
import sacrebleu
from rouge_score import rouge_scorer

PLACE = Path(__file__).parents[2] / "tests" / "fixtures" / "metrics.json"

HARD = [
    ("The cat sat on the mat.", "The cat sat on a mat."),
    ("It costs 1,000.50 dollars, i.e. much!", "It costs 1000.50 dollars - much..."),
    ("He said &quot;no&quot; &amp; left <skipped>.", 'He said "no" & left.'),
    ("state-of-the-art 5-year plan (2020-2025)", "state of the art 5 year plan 2020 - 2025"),
    ("Привет, мир! Как дела?", "Привет мир, как дела"),
    ("これは試験です。", "これは試練です"),
    ("مرحبا بالعالم", "مرحبا يا عالم"),
    ("emoji 😀😃 here 👍🏽", "emoji 😀 here 👍"),
    ("tabs\tand  double   spaces ", " tabs and double spaces"),
    ("no\u00a0break\u2003and\u3000wide", "no break and wide"),
    ("control\x1cseparator\x85here", "control separator here"),
    ("İstanbul STRASSE straße K", "istanbul strasse STRASSE k"),
    ("one\ntwo three\nfour five six", "one two\nthree four\nsix five"),
    ("the the the the", "the the"),
    ("a", "a"),
    ("word", ""),
    ("ends with a hyphen-\nated line", "ends with a hyphenated line"),
    ("K AH0 T", "K AE1 T S"),
    ("{curly} [square] `tick` ~tilde ^hat _under \\slash", "curly square tick tilde hat under slash"),
    ("3.14 .5 5. 1,2 a,b a.b", "3.14 . 5 5 . 1, 2 a, b a. b"),
]
WORDS = "the of and to in is you that it he was for on are as with his they I at be this have from 12 3.5 don't U.S.A. e-mail".split()


def random_pairs(count):
    rng = random.Random(3)
    pairs = []
    for _ in range(count):
        truth = [rng.choice(WORDS) for _ in range(rng.randint(1, 20))]
        guess = [word for word in truth if rng.random() > 0.15]
        guess = [rng.choice(WORDS) if rng.random() < 0.2 else word for word in guess]
        if rng.random() < 0.3:
            rng.shuffle(guess)
        cut = rng.randint(0, 6)
        join = lambda words: " ".join(words) if rng.random() < 0.7 else " ".join(words[:cut]) + "\n" + " ".join(words[cut:])
        pairs.append((join(truth), join(guess)))
    return pairs


def scores(pairs):
    truths, guesses = [truth for truth, _ in pairs], [guess for _, guess in pairs]
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"])
    rouge = [scorer.score(truth, guess) for truth, guess in pairs]
    found = dict(
        bleu=sacrebleu.corpus_bleu(guesses, [truths]).score,
        chrf=sacrebleu.corpus_chrf(guesses, [truths]).score,
        wer=jiwer.wer(truths, guesses),
        cer=jiwer.cer(truths, guesses),
        **{name: sum(row[name].fmeasure for row in rouge) / len(rouge) for name in rouge[0]},
    )
    return found


def main():
    sets = {"hard": HARD, "random": random_pairs(200), "short": [("a b", "a b"), ("c", "d")], "none": [("x y z w v", "q r")]}
    sets.update({f"hard {i}": [pair] for i, pair in enumerate(HARD)})
    bleu, chrf = sacrebleu.BLEU(), sacrebleu.CHRF()
    bleu.corpus_score(["a"], [["a"]])
    chrf.corpus_score(["a"], [["a"]])
    answers = dict(
        signatures=dict(bleu=str(bleu.get_signature()), chrf=str(chrf.get_signature())),
        sets={name: dict(pairs=pairs, scores=scores(pairs)) for name, pairs in sets.items()},
    )
    PLACE.write_text(json.dumps(answers, ensure_ascii=False) + "\n")
    print(PLACE, PLACE.stat().st_size, "bytes", answers["signatures"])


if __name__ == "__main__":
    main()
