import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openWeights } from './open.js';

const fixtures = path.resolve(import.meta.dirname, '../../tests/fixtures/checkpoints');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'torch-file-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

function open(bytes: Buffer) {
  const place = path.join(scratch, 'x.bin');
  fs.writeFileSync(place, bytes);
  const { weights, close } = openWeights(place);
  close();
  return [...weights.values()].map(({ name, shape, dtype }) => ({ name, shape, dtype }));
}

const text = (value: string) => `X${String.fromCharCode(value.length)}\0\0\0${value}`;
const byte = (value: number) => `K${String.fromCharCode(value)}`;
const tuple = (values: number[]) => `(${values.map(byte).join('')}t`;

/** A file of the old kind with one float32 tensor `w`, written by hand. */
function oldKind(change: Partial<typeof good> = {}): Buffer {
  const { magic, little, type, id, offset, shape, strides, length, keys, stored, extra } = { ...good, ...change };
  const persistent = `(${text('storage')}c${type}\n${text(id)}${text('cpu')}${byte(length)}NtQ`;
  const tensor = `ctorch._utils\n_rebuild_tensor_v2\n(${persistent}${byte(offset)}${tuple(shape)}${tuple(strides)}\x89}tR`;
  const pickles = [
    `\x80\x02\x8a\x0a${magic}.`,
    '\x80\x02M\xe9\x03.',
    `\x80\x02}${text('little_endian')}${little ? '\x88' : '\x89'}s.`,
    `\x80\x02}(${text('w')}${tensor}${extra}u.`,
    `\x80\x02](${keys.map(text).join('')}e.`,
  ];
  const count = Buffer.alloc(8);
  count.writeBigInt64LE(BigInt(stored));
  return Buffer.concat([
    Buffer.from(pickles.join(''), 'latin1'),
    ...keys.map(() => Buffer.concat([count, Buffer.alloc(24)])),
  ]);
}

const good = {
  magic: '\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19',
  little: true,
  type: 'torch\nFloatStorage',
  id: '7',
  offset: 0,
  shape: [2, 3],
  strides: [3, 1],
  length: 6,
  keys: ['7'],
  stored: 6,
  extra: '',
};

test('the good file opens; entries that are no tensors are left out', () => {
  expect(open(oldKind())).toEqual([{ name: 'w', shape: [2, 3], dtype: 'float32' }]);
  expect(open(oldKind({ extra: `${text('step')}K\x05${text('hooks')}}` }))).toHaveLength(1);
});

test.each<[string, Partial<typeof good>, RegExp]>([
  [
    'another magic number',
    { magic: '\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x18' },
    /is not a file that torch\.save wrote/,
  ],
  ['big-endian', { little: false }, /was not written in little-endian byte order\. Convert/],
  [
    'a complex tensor',
    { type: 'torch\nComplexFloatStorage' },
    /wants to run code: its pickle names torch\.ComplexFloatStorage/,
  ],
  ['a type that is none', { type: 'collections\nOrderedDict' }, /describes a storage in a way that cannot be read/],
  [
    'a shape beyond its storage',
    { shape: [3, 3] },
    /has w as shape \[3, 3\], strides \[3, 1\] from element 0 of a storage with 6,/,
  ],
  ['strides beyond it', { strides: [4, 1] }, /strides \[4, 1\] from element 0 of a storage with 6, which does not fit/],
  ['an offset beyond it', { offset: 1 }, /from element 1 of a storage with 6, which does not fit/],
  [
    'an empty tensor beyond it',
    { offset: 7, shape: [0], strides: [1] },
    /from element 7 of a storage with 6, which does not fit/,
  ],
  ['more strides than axes', { strides: [3, 1, 1] }, /strides \[3, 1, 1\] from element 0/],
  ['another length stored', { stored: 5 }, /has 5 elements in the storage 7, its weights are made for 6/],
  ['a negative length stored', { stored: -1 }, /has -1 elements in the storage 7/],
  ['data cut off', { length: 60, stored: 60 }, /ends at byte \d+, its storage 7 reaches to \d+\. Download it again/],
  ['a storage not listed', { keys: [] }, /lacks the storage 7/],
  ['a storage of another name', { keys: ['8'] }, /lists a storage that no weight uses/],
  ['a storage listed twice', { keys: ['7', '7'] }, /or lists one twice/],
])('old kind: %s', (_, change, message) => {
  expect(() => open(oldKind(change))).toThrow(message);
});

/** Replaces each `from` in a fixture by as many other bytes. */
function zipWith(from: string, to: string): Buffer {
  const bytes = fs.readFileSync(path.join(fixtures, 'torch/pytorch_model.bin'), 'latin1');
  expect(bytes).toContain(from);
  return Buffer.from(bytes.replaceAll(from, to), 'latin1');
}

test.each<[string, Buffer, RegExp]>([
  [
    'no pickle',
    zipWith('data.pkl', 'data.txt'),
    /is a zip file without data\.pkl\. Give a file written by torch\.save/,
  ],
  ['a storage missing', zipWith('/data/3', '/data/x'), /lacks its entry pytorch_model\/data\/3/],
  ['an entry twice', zipWith('/data/3', '/data/2'), /has two entries named pytorch_model\/data\/2/],
  ['big-endian', zipWith('little', 'big   '), /was written in big-endian byte order/],
  [
    'compressed',
    zipWith('PK\x01\x02\0\0\0\0\x08\x08\0\0', 'PK\x01\x02\0\0\0\0\x08\x08\x08\0'),
    /keeps pytorch_model\/data\.pkl compressed/,
  ],
  [
    'no entry',
    zipWith('PK\x03\x04\0\0\x08\x08', 'PK\x03\x04\0\0\x08\x08').subarray(0, 100),
    /without the table of contents that ends/,
  ],
  [
    'local headers gone',
    zipWith('PK\x03\x04', 'PK\x03\x05').fill('PK\x03\x04', 0, 4),
    /does not have pytorch_model\/\S+ at byte \d+/,
  ],
])('zip kind: %s', (_, bytes, message) => {
  expect(() => open(bytes)).toThrow(message);
});

test.each([
  ['a list', ']', /does not hold a dictionary of weights\. Save the state_dict/],
  ['nothing', '}', /holds 0 entries and no weight among them/],
])('%s instead of weights', (_, state, message) => {
  const bytes = oldKind({ keys: [] }).toString('latin1');
  const [start, end] = [bytes.indexOf('\x80\x02}(X\x01'), bytes.lastIndexOf('\x80\x02]')];
  expect(() => open(Buffer.from(`${bytes.slice(0, start)}\x80\x02${state}.${bytes.slice(end)}`, 'latin1'))).toThrow(
    message,
  );
});
