import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Seq2SeqModel } from '../../src/index.js';
import { COMMIT } from './server.js';
import { hubForEachTest } from './setup.js';

const rag = (...parts: string[]) => fileURLToPath(new URL(['../fixtures/rag', ...parts].join('/'), import.meta.url));
const hub = hubForEachTest();

/** A directory of the fixtures as a repository. */
function serve(id: string, directory: string): void {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(path.join(directory, name)).isFile());
  const contents = files.map((name) => [name, readFileSync(path.join(directory, name))] as const);
  hub.server.repositories.set(id, { commit: COMMIT, files: Object.fromEntries(contents) });
}

it('a RAG and its context encoder come by their names, and are not asked for again', async () => {
  serve('org/rag', rag('token'));
  serve('org/context', rag('context_encoder'));
  const load = (localFilesOnly: boolean) =>
    Seq2SeqModel.load({
      encoderDecoderType: 'rag-token',
      encoderDecoderName: 'org/rag',
      dprCtxEncoderModelName: 'org/context',
      knowledgeDataset: rag('knowledge.tsv'),
      ...{ endpoint: hub.server.url, cacheDir: hub.cacheDir, localFilesOnly },
      args: { silent: true, outputDir: path.join(hub.folder, 'out'), splitTextN: 12, maxLength: 14, lengthPenalty: 1 },
    });
  const expected = JSON.parse(readFileSync(rag('token', 'expected.json'), 'utf8')) as {
    generation: { greedy: { texts: string[][] } };
  };
  const questions = readFileSync(rag('token', 'input.txt'), 'utf8').trimEnd().split('\n');
  for (const localFilesOnly of [false, true]) {
    const before = hub.server.seen.length;
    const model = await load(localFilesOnly);
    expect(await model.predict(questions)).toEqual(expected.generation.greedy.texts.flat());
    model.dispose();
    if (localFilesOnly) expect(hub.server.seen).toHaveLength(before);
  }
});
