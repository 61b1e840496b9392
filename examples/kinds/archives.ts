import { gunzipSync, inflateRawSync } from 'node:zlib';
import { Seq2SeqError } from '../../src/index.js';

// What wheels and npm packages are: zip files (section numbers are those of PKWARE's APPNOTE) and gzipped tar files (POSIX ustar).
// Both readers take an archive whose checksum is known to be right, so damage is not looked for beyond what reading needs.

/** The files of a package by their path in it, each unpacked when it is asked for. */
export type Archive = ReadonlyMap<string, () => Buffer>;

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const methods: Readonly<Record<number, (packed: Buffer) => Buffer>> = { 0: (packed) => packed, 8: inflateRawSync };

/** A zip file: found through the central directory at its end (§4.3.12, §4.3.16). */
export function readZip(bytes: Buffer): Archive {
  const end = bytes.lastIndexOf(Buffer.from(Uint32Array.of(END).buffer));
  if (end < 0 || end + 22 > bytes.length) refuse('a zip file', bytes);
  const files = new Map<string, () => Buffer>();
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== CENTRAL) refuse('a zip file', bytes);
    const entry = bytes.subarray(at);
    const nameEnd = 46 + entry.readUInt16LE(28);
    files.set(entry.toString('utf8', 46, nameEnd), () => unpack(bytes, entry));
    at += nameEnd + entry.readUInt16LE(30) + entry.readUInt16LE(32);
  }
  return files;
}

/** The data lie behind the entry's local header, whose name and extra field have their own lengths (§4.3.7). */
function unpack(bytes: Buffer, entry: Buffer): Buffer {
  const local = entry.readUInt32LE(42);
  const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const method = entry.readUInt16LE(10);
  const decode = methods[method];
  if (!decode) throw new Seq2SeqError('archive', `a zip entry is packed by method ${method}. Known are 0 and 8.`);
  const file = decode(bytes.subarray(start, start + entry.readUInt32LE(20)));
  if (file.length !== entry.readUInt32LE(24)) refuse('a zip file', bytes);
  return file;
}

const BLOCK = 512;

/** A gzipped tar file: blocks of 512 bytes, a header before each file's data; names as npm writes them, below `package/`. */
export function readTarGz(bytes: Buffer): Archive {
  const tar = gunzipSync(bytes);
  const files = new Map<string, () => Buffer>();
  for (let at = 0; at + BLOCK <= tar.length && tar[at] !== 0; ) {
    const name = text(tar, at, 100);
    const size = Number.parseInt(text(tar, at + 124, 12), 8);
    if (!Number.isInteger(size)) refuse('a tar file', bytes);
    const start = at + BLOCK;
    files.set(name, () => tar.subarray(start, start + size));
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

/** A field that a zero byte or its length ends. */
function text(bytes: Buffer, start: number, length: number): string {
  return bytes.toString('utf8', start, start + length).replace(/\0.*$/s, '');
}

function refuse(kind: string, bytes: Buffer): never {
  throw new Seq2SeqError('archive', `these ${bytes.length} bytes are not ${kind}. Download it again.`);
}
