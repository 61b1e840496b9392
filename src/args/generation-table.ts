import * as o from './option.js';

/** Of the search for answers. */
export const generationOptions = {
  maxLength: o.works(o.count, 20, 'Tokens of an answer, the start token included.', {
    note: 'The total for every model type; the reference counts new tokens for mBART.',
  }),
  maxNewTokens: o.works(o.count.optional(), undefined, 'Tokens of an answer after the start; overrides maxLength.', {
    note: 'Not in Simple Transformers; as in Transformers.',
  }),
  minLength: o.works(
    o.wholeNumber.optional(),
    undefined,
    'Tokens, counted as for maxLength, before an answer may end.',
    {
      note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.',
    },
  ),
  minNewTokens: o.works(
    o.wholeNumber.optional(),
    undefined,
    'Tokens behind the start before an answer may end; overrides minLength.',
    { note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.' },
  ),
  numBeams: o.works(o.count, 1, 'Beams of the search; 1 is greedy.'),
  lengthPenalty: o.works(o.number, 2, "Exponent of the length that divides a beam's score; above 0 favours length."),
  earlyStopping: o.works(
    o.flagOrNever,
    true,
    'Ends a beam search once numBeams answers are complete; `never` only when none can get better.',
  ),
  repetitionPenalty: o.works(o.positive, 1, 'Above 1, tokens already in the answer become less likely.'),
  noRepeatNgramSize: o.works(
    o.wholeNumber.optional(),
    undefined,
    'No run of this many tokens occurs twice; 0 allows all.',
    {
      note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.',
    },
  ),
  badWords: o.works(o.texts, [], 'Texts that no answer has, each as a word of its own and as the end of one.', {
    note: 'Not in Simple Transformers; in Transformers bad_words_ids.',
  }),
  prefix: o.works(o.text.optional(), undefined, 'A text that every answer begins with.', {
    note: 'Not in Simple Transformers; as decoder_input_ids of Transformers: its tokens count in lengths, not in scores.',
  }),
  forcedBosToken: o.works(
    o.text.optional(),
    undefined,
    'The token that comes first, behind the start token; empty is none.',
    { note: 'Not in Simple Transformers; in Transformers forced_bos_token_id. Unset, as the checkpoint says.' },
  ),
  forcedEosToken: o.works(o.text.optional(), undefined, 'The token that comes last, at maxLength; empty is none.', {
    note: 'Not in Simple Transformers; in Transformers forced_eos_token_id. Unset, as the checkpoint says.',
  }),
  numBeamGroups: o.works(o.count.optional(), undefined, 'Groups of beams that are to find different answers.', {
    note: 'Not in Simple Transformers; as in Transformers. Needs diversityPenalty. Unset, as the checkpoint says.',
  }),
  diversityPenalty: o.works(
    o.notNegative.optional(),
    undefined,
    'Taken off the log-probability of tokens that an earlier group of beams chose in the same step.',
    { note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.' },
  ),
  numReturnSequences: o.works(o.count, 1, 'Answers to each text; at most numBeams unless sampled.'),
  doSample: o.works(o.flag, false, 'Draws tokens by their probability instead of taking the best.'),
  topK: o.works(o.wholeNumber.optional(), undefined, 'With doSample: draws among this many best tokens; 0 is all.'),
  topP: o.works(
    o.probability.optional(),
    undefined,
    'With doSample: draws among the best tokens that make up this share.',
  ),
  minP: o.works(
    o.share.optional(),
    undefined,
    "With doSample: draws among tokens of at least this share of the best one's probability.",
    { note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.' },
  ),
  typicalP: o.works(
    o.probability.optional(),
    undefined,
    'With doSample: draws among the tokens that make up this share and surprise as much as is to be expected.',
    { note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.' },
  ),
  temperature: o.works(
    o.positive.optional(),
    undefined,
    'With doSample: divides the logits; below 1 is more certain.',
    {
      note: 'Not in Simple Transformers; as in Transformers. Unset, as the checkpoint says.',
    },
  ),
  skipSpecialTokens: o.works(o.flag, true, 'Leaves special tokens out of the answers.'),
  useMultiprocessedDecoding: o.works(o.flag, false, 'Turns tokens into texts in processCount threads.', {
    note: 'In the calling thread it takes some microseconds an answer; threads pay off for long answers.',
  }),
};
