import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type LoadOptions, Seq2SeqModel } from '../../src/index.js';
import { COMMIT, type Repository } from '../hub/server.js';
import { hubForEachTest } from '../hub/setup.js';
import { fixture, linesOf } from '../support.js';

const bert = fileURLToPath(new URL('../fixtures/encoder-decoder/bert', import.meta.url));
const hub = hubForEachTest();

/** A repository of a directory's files, weights stored as large files. */
function repositoryOf(directory: string, token?: string): Repository {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  );
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))]));
  const large = names.filter((name) => name.endsWith('model.safetensors'));
  return { commit: COMMIT, files, large, ...(token !== undefined && { token }) };
}

const load = (options: LoadOptions) =>
  Seq2SeqModel.load({
    endpoint: hub.server.url,
    cacheDir: hub.cacheDir,
    ...options,
    args: { silent: true, threads: 2, ...options.args },
  });

const predictions = async (model: Seq2SeqModel, texts: readonly string[]) => {
  const answers = await model.predict(texts);
  model.dispose();
  return answers;
};

describe('a model by its name on the hub', () => {
  it('is fetched once, with the files that are needed; afterwards no network is', async () => {
    hub.server.repositories.set('org/bart', repositoryOf(fixture('base')));
    const name = { encoderDecoderType: 'bart', encoderDecoderName: 'org/bart' };
    const expected = await predictions(await load({ ...name, encoderDecoderName: fixture('base') }), linesOf('base'));
    const model = await load(name);
    expect(model.args.modelName).toBe('org/bart');
    expect(await predictions(model, linesOf('base'))).toEqual(expected);
    const fetched = hub.server.seen.filter(({ method }) => method === 'GET').map(({ path }) => path);
    expect(fetched.some((path) => path.includes('train.tsv'))).toBe(false);

    hub.server.seen.length = 0;
    expect(await predictions(await load({ ...name, localFilesOnly: true }), linesOf('base'))).toEqual(expected);
    expect(hub.server.seen).toEqual([]);
  });

  it('may be a directory of two halves, or two models', async () => {
    hub.server.repositories.set('org/both', repositoryOf(bert));
    hub.server.repositories.set('org/encoder', repositoryOf(join(bert, 'encoder')));
    hub.server.repositories.set('org/decoder', repositoryOf(join(bert, 'decoder')));
    const texts = ['one two three', 'a house'];
    const expected = await predictions(await load({ encoderType: 'bert', encoderDecoderName: bert }), texts);
    const both = await load({ encoderType: 'bert', encoderDecoderName: 'org/both' });
    expect(await predictions(both, texts)).toEqual(expected);
    const halves = await load({ encoderType: 'bert', encoderName: 'org/encoder', decoderName: 'org/decoder' });
    expect(halves.args.modelName).toBe('org/encoder-org/decoder');
    expect(await predictions(halves, texts)).toEqual(expected);
  });

  it('needs a token where the repository is private, and a name that exists', async () => {
    hub.server.repositories.set('org/secret', repositoryOf(fixture('base'), 'hf_secret'));
    const name = { encoderDecoderType: 'bart', encoderDecoderName: 'org/secret' };
    await expect(load(name)).rejects.toThrow(/^hub: .*org\/secret.*token/s);
    await expect(load({ ...name, encoderDecoderName: 'org/none' })).rejects.toThrow(/^hub: .*org\/none/);
    const model = await load({ ...name, token: 'hf_secret' });
    expect(await predictions(model, ['a'])).toHaveLength(1);
  });
});
