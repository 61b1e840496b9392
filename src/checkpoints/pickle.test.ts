import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { InputFile } from './input-file.js';
import { readPickle } from './pickle.js';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'pickle-'));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

/** Reads a pickle given as Latin-1 text, as pickletools prints opcodes. */
function unpickle(text: string | Buffer): unknown {
  const place = path.join(scratch, 'x.pkl');
  fs.writeFileSync(place, typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  const file = new InputFile(place);
  try {
    const globals = new Map([['collections.OrderedDict', () => new Map()]]);
    return readPickle(file, 0, file.size, { globals, persistent: (id) => ({ id }) }).value;
  } finally {
    file.close();
  }
}

test.each<[string, string, unknown]>([
  ['None, booleans', '\x80\x02N\x88\x89\x87.', [null, true, false]],
  ['integers', '(K\xffM\xff\xffJ\xfe\xff\xff\xfft.', [255, 65535, -2]],
  ['long integers', '(\x8a\x00\x8a\x01\xff\x8a\x02\xff\x00\x8a\x05\x00\x00\x00\x00\x01t.', [0, -1, 255, 2 ** 32]],
  ['a larger integer', '\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.', 2n ** 64n],
  ['floats', 'G\xbf\xf8\x00\x00\x00\x00\x00\x00.', -1.5],
  ['text', '(X\x02\x00\x00\x00\xc3\xa4\x8c\x01bU\x01cT\x01\x00\x00\x00dt.', ['ä', 'b', 'c', 'd']],
  ['lists', ']K\x01a(K\x02K\x03e.', [1, 2, 3]],
  [
    'dictionaries',
    '}K\x01K\x02s(K\x03K\x04K\x05K\x06u.',
    new Map([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
  ],
  ['tuples in tuples', 'K\x01\x85K\x02\x86.', [[1], 2]],
  [
    'the memo',
    '\x95\0\0\0\0\0\0\0\0(K\x07q\x05K\x08\x94h\x05h\x01K\x09r\x00\x01\x00\x00j\x00\x01\x00\x00t.',
    [7, 8, 7, 8, 9, 9],
  ],
  ['a call, attributes dropped', 'ccollections\nOrderedDict\n)R}b.', new Map()],
  ['a global from the stack', '\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.', new Map()],
  ['a persistent id', 'K\x05Q.', { id: 5 }],
])('%s', (_, text, value) => {
  expect(unpickle(text)).toEqual(value);
});

describe('refused', () => {
  test.each<[string, string, RegExp]>([
    ['an empty file', '', /has a pickle that needs 1 bytes more, 0 are left for it \(at byte 0\)/],
    ['no end', 'N', /needs 1 bytes more, 0 are left/],
    ['text beyond the file', 'X\xff\xff\xff\xff', /needs 4294967295 bytes more, 0 are left/],
    ['a global without end', 'cposix', /needs 1 bytes more/],
    ['an unknown global', 'cposix\nsystem\n.', /wants to run code: its pickle names posix\.system,/],
    ['an unknown global of odd parts', ')N\x93.', /names a global by what is no text/],
    ['an unknown global that would paint the terminal', 'c\x1b[1m\nx\n.', /its pickle names \?\[1m\.x,/],
    ['an unknown opcode', '\x81.', /uses opcode 0x81, which torch\.save does not write/],
    ['an empty stack', '.', /takes a value from an empty stack/],
    ['no mark', 't.', /goes back to a mark that it has not set/],
    ['an unknown memo', 'h\x01.', /recalls value 1, which it has not stored/],
    ['a call of data', '))R.', /calls what is no function/],
    ['appending to data', 'NNa.', /appends to what is no list/],
    ['appending to the empty tuple', ')Na.', /appends to what is no list/],
    ['items of data', 'NNNs.', /sets items of what is no dictionary/],
    ['half an item', '}(Nu.', /sets items of what is no dictionary/],
  ])('%s', (_, text, message) => {
    expect(() => unpickle(text)).toThrow(message);
  });

  test.each([
    ['dictionaries', '}', /makes more than 262144 lists and dictionaries/],
    ['lists', ']', /makes more than 262144 lists and dictionaries/],
    ['nested tuples', '\x85', /needs 1 bytes more, 0 are left/],
    ['marks', '(', /needs 1 bytes more, 0 are left/],
  ])('5 MB of %s', (_, opcode, message) => {
    expect(() => unpickle(Buffer.concat([Buffer.from('N'), Buffer.alloc(5_000_000, opcode, 'latin1')]))).toThrow(
      message,
    );
  });
});
