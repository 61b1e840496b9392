import { fail } from '../../errors.js';
import { bytesOf, numberOf, ProtoMessage, type ProtoValue, protoFields, textOf } from './protobuf.js';

/** What a piece is for, with its number in the file: only the first, fourth and sixth are what a text is made of. */
const PIECE_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const MODELS = { unigram: 1, bpe: 2, word: 3, char: 4 } as const;

export type PieceType = keyof typeof PIECE_TYPES;
export type ModelType = keyof typeof MODELS;

export interface SentencePiece {
  readonly piece: string;
  /** Unigram: the logarithm of its probability. BPE: the higher, the earlier it is merged. A float32. */
  readonly score: number;
  readonly type: PieceType;
}

/** How a text is changed before it is cut into pieces. */
export interface NormalizerSpec {
  /** Such as `nmt_nfkc`; says nothing that the map does not. */
  readonly name: string;
  /** Empty: characters stay as they are. See `charsmap.ts`. */
  readonly precompiledCharsmap: Uint8Array;
  /** A space before the text (behind it with `treatWhitespaceAsSuffix`), so that its first word is as any other. */
  readonly addDummyPrefix: boolean;
  /** No spaces at either end, and one where there are several. */
  readonly removeExtraWhitespaces: boolean;
  /** Spaces become U+2581. */
  readonly escapeWhitespaces: boolean;
}

/** A token that has a role; id -1: the model has none. */
export interface SpecialPiece {
  readonly id: number;
  readonly piece: string;
}

/** A `.spm` or `.model` file, all of it that encoding and decoding depend on. */
export interface SentencePieceFile {
  /** By id. */
  readonly pieces: readonly SentencePiece[];
  readonly model: ModelType;
  /** Characters that no piece covers become their UTF-8 bytes' pieces instead of the unknown one. */
  readonly byteFallback: boolean;
  /** What the unknown piece is decoded to. */
  readonly unkSurface: string;
  readonly treatWhitespaceAsSuffix: boolean;
  readonly specials: Readonly<Record<'unk' | 'bos' | 'eos' | 'pad', SpecialPiece>>;
  readonly normalizer: NormalizerSpec;
  /** Applied to decoded text. */
  readonly denormalizer?: NormalizerSpec;
}

/** What the format takes for granted where a file says nothing; a base for files made from nothing. */
export const SENTENCE_PIECE_DEFAULTS = {
  pieces: [],
  model: 'unigram',
  byteFallback: false,
  unkSurface: ' \u2047 ',
  treatWhitespaceAsSuffix: false,
  specials: {
    unk: { id: 0, piece: '<unk>' },
    bos: { id: 1, piece: '<s>' },
    eos: { id: 2, piece: '</s>' },
    pad: { id: -1, piece: '<pad>' },
  },
  normalizer: {
    name: '',
    precompiledCharsmap: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  },
} as const satisfies SentencePieceFile;

