import { fail } from '../errors.js';
import { surroundingsJson } from './fairseq-vocabulary.js';
import { METASPACE } from './metaspace.js';
import { parseSentencePiece } from './sentencepiece/index.js';
import type { Tokenizer } from './tokenizer.js';
import type { ScoredToken } from './unigram-encoder.js';

/** The score of tokens that are no pieces of the source: so low that no text is cut into them where there is another way. */
const LAST_RESORT = -1e5;

/**
 * The tokenizer.json that transformers.js reads for a Marian, laid out as its own conversion does it: the source's pieces over
 * the vocabulary of both sides. It is the same tokenizer for texts whose characters the source's model has; others may become
 * tokens of the target instead of the unknown one.
 */
export function marianJson(tokenizer: Tokenizer): string {
  const files = tokenizer.files();
  if (files.has('target_vocab.json')) {
    fail(
      'export',
      'a Marian with separate vocabularies has no tokenizer.json: it holds one. Use a model that shares its own.',
    );
  }
  const { model, pieces, normalizer } = parseSentencePiece(files.get('source.spm') as Uint8Array, 'source.spm');
  if (model !== 'unigram') {
    fail(
      'export',
      `source.spm is a SentencePiece model of type ${model}, which tokenizer.json cannot hold. It must be unigram.`,
    );
  }
  const scores = new Map(pieces.filter(({ type }) => type === 'normal').map(({ piece, score }) => [piece, score]));
  const { unk, eos, pad } = tokenizer.special;
  const special = [...new Set([eos!, unk!, pad!])].sort((a, b) => a - b);
  const vocab = Array.from({ length: tokenizer.vocabSize }, (_, id): ScoredToken => {
    const token = tokenizer.tokenOf(id)!;
    return [token, special.includes(id) ? 0 : (scores.get(token) ?? LAST_RESORT)];
  });
  const end = tokenizer.tokenOf(eos!)!;
  const metaspace = { type: 'Metaspace', replacement: METASPACE, prepend_scheme: 'always', add_prefix_space: true };
  const charsmap = Buffer.from(normalizer.precompiledCharsmap);
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((id) => ({
      id,
      content: tokenizer.tokenOf(id)!,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: charsmap.length > 0 ? { type: 'Precompiled', precompiled_charsmap: charsmap.toString('base64') } : null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    post_processor: surroundingsJson({ prefix: [], between: [], suffix: [end] }, (token) => tokenizer.idOf(token)!),
    decoder: metaspace,
    model: { type: 'Unigram', unk_id: unk, vocab },
  };
  return JSON.stringify(json);
}
