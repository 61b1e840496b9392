import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixture, temporaryFolder } from '../support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const app = temporaryFolder();
const installed = join(app, 'node_modules', 'simple-seq2seq');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  bin: { seq2seq: string };
  dependencies: Record<string, string>;
};

/** Runs Node in a project that has the package, as npm would put it there, and the packages it depends on alone. */
function node(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: app, encoding: 'utf8', input });
  expect(status, stderr).toBe(0);
  return stdout;
}

beforeAll(() => {
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', app], { cwd: root });
  const [tarball] = readdirSync(app).filter((name) => name.endsWith('.tgz'));
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(app, tarball!), '--strip-components=1', '-C', installed]);
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(app, 'node_modules', name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(app, 'node_modules', name), 'dir');
  }
  writeFileSync(join(app, 'package.json'), '{"type": "module"}');
});

describe('the packed package', () => {
  it('has what it needs and nothing of its workshop', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((file) =>
      file.replaceAll('\\', '/'),
    );
    expect(files).toEqual(
      expect.arrayContaining([
        'README.md',
        'CHANGELOG.md',
        'LICENSE',
        'dist/src/kernels/worker.mjs',
        'dist/src/tokenizers/workers/worker.js',
      ]),
    );
    expect(files.filter((file) => /\.test\.|\.map$|fixtures|op-examples|^(src|bench|tests)\//.test(file))).toEqual([]);
    expect(existsSync(join(installed, manifest.bin.seq2seq))).toBe(true);
  });

  it('runs its command line', () => {
    const seq2seq = join(installed, manifest.bin.seq2seq);
    expect(readFileSync(seq2seq, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(JSON.parse(node([seq2seq, 'doctor', '--json']))).toMatchObject({ ok: true });
    const model = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', fixture('base')];
    const answers = node([seq2seq, 'predict', ...model, '--json'], 'snow\ntea\n')
      .trimEnd()
      .split('\n');
    expect(answers.map((line) => JSON.parse(line) as unknown)).toEqual([
      { outputs: [expect.any(String)] },
      { outputs: [expect.any(String)] },
    ]);
  });

  it('is imported by name, with its types', { timeout: 180_000 }, () => {
    const use = (body: string) => `
      import { Seq2SeqError, Seq2SeqModel } from 'simple-seq2seq';
      const model = await Seq2SeqModel.load({
        encoderDecoderType: 'bart',
        encoderDecoderName: ${JSON.stringify(fixture('base'))},
        args: { silent: true, numBeams: 2, saveModelEveryEpoch: false },
      });
      ${body}`;
    const script = use(`
      const { globalStep } = await model.trainModel([{ input_text: 'tea', target_text: 'hot' }], { outputDir: 'out' });
      const answers = await model.predict(['snow']);
      console.log(globalStep, answers.length, Seq2SeqError.name);
      model.dispose();`);
    writeFileSync(join(app, 'use.mjs'), script);
    expect(node(['use.mjs'])).toBe('1 1 Seq2SeqError\n');

    const typed = use(`
      const answers: string[] | string[][] = await model.predict(['snow']);
      // @ts-expect-error a text is no list of texts
      await model.predict(answers.length === 0 ? 'snow' : 'tea');`);
    writeFileSync(join(app, 'use.ts'), typed);
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', ...types];
    expect(node([join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...options, 'use.ts'])).toBe('');
  });
});
