import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../tests/support.js';
import type { Passage } from '../passage.js';
import { findDataset, openDataset, writeDatasetFiles, writeShard } from './index.js';

const fixtures = fileURLToPath(new URL('../../../tests/fixtures/datasets', import.meta.url));
const { passages, embeddings } = JSON.parse(readFileSync(join(fixtures, 'rows.json'), 'utf8')) as {
  passages: Passage[];
  embeddings: number[][];
};
const folder = temporaryFolder();
let made = 0;

/** A dataset of one of the fixture's streams. */
function datasetOf(stream: string): string {
  const place = join(folder, `dataset-${made++}`);
  mkdirSync(place);
  cpSync(join(fixtures, `${stream}.arrow`), join(place, 'data.arrow'));
  writeFileSync(join(place, 'state.json'), '{"_data_files": [{"filename": "data.arrow"}]}');
  return place;
}

function read(place: string) {
  const dataset = openDataset(place);
  const ids = Array.from({ length: dataset.count }, (_, id) => id);
  const result = {
    passages: dataset.passages(ids),
    embeddings: dataset.dimension && ids.map((id) => [...dataset.vectors([id])]),
    batched: dataset.dimension && [...dataset.vectorBatches(4)].flatMap((batch) => [...batch]),
  };
  dataset.close();
  return result;
}

function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
}

describe('a dataset of the datasets library', () => {
  it.each(['large', 'views', 'half', 'no-titles', 'batches-of-none', 'others', 'deltas', 'replaced'])(
    'is read as it was saved: %s',
    (stream) => {
      const found = read(datasetOf(stream));
      const untitled = passages.map(({ text }) => ({ title: '', text }));
      expect(found.passages).toEqual(stream === 'no-titles' ? untitled : passages);
      expect(found.embeddings).toEqual(embeddings);
      expect(found.batched).toEqual(embeddings.flat());
    },
  );

  it('may have several files, other columns, another order, or no embeddings', () => {
    expect(read(join(fixtures, 'saved'))).toEqual({ passages, embeddings, batched: embeddings.flat() });
    expect(read(join(fixtures, 'reversed')).passages).toEqual(passages.toReversed());
    expect(read(join(fixtures, 'reversed')).embeddings).toEqual(embeddings.toReversed());
    const texts = join(fixtures, 'texts-only');
    expect(read(texts)).toEqual({ passages, embeddings: undefined, batched: undefined });
    expect(message(() => openDataset(texts, { requireEmbeddings: true }))).toContain('has no column embeddings');
  });

  it('gives passages in the order asked, and none that it lacks', () => {
    const dataset = openDataset(join(fixtures, 'saved'));
    expect(dataset.passages([8, 0, 8])).toEqual([passages[8], passages[0], passages[8]]);
    expect(message(() => dataset.passages([9]))).toContain('there is no passage 9');
    expect(message(() => dataset.vectors([-1]))).toContain('there is no passage -1');
    dataset.close();
  });

  it('is found in the directory that RagRetriever saves, with its index', () => {
    const place = join(folder, 'retriever');
    cpSync(join(fixtures, 'saved'), join(place, 'hf_dataset'), { recursive: true });
    writeFileSync(join(place, 'hf_dataset_index.faiss'), '');
    const found = { dataset: join(place, 'hf_dataset'), index: join(place, 'hf_dataset_index.faiss') };
    expect(findDataset(place)).toEqual(found);
  });
});

describe('bad datasets', () => {
  it.each([
    ['bad-null', /row 6/],
    ['bad-element', /row 5/],
    ['bad-uneven', /row 7/],
    ['bad-first', /row 0|no numbers|width/],
    ['bad-nan', /NaN/],
    ['bad-infinite', /Infinity/],
    ['bad-integers', /int/i],
    ['bad-nested', /list/i],
    ['bad-title', /title/],
    ['bad-columns', /has no column text; its columns are passage/],
    ['bad-empty', /no rows/],
    ['bad-utf8', /UTF-8/],
    ['bad-lz4', /lz4|compress/i],
    ['bad-zstd', /zstd|compress/i],
    ['bad-file', /file format|stream/],
  ])('%s is refused, by what is wrong with it', (stream, expected) => {
    const said = message(() => read(datasetOf(stream)));
    expect(said).toMatch(/^knowledge: /);
    expect(said).toMatch(expected);
  });

  it('is refused wherever a file is cut', () => {
    const place = datasetOf('others');
    const file = join(place, 'data.arrow');
    const bytes = readFileSync(file);
    fc.assert(
      fc.property(fc.nat(bytes.length - 9), (length) => {
        writeFileSync(file, bytes.subarray(0, length));
        expect(message(() => read(place))).toMatch(/^knowledge: /);
      }),
      { numRuns: 100 },
    );
  });

  it('never fails but by an error of its own, whatever a byte is changed to', () => {
    const place = datasetOf('half');
    const file = join(place, 'data.arrow');
    const bytes = readFileSync(file);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        writeFileSync(file, changed);
        expect(message(() => read(place))).toMatch(/^(knowledge: .*|no error)$/s);
      }),
      { numRuns: 200 },
    );
  });

  it('says what a directory is, if it is no dataset', () => {
    expect(message(() => openDataset(join(fixtures, 'dict')))).toMatch(/several datasets .*dict\/train, .*dict\/test/);
    expect(message(() => openDataset(folder))).toContain('is no dataset');
    expect(message(() => openDataset(join(folder, 'none')))).toContain('does not exist');
    expect(message(() => openDataset(join(fixtures, 'rows.json')))).toContain('is a file');
    const place = datasetOf('half');
    const state = join(place, 'state.json');
    writeFileSync(state, '{"_data_files": [{"filename": "gone.arrow"}]}');
    expect(message(() => openDataset(place))).toContain('gone.arrow is missing, one of the 1 Arrow files');
    writeFileSync(state, '{"_data_files": [{"filename": "../x"}]}');
    expect(message(() => openDataset(place))).toContain('where the name of an Arrow file is due');
    writeFileSync(state, '{"_data_files"');
    expect(message(() => openDataset(place))).toMatch(/^knowledge: /);
    writeFileSync(state, '{"_data_files": [], "_indices_data_files": [{"filename": "indices.arrow"}]}');
    expect(message(() => openDataset(place))).toContain('is a selection of rows');
  });
});

describe('writing', () => {
  it('any passages come back, from as many files as there are', async () => {
    const passage = fc.record({ title: fc.string({ unit: 'grapheme' }), text: fc.string({ unit: 'grapheme' }) });
    const shards = fc.array(fc.array(passage, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(shards, fc.integer({ min: 1, max: 4 }), async (some, dimension) => {
        const place = join(folder, `written-${made++}`);
        mkdirSync(place);
        const files = [];
        const numbers: number[] = [];
        for (const [i, own] of some.entries()) {
          const file = `data-${i}.arrow`;
          const vectors = Float32Array.from({ length: own.length * dimension }, (_, at) => numbers.length + at / 3);
          numbers.push(...vectors);
          await writeShard(join(place, file), { passages: own, embeddings: vectors, dimension });
          files.push({ file, rows: own.length, bytes: statSync(join(place, file)).size });
        }
        await writeDatasetFiles(place, files);
        const found = read(place);
        expect(found.passages).toEqual(some.flat());
        expect(found.batched).toEqual(numbers);
        expect(readdirSync(place).sort()).toEqual([
          ...files.map(({ file }) => file),
          'dataset_info.json',
          'state.json',
        ]);
      }),
      { numRuns: 20 },
    );
  });
});
