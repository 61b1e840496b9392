import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { giveBack, nameAside, removeLeftovers } from '../aside.js';
import { fail } from '../errors.js';
import { TokenStore } from './token-store.js';

// A token file: the ids, as TokenStore has them · u32 source lengths · u32 target lengths · u32 numbers of dropped rows · what
// is known of it, as JSON · u32 length of the JSON · eight letters. All little-endian, as every machine is that Node runs on.

const MAGIC = 's2s-tok1';
/** Ids up to this many bytes stay in memory, whatever the cache is told. */
const IN_MEMORY = 2 ** 26;
/** Ids, or bytes, that are handled at once. */
const PIECE = 2 ** 20;

/** What is known of tokenised rows besides their tokens. */
export interface TokenSummary {
  readonly cutSources: number;
  readonly cutTargets: number;
  readonly blankSources: number;
  readonly blankTargets: number;
  /** SHA-256 of ids and lengths. */
  readonly fingerprint: string;
}

export interface TokenFile {
  readonly store: TokenStore;
  readonly summary: TokenSummary;
  /** Rows of the data that were left out, counted from 0, in order. */
  readonly dropped: Uint32Array;
}

interface Layout extends TokenSummary {
  readonly width: 2 | 4;
  readonly rows: number;
  readonly dropped: number;
  readonly idBytes: number;
}

/** Takes tokens row by row and keeps them in memory as long as they are few, then in a file. */
export class TokenWriter {
  readonly #width: 2 | 4;
  /** Where the file is to be in the end; undefined for one that nobody sees. */
  readonly #place: string | undefined;
  readonly #pieces: Uint8Array[] = [];
  readonly #lengths = [new GrowingArray(), new GrowingArray()] as const;
  readonly #dropped = new GrowingArray();
  readonly #hash = createHash('sha256');
  #piece: Uint16Array | Int32Array;
  #filled = 0;
  #bytes = 0;
  #aside: { readonly name: string; readonly file: fs.FileHandle } | undefined;

  constructor(width: 2 | 4, place: string | undefined) {
    this.#width = width;
    this.#place = place;
    this.#piece = this.#newPiece();
  }

  add(source: Int32Array, target: Int32Array): void {
    this.#lengths[0].push(source.length);
    this.#lengths[1].push(target.length);
    this.#append(source);
    this.#append(target);
  }

  drop(row: number): void {
    this.#dropped.push(row);
  }

