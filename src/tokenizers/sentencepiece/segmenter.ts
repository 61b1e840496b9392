import type { DoubleArray } from './double-array.js';
import type { SentencePiece } from './file.js';

/** A text cut up: piece `i` has the id `ids[i]` and ends before byte `ends[i]`, where the next begins. */
export interface Segments {
  readonly ids: number[];
  readonly ends: number[];
}

/** Cuts the UTF-8 of a normalised text, the first `length` of `bytes`, into an empty `out`. */
export type Segmenter = (bytes: Uint8Array, length: number, out: Segments) => void;

export interface Vocabulary {
  readonly pieces: readonly SentencePiece[];
  readonly unkId: number;
  /** The user-defined symbols, if there are any. */
  readonly userDefined: DoubleArray | undefined;
}

export type SegmenterOf = (vocabulary: Vocabulary) => Segmenter;