/** Reads a model; `place` says in errors where the bytes are from. */
export function parseSentencePiece(bytes: Uint8Array, place: string): SentencePieceFile {
  if (bytes.length === 0) fail('tokenizer', `${place} is empty. It should be a SentencePiece model.`);
  const file: Writable<SentencePieceFile> = { ...SENTENCE_PIECE_DEFAULTS };
  const pieces: SentencePiece[] = [];
  for (const [field, value] of protoFields(bytes, place)) {
    if (field === 1) pieces.push(parsePiece(bytesOf(value, `${place}: piece ${pieces.length}`), pieces.length, place));
    else if (field === 2) Object.assign(file, parseTrainer(bytesOf(value, `${place}: trainer_spec`), place));
    else if (field === 3) file.normalizer = parseNormalizer(bytesOf(value, `${place}: normalizer_spec`), place);
    else if (field === 5) file.denormalizer = parseNormalizer(bytesOf(value, `${place}: denormalizer_spec`), place);
  }
  if (pieces.length === 0) fail('tokenizer', `${place} has no pieces. It is not a SentencePiece model, or is damaged.`);
  file.pieces = pieces;
  return file;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Special = keyof SentencePieceFile['specials'];

function parsePiece(bytes: Uint8Array, id: number, place: string): SentencePiece {
  let piece = '';
  let score = 0;
  let type: PieceType = 'normal';
  for (const [field, value] of protoFields(bytes, `${place}: piece ${id}`)) {
    if (field === 1) piece = textOf(value, `${place}: the text of piece ${id}`);
    else if (field === 2) score = numberOf(value, `${place}: the score of piece ${id}`);
    else if (field === 3) type = nameOf(PIECE_TYPES, value, `${place}: the type of piece ${id}`);
  }
  return { piece, score, type };
}

/** Field numbers of `TrainerSpec` and of `NormalizerSpec` (`sentencepiece_model.proto`); all else in them is about training. */
const TRAINER = { model: 3, vocabSize: 4, suffix: 24, byteFallback: 35, unkSurface: 44 } as const;
const SPECIAL_IDS: Readonly<Record<Special, number>> = { unk: 40, bos: 41, eos: 42, pad: 43 };
const SPECIAL_PIECES: Readonly<Record<Special, number>> = { unk: 45, bos: 46, eos: 47, pad: 48 };
const SPECIALS = Object.keys(SPECIAL_IDS) as Special[];
const NORMALIZER = { name: 1, charsmap: 2, dummyPrefix: 3, extraWhitespaces: 4, escape: 5 } as const;

function parseTrainer(bytes: Uint8Array, place: string): Partial<SentencePieceFile> {
  const found = new Map(protoFields(bytes, `${place}: trainer_spec`));
  const read = readerOf(found, `${place}: trainer_spec`);
  const defaults = SENTENCE_PIECE_DEFAULTS;
  const special = (role: Special): SpecialPiece => ({
    id: read(SPECIAL_IDS[role], numberOf, defaults.specials[role].id),
    // Files from before these fields had empty ones.
    piece: read(SPECIAL_PIECES[role], textOf, '') || defaults.specials[role].piece,
  });
  return {
    model: read<ModelType>(TRAINER.model, (value, what) => nameOf(MODELS, value, what), defaults.model),
    byteFallback: read(TRAINER.byteFallback, booleanOf, defaults.byteFallback),
    unkSurface: read<string>(TRAINER.unkSurface, textOf, defaults.unkSurface),
    treatWhitespaceAsSuffix: read(TRAINER.suffix, booleanOf, defaults.treatWhitespaceAsSuffix),
    specials: { unk: special('unk'), bos: special('bos'), eos: special('eos'), pad: special('pad') },
  };
}

function parseNormalizer(bytes: Uint8Array, place: string): NormalizerSpec {
  const found = new Map(protoFields(bytes, `${place}: normalizer_spec`));
  const read = readerOf(found, `${place}: normalizer_spec`);
  const defaults: NormalizerSpec = SENTENCE_PIECE_DEFAULTS.normalizer;
  return {
    name: read(NORMALIZER.name, textOf, defaults.name),
    precompiledCharsmap: read(
      NORMALIZER.charsmap,
      (v, what) => Uint8Array.from(bytesOf(v, what)),
      defaults.precompiledCharsmap,
    ),
    addDummyPrefix: read(NORMALIZER.dummyPrefix, booleanOf, defaults.addDummyPrefix),
    removeExtraWhitespaces: read(NORMALIZER.extraWhitespaces, booleanOf, defaults.removeExtraWhitespaces),
    escapeWhitespaces: read(NORMALIZER.escape, booleanOf, defaults.escapeWhitespaces),
  };
}

/** Of a field given twice the last counts. */
function readerOf(found: ReadonlyMap<number, ProtoValue>, place: string) {
  return <T>(field: number, read: (value: ProtoValue, what: string) => T, absent: T): T => {
    const value = found.get(field);
    return value === undefined ? absent : read(value, `${place}, field ${field}`);
  };
}

const booleanOf = (value: ProtoValue, what: string): boolean => numberOf(value, what) !== 0;

function nameOf<K extends string>(numbers: Readonly<Record<K, number>>, value: ProtoValue, what: string): K {
  const names = Object.keys(numbers) as K[];
  return (
    names.find((name) => numbers[name] === value) ??
    fail('tokenizer', `${what} is ${String(value)}, not one of ${Object.values(numbers).join(', ')}. Is it damaged?`)
  );
}

/** The bytes of a model that Python's sentencepiece and this package read. */
export function serializeSentencePiece(file: SentencePieceFile): Uint8Array {
  const model = new ProtoMessage();
  for (const { piece, score, type } of file.pieces) {
    model.bytes(1, new ProtoMessage().text(1, piece).float(2, score).int(3, PIECE_TYPES[type]).finish());
  }
  const trainer = new ProtoMessage()
    .int(TRAINER.model, MODELS[file.model])
    .int(TRAINER.vocabSize, file.pieces.length)
    .int(TRAINER.suffix, Number(file.treatWhitespaceAsSuffix))
    .int(TRAINER.byteFallback, Number(file.byteFallback));
  for (const role of SPECIALS) trainer.int(SPECIAL_IDS[role], file.specials[role].id);
  trainer.text(TRAINER.unkSurface, file.unkSurface);
  for (const role of SPECIALS) trainer.text(SPECIAL_PIECES[role], file.specials[role].piece);
  model.bytes(2, trainer.finish()).bytes(3, serializeNormalizer(file.normalizer));
  if (file.denormalizer !== undefined) model.bytes(5, serializeNormalizer(file.denormalizer));
  return model.finish();
}

function serializeNormalizer(spec: NormalizerSpec): Uint8Array {
  return new ProtoMessage()
    .text(NORMALIZER.name, spec.name)
    .bytes(NORMALIZER.charsmap, spec.precompiledCharsmap)
    .int(NORMALIZER.dummyPrefix, Number(spec.addDummyPrefix))
    .int(NORMALIZER.extraWhitespaces, Number(spec.removeExtraWhitespaces))
    .int(NORMALIZER.escape, Number(spec.escapeWhitespaces))
    .finish();
}
