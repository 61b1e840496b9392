import { fail } from '../../errors.js';
import { bpeSegmenter } from './bpe.js';
import type { ByteBuffer } from './byte-buffer.js';
import { byteOf, decodePieces } from './decode.js';
import type { ModelType, SentencePiece, SentencePieceFile } from './file.js';
import { Normalizer } from './normalizer.js';
import { isTextPiece, trieOf } from './piece-index.js';
import type { Segmenter, SegmenterOf, Segments } from './segmenter.js';
import { characterSegmenter, wordSegmenter } from './symbols.js';
import { unigramSegmenter } from './unigram.js';

const SEGMENTERS: Readonly<Record<ModelType, SegmenterOf>> = {
  unigram: unigramSegmenter,
  bpe: bpeSegmenter,
  char: characterSegmenter,
  word: wordSegmenter,
};

const BYTES = 256;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const isUserDefined = ({ type }: SentencePiece): boolean => type === 'userDefined';

/** Text to pieces and back, to the piece as Python's `SentencePieceProcessor`. Lone surrogates are read as U+FFFD. */
export class SentencePieceModel {
  /** By id. */
  readonly pieces: readonly SentencePiece[];
  readonly unkId: number;
  readonly #file: SentencePieceFile;
  readonly #ids: ReadonlyMap<string, number>;
  /** By byte; empty if unknown characters are not taken apart. */
  readonly #byteIds: readonly number[];
  readonly #normalizer: Normalizer;
  readonly #denormalizer: Normalizer | undefined;
  readonly #segment: Segmenter;

  constructor(file: SentencePieceFile) {
    const { pieces, byteFallback, normalizer, denormalizer } = file;
    this.#file = file;
    this.pieces = pieces;
    this.#ids = idsOf(pieces);
    this.unkId = unknownOf(pieces);
    this.#byteIds = byteIdsOf(pieces, byteFallback);
    const userDefined = pieces.some(isUserDefined) ? trieOf(pieces, isUserDefined) : undefined;
    this.#normalizer = new Normalizer(normalizer, userDefined, file.treatWhitespaceAsSuffix);
    const hasDenormalizer = denormalizer !== undefined && denormalizer.precompiledCharsmap.length > 0;
    this.#denormalizer = hasDenormalizer ? new Normalizer(denormalizer) : undefined;
    this.#segment = SEGMENTERS[file.model]({ pieces, unkId: this.unkId, userDefined });
  }

  /** Undefined for what is no piece, where Python answers with the unknown piece's id. */
  pieceToId(piece: string): number | undefined {
    return this.#ids.get(piece);
  }

  /** Ids as `encode(text, out_type=int)`. */
  encode(text: string): number[] {
    return this.#cut(text).ids;
  }

  /** Pieces as `encode(text, out_type=str)`: unknown ones are the text that they stand for. */
  encodePieces(text: string): string[] {
    const { bytes, ids, ends } = this.#cut(text);
    return ids.map((id, i) =>
      id === this.unkId ? decoder.decode(bytes.subarray(ends[i - 1] ?? 0, ends[i]!)) : this.pieces[id]!.piece,
    );
  }

  /** Text as `decode_pieces(pieces)`. */
  decode(pieces: readonly string[]): string {
    const text = decodePieces(pieces, this.#file, (piece) => this.#ids.get(piece));
    return this.#denormalizer === undefined ? text : textOf(this.#denormalizer.normalize(text));
  }

  #cut(text: string): Segments & { readonly bytes: Uint8Array } {
    const { bytes, length } = this.#normalizer.normalize(text);
    const cut = { bytes, ids: [], ends: [] } satisfies Segments & { bytes: Uint8Array };
    this.#segment(bytes, length, cut);
    return cut.ids.some((id) => id === this.unkId) ? this.#withoutUnknownRuns(cut) : cut;
  }

  /** Unknown characters become their bytes' pieces, or one piece for a run of them. */
  #withoutUnknownRuns(cut: Segments & { readonly bytes: Uint8Array }) {
    const ids: number[] = [];
    const ends: number[] = [];
    for (const [i, id] of cut.ids.entries()) {
      const end = cut.ends[i]!;
      if (id !== this.unkId) {
        ids.push(id);
        ends.push(end);
      } else if (this.#byteIds.length > 0) {
        for (let k = cut.ends[i - 1] ?? 0; k < end; k++) {
          ids.push(this.#byteIds[cut.bytes[k]!]!);
          ends.push(k + 1);
        }
      } else if (ids.at(-1) === id) {
        ends[ends.length - 1] = end;
      } else {
        ids.push(id);
        ends.push(end);
      }
    }
    return { bytes: cut.bytes, ids, ends };
  }
}

const textOf = ({ bytes, length }: ByteBuffer): string => decoder.decode(bytes.subarray(0, length));

function broken(what: string): never {
  return fail(
    'tokenizer',
    `the SentencePiece model ${what}. It is damaged, or not whole; get the tokenizer's files anew.`,
  );
}

function idsOf(pieces: readonly SentencePiece[]): ReadonlyMap<string, number> {
  const named = new Map<string, number>();
  const ofText = new Map<string, number>();
  for (const [id, piece] of pieces.entries()) {
    if (piece.piece === '') broken(`has no text for piece ${id}`);
    const ids = isTextPiece(piece) ? ofText : named;
    if (ids.has(piece.piece)) broken(`has the piece "${piece.piece}" twice, as ${ids.get(piece.piece)} and ${id}`);
    ids.set(piece.piece, id);
  }
  if (ofText.size === 0) broken(`has ${pieces.length} pieces, but none that a text is made of`);
  // Control pieces, the unknown one and bytes go before text pieces of the same name.
  for (const [piece, id] of named) ofText.set(piece, id);
  return ofText;
}

function unknownOf(pieces: readonly SentencePiece[]): number {
  const unknown = pieces.filter(({ type }) => type === 'unknown');
  return unknown.length === 1 ? pieces.indexOf(unknown[0]!) : broken(`has ${unknown.length} unknown pieces, not 1`);
}

function byteIdsOf(pieces: readonly SentencePiece[], byteFallback: boolean): readonly number[] {
  const ids = new Map<number, number>();
  for (const [id, { piece, type }] of pieces.entries()) {
    if (type !== 'byte') continue;
    if (!byteFallback) broken(`has the byte piece "${piece}", but does not use bytes`);
    ids.set(byteOf(piece) ?? broken(`has a byte piece called "${piece}", not <0x00> to <0xFF>`), id);
  }
  if (byteFallback && ids.size < BYTES) broken(`has ${ids.size} of the ${BYTES} byte pieces that it uses`);
  return Array.from({ length: ids.size }, (_, byte) => ids.get(byte)!);
}
