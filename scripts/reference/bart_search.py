"""What generate() of Transformers answers, for bart.py and its like: no choice so close that rounding could turn it."""

import itertools
import math
from contextlib import contextmanager

import torch
from bart_batch import Redraw, collect, pad
from transformers.generation.beam_search import BeamHypotheses

GAP = 1e-3


class MaskedSource:
    """Put before a model's class. Transformers 4.49 drops the source's mask in generate(), so that cross-attention sees the padding of a batch.

    Later releases pass it on, and so does this: the answers are then the same whatever the batch.
    """

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **rest):
        inputs = super().prepare_inputs_for_generation(input_ids, attention_mask=attention_mask, **rest)
        return {**inputs, "attention_mask": attention_mask}


@contextmanager
def smallest_gap(config):
    """Yields a one-element list: the smallest distance between two scores whose order decided something in a search."""
    gap = [math.inf]
    vocab_size = getattr(config, "decoder_vocab_size", config.vocab_size)
    topk, argmax = torch.topk, torch.argmax
    add, is_done = BeamHypotheses.add, BeamHypotheses.is_done

    def note(better, worse):
        if worse > -1e8:  # below: beams not yet begun (-1e9) and forbidden tokens (-inf), where order says nothing
            gap[0] = min(gap[0], abs(better - worse))

    def watched_argmax(scores, **rest):
        note(*topk(scores, 2, dim=-1).values[0].tolist())
        return argmax(scores, **rest)

    def watched_topk(scores, count, **rest):
        """Of 2·beams candidates the best that are not the end go on, and an end counts if among the first `beams`."""
        beams = count // 2
        best = topk(scores, count + 1, dim=-1)
        ranked = best.values[0].tolist()
        is_end = [index % vocab_size == config.eos_token_id for index in best.indices[0].tolist()]
        going_on = [score for score, end in zip(ranked, is_end) if not end]
        note(going_on[beams - 1], going_on[beams])
        for rank in itertools.compress(range(count), is_end):
            note(ranked[rank], ranked[beams if rank < beams else beams - 1])
        return topk(scores, count, **rest)

    def watched_add(self, hyp, sum_logprobs, beam_indices=None, generated_len=None):
        score = sum_logprobs / generated_len**self.length_penalty
        for other, *_ in self.beams:
            note(score, other)
        return add(self, hyp, sum_logprobs, beam_indices=beam_indices, generated_len=generated_len)

    def watched_is_done(self, best_sum_logprobs, cur_len, decoder_prompt_len=0):
        if len(self) >= self.num_beams and self.early_stopping is not True:
            longest = self.early_stopping == "never" and self.length_penalty > 0
            length = (self.max_length if longest else cur_len) - decoder_prompt_len
            note(self.worst_score, best_sum_logprobs / length**self.length_penalty)
        return is_done(self, best_sum_logprobs, cur_len, decoder_prompt_len)

    torch.topk, torch.argmax = watched_topk, watched_argmax
    BeamHypotheses.add, BeamHypotheses.is_done = watched_add, watched_is_done
    try:
        yield gap
    finally:
        torch.topk, torch.argmax = topk, argmax
        BeamHypotheses.add, BeamHypotheses.is_done = add, is_done


def generate(model, sources, setting):
    """For each source its sequences, start token included and cut behind the end token, and of beams their scores."""
    beams = setting.get("num_beams", model.generation_config.num_beams)
    with torch.inference_mode():
        result = model.generate(
            input_ids=pad(sources, model.config.pad_token_id),
            attention_mask=pad([[1] * len(source) for source in sources], 0),
            do_sample=False, return_dict_in_generate=True, output_scores=beams > 1, **setting,
        )  # fmt: skip
    end = model.config.eos_token_id
    rows = [row[: row.index(end, 1) + 1] if end in row[1:] else row for row in result.sequences.tolist()]
    size = setting.get("num_return_sequences", 1)
    answers = [dict(sequences=rows[i : i + size]) for i in range(0, len(rows), size)]
    if beams > 1:
        for answer, scores in zip(answers, result.sequences_scores.view(-1, size).tolist(), strict=True):
            answer["scores"] = scores
    return answers


def answers_alone(model, source, settings):
    """The answer to one source under each setting; refuses a near tie."""
    answers = {}
    for name, setting in settings.items():
        with smallest_gap(model.config) as gap:
            [answers[name]] = generate(model, [source], setting)
        if gap[0] < GAP:
            raise Redraw(f"{name}: two choices {gap[0]:.1e} apart")
    return answers


def assert_same(answers, expected):
    for answer, other in zip(answers, expected, strict=True):
        assert answer["sequences"] == other["sequences"], f"a batch changed an answer: {answer} {other}"
        for a, b in zip(answer.get("scores", []), other.get("scores", []), strict=True):
            assert abs(a - b) < 1e-5, f"a batch changed a score: {answer} {other}"


def answers_in_batches(model, draw, rng, settings):
    """Six sources that are answered differently: alone, in a batch of six, and in one of 64 (indices into the six)."""

    def check(source, accepted):
        answers = answers_alone(model, source, settings)
        if any(answers["greedy"] == other["greedy"] for _, other in accepted):
            raise Redraw("answered like another source")
        return answers

    chosen = collect(draw, check, 6, 150)
    sources = [source for source, _ in chosen]
    lengths = {len(answers["greedy"]["sequences"][0]) for _, answers in chosen}
    if len(lengths) < 4:
        raise Redraw(f"answers of much the same length: {lengths}")
    batch64 = [rng.randrange(6) for _ in range(64)]
    result = {}
    for name, setting in sorted(settings.items()):
        alone = [answers[name] for _, answers in chosen]
        assert_same(generate(model, sources, setting), alone)
        assert_same(generate(model, [sources[i] for i in batch64], setting), [alone[i] for i in batch64])
        result[name] = dict(arguments=setting, answers=alone)
    return dict(sources=sources, batch64=batch64, settings=result)
