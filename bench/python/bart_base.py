"""What the servers here share: the size of facebook/bart-base, made-up token ids, and the loop of rounds."""

import json
import resource
import sys

# facebook/bart-base, with every dropout of its config.
CONFIG = dict(
    vocab_size=50265, d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072, decoder_ffn_dim=3072,
    encoder_attention_heads=12, decoder_attention_heads=12, max_position_embeddings=1024, activation_function="gelu",
    dropout=0.1, attention_dropout=0.1, activation_dropout=0.1, forced_bos_token_id=None, forced_eos_token_id=None,
    normalize_before=False,
)  # fmt: skip


def token(row, column):
    """The id at a place of a made-up batch, the same in every language; no special token among them."""
    return 4 + (7919 * row + 104729 * column) % 50000


def serve(answer, **about):
    """Answers each line of stdin, a round as a JSON object, with a line of answer(round) and the peak memory so far."""
    print(json.dumps({"ready": True, **about}), flush=True)
    for line in sys.stdin:
        reply = answer(json.loads(line))
        unit = 1 if sys.platform == "darwin" else 1024
        reply["rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        print(json.dumps(reply), flush=True)


def settings(defaults):
    """The command line's JSON object over the defaults; an unknown name is a mistake."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    if unknown := given.keys() - defaults.keys():
        raise SystemExit(f"unknown settings {sorted(unknown)}; known are {sorted(defaults)}")
    return {**defaults, **given}