  /** Writes what no longer should be in memory; to be called between rows. */
  async flush(): Promise<void> {
    if (this.#bytes <= IN_MEMORY) return;
    await this.#spill();
  }

  /** The rows as they are now kept; with a place, the file is there, whole. */
  async finish(counts: Omit<TokenSummary, 'fingerprint'>): Promise<TokenFile> {
    this.#endPiece();
    const [sources, targets] = this.#lengths.map((lengths) => lengths.toArray()) as [Uint32Array, Uint32Array];
    const dropped = this.#dropped.toArray();
    const idBytes = this.#bytes;
    for (const lengths of [sources, targets]) this.#hash.update(lengths);
    const summary = { ...counts, fingerprint: this.#hash.digest('hex') };
    const known: Layout = { ...summary, width: this.#width, rows: sources.length, dropped: dropped.length, idBytes };
    const inMemory = !this.#aside;
    const kept = inMemory ? Buffer.concat(this.#pieces) : undefined;
    if (kept && this.#place === undefined) {
      return { store: new TokenStore({ memory: kept }, this.#width, sources, targets), summary, dropped };
    }
    await this.#spill();
    const { name, file } = this.#aside!;
    const json = Buffer.from(JSON.stringify(known));
    const end = Buffer.alloc(4 + MAGIC.length);
    end.writeUInt32LE(json.length);
    end.write(MAGIC, 4, 'latin1');
    for (const part of [sources, targets, dropped]) await writeAll(file, new Uint8Array(part.buffer));
    await writeAll(file, json);
    await writeAll(file, end);
    await file.sync();
    await file.close();
    if (this.#place !== undefined) await fs.rename(name, this.#place);
    giveBack(name);
    this.#aside = undefined;
    const shown = this.#place ?? name;
    const opened = openSync(shown, 'r');
    // Nobody else needs it: its blocks are free when it is closed, or when the process ends, however it does.
    if (this.#place === undefined) await fs.rm(shown).catch(() => undefined);
    if (kept) closeSync(opened);
    const ids = kept ? { memory: kept } : { file: opened };
    return { store: new TokenStore(ids, this.#width, sources, targets), summary, dropped };
  }

  /** Leaves nothing behind when the rows could not all be read. */
  async discard(): Promise<void> {
    if (!this.#aside) return;
    await this.#aside.file.close().catch(() => undefined);
    await fs.rm(this.#aside.name, { force: true });
    giveBack(this.#aside.name);
  }

  #newPiece(): Uint16Array | Int32Array {
    return this.#width === 2 ? new Uint16Array(PIECE) : new Int32Array(PIECE);
  }

  #append(ids: Int32Array): void {
    for (let from = 0; from < ids.length; ) {
      const part = ids.subarray(from, from + PIECE - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === PIECE) this.#endPiece();
    }
  }

  #endPiece(): void {
    const bytes = new Uint8Array(this.#piece.buffer, 0, this.#filled * this.#width);
    this.#hash.update(bytes);
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#piece = this.#newPiece();
    this.#filled = 0;
  }

  async #spill(): Promise<void> {
    this.#aside ??= await openAside(this.#place);
    for (const piece of this.#pieces.splice(0)) await writeAll(this.#aside.file, piece);
  }
}

async function openAside(place: string | undefined) {
  const target = place ?? path.join(tmpdir(), 'seq2seq-tokens');
  const directory = path.dirname(path.resolve(target));
  try {
    await fs.mkdir(directory, { recursive: true });
    await removeLeftovers(directory, path.basename(target));
    const name = nameAside(path.resolve(target));
    return { name, file: await fs.open(name, 'wx+') };
  } catch (error) {
    return fail(
      'cache',
      `${directory} cannot be written to: ${(error as Error).message}. Name another cacheDir, or set noCache.`,
      error,
    );
  }
}

async function writeAll(file: fs.FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    for (let from = 0; from < bytes.length; ) from += (await file.write(bytes, from, bytes.length - from)).bytesWritten;
  } catch (error) {
    fail(
      'cache',
      `${bytes.length} more bytes of tokens cannot be written: ${(error as Error).message}. Make room where cacheDir is, or name another.`,
      error,
    );
  }
}

/** A token file that was written before; undefined where there is none, or none that is whole. */
export function openTokenFile(place: string): TokenFile | undefined {
  let file: number;
  try {
    file = openSync(place, 'r');
  } catch {
    return undefined;
  }
  try {
    const opened = read(file);
    if (opened) return opened;
  } catch {
    // What is broken is made again.
  }
  closeSync(file);
  return undefined;
}

function read(file: number): TokenFile | undefined {
  const { size } = fstatSync(file);
  const part = (position: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    for (let got = 0; got < length; ) {
      const count = readSync(file, bytes, got, Math.min(PIECE, length - got), position + got);
      if (count === 0) throw new Error('cut off');
      got += count;
    }
    return bytes;
  };
  const end = Buffer.from(part(size - 4 - MAGIC.length, 4 + MAGIC.length).buffer);
  if (end.toString('latin1', 4) !== MAGIC) return undefined;
  const jsonLength = end.readUInt32LE(0);
  const jsonAt = size - end.length - jsonLength;
  const { width, rows, dropped, idBytes, ...summary } = JSON.parse(
    Buffer.from(part(jsonAt, jsonLength)).toString(),
  ) as Layout;
  if (idBytes + 4 * (2 * rows + dropped) !== jsonAt) return undefined;
  const numbers = (position: number, count: number) => new Uint32Array(part(position, 4 * count).buffer);
  const [sources, targets] = [numbers(idBytes, rows), numbers(idBytes + 4 * rows, rows)];
  let total = 0;
  for (const lengths of [sources, targets]) for (const length of lengths) total += length;
  if (total * width !== idBytes) return undefined;
  const isSmall = idBytes <= IN_MEMORY;
  const ids = isSmall ? { memory: part(0, idBytes) } : { file };
  const store = new TokenStore(ids, width, sources, targets);
  const numbersDropped = numbers(idBytes + 8 * rows, dropped);
  if (isSmall) closeSync(file);
  return { store, summary, dropped: numbersDropped };
}

/** Whole numbers, one after the other, however many. */
class GrowingArray {
  #numbers = new Uint32Array(1024);
  #length = 0;

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Uint32Array(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = number;
  }

  toArray(): Uint32Array {
    return this.#numbers.slice(0, this.#length);
  }
}
