import type { InputFile } from './input-file.js';

// The parts of a zip file that torch.save writes: entries stored without compression, found through the central directory at
// the end, with zip64 fields where a size or position needs more than 32 bits. Section numbers are those of PKWARE's APPNOTE.

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Of the entry's data. */
  readonly position: number;
}

const signatures = {
  local: 0x04034b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
};
const endLength = 22;
const longestComment = 0xffff;
const in64Bits = 0xffffffff;
/** A few hundred bytes an entry would allow a million of them; more is damage. */
const longestDirectory = 1 << 28;

export function readZip(file: InputFile): Map<string, ZipEntry> {
  const { count, start, length } = findDirectory(file);
  if (start + length > file.size) {
    file.refuse(`ends at byte ${file.size}, its table of contents is said to reach to ${start + length}`);
  }
  if (length > longestDirectory) file.refuse(`announces a table of contents of ${length} bytes`);
  const directory = file.bytes(start, length);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const damaged = () => file.refuse(`has a damaged table of contents: its entry ${i + 1} of ${count} cannot be read`);
    if (at + 46 > length || directory.readUInt32LE(at) !== signatures.central) damaged();
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28);
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
    if (extraEnd > length) damaged();
    const name = directory.toString('utf8', at + 46, nameEnd);
    const [size, stored, header] = wideFields(
      [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)],
      directory.subarray(nameEnd, extraEnd),
    ) as [number, number, number];
    const encrypted = directory.readUInt16LE(at + 8) & 1;
    if (directory.readUInt16LE(at + 10) !== 0 || stored !== size || encrypted) {
      file.refuse(
        `keeps ${name} compressed or encrypted, which torch.save never does`,
        'Save it again with torch.save.',
      );
    }
    if (entries.has(name)) file.refuse(`has two entries named ${name}`);
    entries.set(name, { name, size, position: dataPosition(file, name, header, size) });
    at = extraEnd + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/** §4.3.16, and §4.3.14–15 for zip64. */
function findDirectory(file: InputFile): { count: number; start: number; length: number } {
  const tailStart = Math.max(0, file.size - endLength - longestComment);
  const tail = file.bytes(tailStart, file.size - tailStart);
  let at = tail.length - endLength;
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === signatures.end && at + endLength + tail.readUInt16LE(at + 20) === tail.length)
  ) {
    at--;
  }
  if (at < 0) file.refuse(`ends at byte ${file.size} without the table of contents that ends a zip file`);

  const locator = tailStart + at - 20;
  if (locator >= 0) {
    const pointer = file.bytes(locator, 20);
    if (pointer.readUInt32LE(0) === signatures.locator64) {
      const position = Number(pointer.readBigUInt64LE(8));
      const end = position + 56 <= locator ? file.bytes(position, 56) : undefined;
      if (end?.readUInt32LE(0) !== signatures.end64) return file.refuse('has a damaged zip64 record at its end');
      const [count, length, start] = [32, 40, 48].map((field) => Number(end.readBigUInt64LE(field))) as [
        number,
        number,
        number,
      ];
      return { count, start, length };
    }
  }
  return { count: tail.readUInt16LE(at + 10), length: tail.readUInt32LE(at + 12), start: tail.readUInt32LE(at + 16) };
}

/** §4.5.3: those of the fields that hold 0xffffffff stand, in this order, in the extra field 1. */
function wideFields(fields: number[], extra: Buffer): number[] {
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
  at += 4;
  return fields.map((field) => {
    if (field !== in64Bits || at + 8 > extra.length) return field;
    at += 8;
    return Number(extra.readBigUInt64LE(at - 8));
  });
}

/** Behind the local header (§4.3.7), whose name and extra field have their own lengths. */
function dataPosition(file: InputFile, name: string, header: number, size: number): number {
  const local = header + 30 <= file.size ? file.bytes(header, 30) : undefined;
  if (local?.readUInt32LE(0) !== signatures.local)
    return file.refuse(`does not have ${name} at byte ${header}, where it should be`);
  const position = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (position + size > file.size) {
    file.refuse(`ends at byte ${file.size}, its entry ${name} is said to reach to ${position + size}`);
  }
  return position;
}
