import { Charsmap, type Match } from './charsmap.js';
import { NONE } from './double-array.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Longest cluster in bytes of UTF-8 that is looked up whole. */
const LONGEST_CLUSTER = 5;
const CACHED_CLUSTERS = 1 << 14;
/**
 * Where clusters can have more than one character: among carriage returns and what lies above U+02F0, with one neighbour
 * at each side. All other characters are clusters of their own.
 */
const CLUSTERED = /[^\u02f0-\uffff\r]?(?:[\u02f0-\uffff\r]+[^\u02f0-\uffff\r]?)+/g;

/** A precompiled character map, applied to whole texts. */
export class PrecompiledNormalizer {
  readonly #charsmap: Charsmap;
  readonly #match: Match = { start: NONE, end: 0, length: 0 };
  readonly #clusters = new Map<string, string>();

  constructor(charsmap: Uint8Array) {
    this.#charsmap = new Charsmap(charsmap);
  }

  /** As SentencePiece does it: at each place the longest sequence that the map has is replaced. */
  normalize(text: string): string {
    const bytes = encoder.encode(text);
    const parts: Uint8Array[] = [];
    let kept = 0;
    for (let i = 0; i < bytes.length; ) {
      this.#charsmap.longest(bytes, i, bytes.length, this.#match);
      const { start, end, length } = this.#match;
      if (start === NONE) {
        do i++;
        while ((bytes[i]! & 0xc0) === 0x80);
        continue;
      }
      parts.push(bytes.subarray(kept, i), this.#charsmap.replacements.subarray(start, end));
      i += length;
      kept = i;
    }
    return decoder.decode(Buffer.concat([...parts, bytes.subarray(kept)]));
  }

  /**
   * As `tokenizer.json`'s `Precompiled` does it, which differs: a short grapheme cluster is replaced as a whole by what
   * the map has for its shortest beginning; in other clusters each character is replaced on its own.
   */
  normalizeGraphemes(text: string): string {
    let result = '';
    let kept = 0;
    const single = (end: number): void => {
      for (; kept < end; kept++) result += this.#cluster(text[kept]!);
    };
    for (const { 0: clustered, index } of text.matchAll(CLUSTERED)) {
      single(index);
      for (const { segment } of graphemes.segment(clustered)) result += this.#cluster(segment);
      kept = index + clustered.length;
    }
    single(text.length);
    return result;
  }

  #cluster(cluster: string): string {
    const known = this.#clusters.get(cluster);
    if (known !== undefined) return known;
    if (this.#clusters.size >= CACHED_CLUSTERS) this.#clusters.clear();
    const whole = encoder.encode(cluster).length <= LONGEST_CLUSTER ? this.#shortest(cluster) : undefined;
    const replaced = whole ?? Array.from(cluster, (character) => this.#shortest(character) ?? character).join('');
    this.#clusters.set(cluster, replaced);
    return replaced;
  }

  #shortest(text: string): string | undefined {
    const bytes = encoder.encode(text);
    this.#charsmap.shortest(bytes, 0, bytes.length, this.#match);
    const { start, end } = this.#match;
    return start === NONE ? undefined : decoder.decode(this.#charsmap.replacements.subarray(start, end));
  }
}
