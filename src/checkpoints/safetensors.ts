import { fail } from '../errors.js';
import { elementTypeNames, elementTypes } from './element-types.js';
import type { InputFile } from './input-file.js';
import { isJsonObject, type JsonValue, parseJsonObject, showJson } from './json.js';
import { contiguousStrides, isNatural, isNaturals, StoredWeight, sizeOf } from './weight.js';

// A safetensors file is: u64 header length · JSON header · data. The header maps each name to
// { dtype, shape, data_offsets: [begin, end] }, counted from the end of the header; the data has neither gaps nor overlaps.
// https://github.com/huggingface/safetensors#format

/** The limit that the format sets. */
const longestHeader = 100_000_000;

const typesByCode = new Map<string, (typeof elementTypeNames)[number]>(
  elementTypeNames.map((name) => [elementTypes[name].safetensors, name]),
);

interface Extent {
  name: string;
  begin: number;
  end: number;
}

/** The weights of a safetensors file; the whole header is checked, no data is read. */
export function readSafetensors(file: InputFile): StoredWeight[] {
  if (file.size < 8) file.refuse(`ends at byte ${file.size}, before its header`);
  const headerLength = Number(file.bytes(0, 8).readBigUInt64LE());
  if (headerLength > longestHeader) {
    file.refuse(`announces a header of ${headerLength} bytes, more than the ${longestHeader} of the format`);
  }
  const dataStart = 8 + headerLength;
  if (dataStart > file.size) file.refuse(`ends at byte ${file.size}, within its header of ${headerLength} bytes`);
  const header = parseJsonObject(file, file.bytes(8, headerLength), { uniqueKeys: true });

  const extents: Extent[] = [];
  const weights = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => {
      const { dtype, shape, begin, end } = checkEntry(file, name, entry);
      extents.push({ name, begin, end });
      return new StoredWeight(name, shape, dtype, {
        file,
        position: dataStart + begin,
        strides: contiguousStrides(shape),
      });
    });
  checkExtents(file, extents, dataStart);
  return weights;
}

function checkEntry(file: InputFile, name: string, entry: JsonValue) {
  const { dtype: code, shape, data_offsets: offsets } = isJsonObject(entry) ? entry : {};
  const dtype = typeof code === 'string' ? typesByCode.get(code) : undefined;
  if (dtype === undefined) {
    return file.refuse(
      `holds ${name} as ${showJson(code)}, an unknown element type`,
      `Convert it to one of ${[...typesByCode.keys()].join(', ')}.`,
    );
  }
  if (!isNaturals(shape)) return file.refuse(`gives ${name} the shape ${showJson(shape)}`);
  if (!isNaturals(offsets) || offsets.length !== 2) {
    return file.refuse(`gives ${name} the offsets ${showJson(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = sizeOf(shape) * elementTypes[dtype].bytes;
  if (!isNatural(bytes) || end - begin !== bytes) {
    file.refuse(`gives ${name} ${end - begin} bytes, its shape [${shape.join(', ')}] in ${code} takes ${bytes}`);
  }
  return { dtype, shape, begin, end };
}

function checkExtents(file: InputFile, extents: Extent[], dataStart: number): void {
  let previous: Extent = { name: 'the header', begin: 0, end: 0 };
  for (const extent of extents.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (extent.begin < previous.end) {
      file.refuse(
        `lets ${extent.name} begin at ${extent.begin}, where ${previous.name} ends at ${previous.end}: they overlap`,
      );
    }
    if (extent.begin > previous.end) {
      file.refuse(
        `has ${extent.begin - previous.end} bytes between ${previous.name} and ${extent.name} that belong to no weight`,
      );
    }
    previous = extent;
  }
  const end = dataStart + previous.end;
  if (end > file.size) file.refuse(`ends at byte ${file.size}, its header promises ${end}`);
  if (end < file.size) file.refuse(`goes on to byte ${file.size}, its header describes ${end}`);
}

export interface TensorToSave {
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major; may be a view of shared memory. */
  readonly data: Float32Array | Uint8Array;
}

/** The pieces of a safetensors file, in order; those of wider numbers first, then by name, as Python's library writes them. */
export function safetensorsPieces(tensors: Iterable<TensorToSave>): NodeJS.ArrayBufferView[] {
  const sorted = [...tensors].sort(
    (a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (a.name < b.name ? -1 : 1),
  );
  // Without a prototype, so that any name is just a key.
  const header: Record<string, unknown> = Object.create(null);
  header.__metadata__ = { format: 'pt' };
  let offset = 0;
  for (const { name, shape, data } of sorted) {
    if (name in header) fail('checkpoint', `the weight name ${name} occurs twice. Give every weight its own name.`);
    if (!isNaturals(shape) || sizeOf(shape) !== data.length) {
      fail(
        'checkpoint',
        `${name} has ${data.length} elements, its shape [${shape.join(', ')}] takes ${sizeOf(shape)}. Mend one.`,
      );
    }
    const dtype = data instanceof Float32Array ? 'F32' : 'U8';
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(text.length / 8) * 8, ' ');
  text.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return [length, padded, ...sorted.map(({ data }) => data)];
}
