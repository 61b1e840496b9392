import { closeSync, readSync } from 'node:fs';

/** Token sequences by row, wherever they are kept. */
export interface TokenRows {
  readonly length: number;
  lengthOf(row: number): number;
  /** The row's tokens; not to be written to. */
  tokens(row: number): Int32Array;
}

/** Where the ids of a store lie: in memory, or in an open file. */
export type Ids = { readonly memory: Uint8Array } | { readonly file: number };

/** Rows between two places that are known: those between are added up, so that a row costs its two lengths of memory alone. */
const BLOCK = 64;

/**
 * The tokens of both sides of many rows. Ids lie in bytes, two or four each: of every row those of its source, then those of
 * its target. The lengths are in memory, the ids there or on disk.
 */
export class TokenStore {
  readonly sources: TokenRows;
  readonly targets: TokenRows;
  readonly #ids: Ids;
  readonly #width: 2 | 4;
  readonly #sourceLengths: Uint32Array;
  readonly #targetLengths: Uint32Array;
  /** In ids, of the first row of each block. */
  readonly #blocks: Float64Array;

  constructor(ids: Ids, width: 2 | 4, sourceLengths: Uint32Array, targetLengths: Uint32Array) {
    this.#ids = ids;
    this.#width = width;
    this.#sourceLengths = sourceLengths;
    this.#targetLengths = targetLengths;
    this.#blocks = new Float64Array(Math.ceil(sourceLengths.length / BLOCK) || 1);
    let place = 0;
    for (let row = 0; row < sourceLengths.length; row++) {
      if (row % BLOCK === 0) this.#blocks[row / BLOCK] = place;
      place += sourceLengths[row]! + targetLengths[row]!;
    }
    this.sources = {
      length: sourceLengths.length,
      lengthOf: (row) => sourceLengths[row]!,
      tokens: (row) => this.#read(this.#placeOf(row), sourceLengths[row]!),
    };
    this.targets = {
      length: targetLengths.length,
      lengthOf: (row) => targetLengths[row]!,
      tokens: (row) => this.#read(this.#placeOf(row) + sourceLengths[row]!, targetLengths[row]!),
    };
  }

  /** Of sequences in memory. */
  static of(sources: readonly Int32Array[], targets: readonly Int32Array[]): TokenStore {
    const ids = Int32Array.from(sources.flatMap((source, row) => [...source, ...targets[row]!]));
    const lengths = (rows: readonly Int32Array[]) => Uint32Array.from(rows, ({ length }) => length);
    return new TokenStore({ memory: new Uint8Array(ids.buffer) }, 4, lengths(sources), lengths(targets));
  }

  /** Closes the file, where there is one. */
  close(): void {
    if ('file' in this.#ids) closeSync(this.#ids.file);
  }

  #placeOf(row: number): number {
    const block = Math.floor(row / BLOCK);
    let place = this.#blocks[block]!;
    for (let before = block * BLOCK; before < row; before++) {
      place += this.#sourceLengths[before]! + this.#targetLengths[before]!;
    }
    return place;
  }

  #read(place: number, count: number): Int32Array {
    const bytes = new Uint8Array(count * this.#width);
    if ('memory' in this.#ids) {
      const start = place * this.#width;
      bytes.set(this.#ids.memory.subarray(start, start + bytes.length));
    } else {
      for (let read = 0; read < bytes.length; ) {
        read += readSync(this.#ids.file, bytes, read, bytes.length - read, place * this.#width + read);
      }
    }
    return this.#width === 2 ? new Int32Array(new Uint16Array(bytes.buffer)) : new Int32Array(bytes.buffer);
  }
}
