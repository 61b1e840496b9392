import { fail } from '../../errors.js';

export class PrecompiledNormalizer {
  constructor(_charsmap: Uint8Array) {}
  normalize(_text: string): string {
    return fail('tokenizer', 'SentencePiece is not there yet.');
  }
  normalizeGraphemes(_text: string): string {
    return fail('tokenizer', 'SentencePiece is not there yet.');
  }
}
