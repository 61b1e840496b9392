import { type FairseqFamily, fairseqRoles, loadFairseq } from './fairseq.js';
import type { TokenizerSource } from './source.js';
import type { Tokenizer } from './tokenizer.js';

const DEFAULTS = { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' };
const ROLES = fairseqRoles(DEFAULTS, false);

/** `<s>` and `</s>` keep their places in the SentencePiece model; those of fairseq are not used. */
const CAMEMBERT: FairseqFamily = {
  tokenizerClass: 'CamembertTokenizer',
  layout: {
    before: [
      ['<s>NOTUSED', 0],
      ['<pad>', 0],
      ['</s>NOTUSED', 0],
      ['<unk>', 0],
      ['<unk>NOTUSED', -100],
    ],
    replaced: 1,
    after: ['<mask>'],
    surroundings: { prefix: ['<s>'], between: ['</s>', '</s>'], suffix: ['</s>'] },
  },
  fast: ROLES,
  slow: ROLES,
  additional: (named) => (named === undefined ? ['<s>NOTUSED', '</s>NOTUSED', '<unk>NOTUSED'] : (named ?? [])),
  settings: {},
};

export function loadCamembert(files: TokenizerSource): Tokenizer {
  return loadFairseq(files, CAMEMBERT);
}
