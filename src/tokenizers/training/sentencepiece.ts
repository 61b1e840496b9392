import {
  Normalizer,
  SENTENCE_PIECE_DEFAULTS,
  type SentencePiece,
  serializeSentencePiece,
} from '../sentencepiece/index.js';
import { characterMap } from './character-map.js';
import type { Counts } from './counts.js';
import {
  type ResolvedTrainingOptions,
  requireRoom,
  type Texts,
  type TokenizerFiles,
  warnIfFewer,
  warnIfRare,
} from './options.js';
import { countTexts } from './texts.js';
import { trainUnigram } from './unigram.js';
import { indexWords } from './word-index.js';

/** How a model type keeps a SentencePiece model. */
interface Layout {
  readonly config: Readonly<Record<string, unknown>>;
  /** Tokens that are no pieces of the texts: special ones, and codes of languages. */
  readonly others: number;
  readonly files: (source: TrainedModel, target?: TrainedModel) => [name: string, content: string | Uint8Array][];
}

interface TrainedModel {
  readonly bytes: Uint8Array;
  /** What texts are made of, best first. */
  readonly pieces: readonly string[];
}

const SPECIAL: readonly SentencePiece[] = [
  { piece: '<unk>', score: 0, type: 'unknown' },
  { piece: '<s>', score: 0, type: 'control' },
  { piece: '</s>', score: 0, type: 'control' },
];
/** MBart's languages, and those that MBart-50 has besides. */
const MBART_CODES = 25;
const MBART50_CODES = 52;

const oneFile: Layout['files'] = ({ bytes }) => [['sentencepiece.bpe.model', bytes]];

const LAYOUTS: Readonly<Partial<Record<string, Layout>>> = {
  // </s>, <unk> and <pad>
  marian: { config: { tokenizer_class: 'MarianTokenizer' }, others: 3, files: marianFiles },
  // <s>, <pad>, </s>, <unk>, the codes and <mask>
  mbart: { config: { tokenizer_class: 'MBartTokenizer' }, others: 5 + MBART_CODES, files: oneFile },
  mbart50: { config: { tokenizer_class: 'MBart50Tokenizer' }, others: 5 + MBART50_CODES, files: oneFile },
  // <s>NOTUSED, <pad>, </s>NOTUSED, <unk>, <unk>NOTUSED, <s>, </s> and <mask>
  camembert: { config: { tokenizer_class: 'CamembertTokenizer' }, others: 8, files: oneFile },
};

/** A SentencePiece unigram model, with a normaliser of its own in its file: {@link characterMap}. */
export async function trainSentencePiece(texts: Texts, options: ResolvedTrainingOptions): Promise<TokenizerFiles> {
  const { config, others, files } = LAYOUTS[options.modelType]!;
  const source = await trainSide(texts, options, others);
  const target = options.targetTexts && (await trainSide(options.targetTexts, options, others));
  const settings = { ...config, ...(target && { separate_vocabs: true }) };
  return new Map([...files(source, target), ['tokenizer_config.json', JSON.stringify(settings)]]);
}

async function trainSide(texts: Texts, options: ResolvedTrainingOptions, others: number): Promise<TrainedModel> {
  const normalizer = {
    ...SENTENCE_PIECE_DEFAULTS.normalizer,
    name: 'user_defined',
    precompiledCharsmap: characterMap(options.lowercase),
  };
  const counts = await countTexts(texts, wordsBehind(new Normalizer(normalizer)));
  const { words, characters, rare } = indexWords(counts, options.characterCoverage);
  warnIfRare(options, rare);
  const required = characters.length - 1;
  requireRoom(options, required + others, `${required} characters and ${others} special ones`);
  const size = options.vocabSize - others;
  const trained = trainUnigram(words, characters, size + SPECIAL.length, SPECIAL.length);
  warnIfFewer(options, trained.length + others);
  const pieces = [...SPECIAL, ...trained.map(({ piece, score }) => ({ piece, score, type: 'normal' }) as const)];
  return {
    bytes: serializeSentencePiece({ ...SENTENCE_PIECE_DEFAULTS, pieces, normalizer }),
    pieces: trained.map(({ piece }) => piece),
  };
}

/** In UTF-16 units. Longer words, of writing without spaces, are counted in parts, so that none takes all memory. */
const LONGEST_WORD = 4096;

/** Cuts before each U+2581, which stands for a space. */
function wordsBehind(normalizer: Normalizer): (text: string, counts: Counts) => void {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (text, counts) => {
    const { bytes, length } = normalizer.normalize(text);
    const normalized = decoder.decode(bytes.subarray(0, length));
    for (let start = 0; start < normalized.length; ) {
      const next = normalized.indexOf('\u2581', start + 1);
      const whole = next < 0 ? normalized.length : next;
      const end = whole - start > LONGEST_WORD ? start + LONGEST_WORD - Number(splitsPair(normalized, start)) : whole;
      counts.add(normalized.slice(start, end));
      start = end;
    }
  };
}

function splitsPair(text: string, start: number): boolean {
  return text.codePointAt(start + LONGEST_WORD - 1)! > 0xffff;
}

function marianFiles(source: TrainedModel, target?: TrainedModel): [string, string | Uint8Array][] {
  const files: [string, string | Uint8Array][] = [
    ['source.spm', source.bytes],
    ['target.spm', (target ?? source).bytes],
    ['vocab.json', marianVocabulary(source)],
  ];
  return target ? [...files, ['target_vocab.json', marianVocabulary(target)]] : files;
}

/** `</s>` 0, `<unk>` 1, the pieces, and `<pad>` last. */
function marianVocabulary({ pieces }: TrainedModel): string {
  return JSON.stringify(Object.fromEntries(['</s>', '<unk>', ...pieces, '<pad>'].map((token, id) => [token, id])));
}
