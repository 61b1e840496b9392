import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fixture, readJson, readLog, temporaryFolder } from '../support.js';
import { runIn } from './program.js';

const folder = temporaryFolder();
const bart = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', fixture('base')];
const input = fixture('base', 'input.txt');
const lines = readFileSync(input, 'utf8').replace(/\n$/, '').split('\n');

const seq2seq = (args: readonly string[], stdin?: string | Uint8Array) =>
  runIn(folder, args, stdin === undefined ? {} : { input: stdin });

/** What a command prints that must succeed. */
function printed(args: readonly string[], stdin?: string | Uint8Array): string {
  const { status, stdout, stderr } = seq2seq(args, stdin);
  expect(status, stderr).toBe(0);
  return stdout;
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('seq2seq train', () => {
  const train = ['train', ...bart, '--train-data', fixture('base', 'train.tsv')];

  it('trains, evaluates and saves; progress goes to stderr, the result to stdout', () => {
    const evaluating = ['--eval-data', fixture('base', 'eval.tsv'), '--output-dir', 'trained'];
    const options = ['--num-train-epochs', '2', '--train-batch-size', '4', '--learning-rate', '0.003', '--json'];
    const { status, stdout, stderr } = seq2seq([
      ...train,
      ...evaluating,
      ...options,
      '--manual-seed',
      '1',
      '--logging-steps',
      '1',
    ]);
    expect(status, stderr).toBe(0);
    const result = JSON.parse(stdout) as Record<string, number>;
    expect(result).toEqual({ global_step: 4, training_loss: expect.any(Number), eval_loss: expect.any(Number) });
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(stderr).toMatch(/^Rows {9}8\nSources .* none cut at maxSeqLength 128\nTargets .*\nExample {6}<s>the cat/m);
    expect(stderr).toMatch(/^Steps {8}4 in 2 epochs, batches of 4 rows$/m);
    expect(stderr).toMatch(
      /^Training {2}━+ {2}4\/4 {2}loss \d+\.\d{4} {2}lr \S+ {2}(\S+ tok\/s {2})?epoch 2\/2 {2}0:0\d$/m,
    );
    expect(stderr).toMatch(/^Evaluating .* 5\/5/m);

    const outputDir = join(folder, 'trained');
    expect(readdirSync(outputDir)).toEqual(
      expect.arrayContaining(['checkpoint-2-epoch-1', 'checkpoint-4-epoch-2', 'eval_results.txt', 'model.safetensors']),
    );
    expect(readLog(outputDir)).toHaveLength(4);
    expect(readFileSync(join(outputDir, 'eval_results.txt'), 'utf8')).toBe(`eval_loss = ${result.eval_loss}\n`);
    expect(readJson(join(outputDir, 'model_args.json'))).toMatchObject({ num_train_epochs: 2, learning_rate: 0.003 });

    // What was saved is what was evaluated.
    const trained = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', 'trained'];
    const again = printed([
      'eval',
      ...trained,
      '--eval-data',
      fixture('base', 'eval.tsv'),
      '--output-dir',
      'again',
      '--json',
    ]);
    expect(JSON.parse(again)).toEqual({ eval_loss: result.eval_loss });
  });

  it('prints names and values without --json, and nothing beside them when silent', () => {
    const { status, stdout, stderr } = seq2seq([
      ...train,
      '--output-dir',
      'plain',
      '--no-save-model-every-epoch',
      '--silent',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^global_step = 1\ntraining_loss = \d+\.\d+\n$/);
  });

  it('takes options from a file, in camelCase or as in Python, and flags before them', () => {
    const config = file('options.json', JSON.stringify({ num_train_epochs: 3, trainBatchSize: 8, learning_rate: 0.5 }));
    const flags = [
      '--config',
      config,
      '--learning-rate',
      '0',
      '--output-dir',
      'configured',
      '--no-save',
      '--json',
      '--silent',
    ];
    expect(JSON.parse(printed([...train, ...flags]))).toMatchObject({ global_step: 3 });
    expect(readdirSync(join(folder, 'configured'))).toEqual(['training_log.jsonl']);
  });

  it('starts a fresh model from a config and a tokenizer', () => {
    const config = file('fresh.json', JSON.stringify({ ...readJson(fixture('base', 'config.json')), d_model: 24 }));
    const fresh = ['--encoder-decoder-type', 'bart', '--model-config', config, '--tokenizer-name', fixture('base')];
    const data = ['--train-data', fixture('base', 'train.tsv'), '--output-dir', 'fresh', '--json', '--silent'];
    expect(JSON.parse(printed(['train', ...fresh, ...data]))).toMatchObject({ global_step: 1 });
    expect(readJson(join(folder, 'fresh', 'config.json'))).toMatchObject({ d_model: 24, model_type: 'bart' });
  });

  it('does not touch a directory that has something in it', () => {
    mkdirSync(join(folder, 'mine'));
    file('mine/notes.txt', 'mine');
    expect(seq2seq([...train, '--output-dir', 'mine'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'outputDir: mine exists and is not empty. Name another directory, or set overwriteOutputDir.\n',
    });
    expect(readdirSync(join(folder, 'mine'))).toEqual(['notes.txt']);
    printed([...train, '--output-dir', 'mine', '--overwrite-output-dir', '--no-save-model-every-epoch', '--silent']);
    expect(readdirSync(join(folder, 'mine'))).toContain('model.safetensors');
  });
});

describe('seq2seq eval', () => {
  const evaluate = ['eval', ...bart, '--eval-data', fixture('base', 'eval.tsv')];

  it('prints one object with eval_loss, and writes eval_results.txt', () => {
    const { status, stdout, stderr } = seq2seq([...evaluate, '--output-dir', 'evaluated', '--json']);
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^\{"eval_loss":\d+\.\d+\}\n$/);
    const { eval_loss } = JSON.parse(stdout) as { eval_loss: number };
    expect(readFileSync(join(folder, 'evaluated', 'eval_results.txt'), 'utf8')).toBe(`eval_loss = ${eval_loss}\n`);
    expect(readdirSync(join(folder, 'evaluated'))).toEqual(['eval_results.txt']);
    expect(printed([...evaluate, '--output-dir', 'evaluated', '--silent'])).toBe(`eval_loss = ${eval_loss}\n`);
  });

  it('gives the mean over tokens, whatever the batch', () => {
    const losses = ['1', '2', '64'].map((size) => {
      const result = printed([...evaluate, '--output-dir', 'sizes', '--json', '--eval-batch-size', size]);
      return (JSON.parse(result) as { eval_loss: number }).eval_loss;
    });
    for (const loss of losses) expect(Math.abs(loss / losses[0]! - 1)).toBeLessThan(1e-6);
  });

  it('reads CSV and JSONL as well', () => {
    const rows = readFileSync(fixture('base', 'eval.tsv'), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t'));
    const csv = file(
      'rows.csv',
      ['target_text,id,input_text', ...rows.map(([a, b], i) => `"${b}",${i},"${a}"`), ''].join('\r\n'),
    );
    const jsonl = file(
      'rows.jsonl',
      rows.map(([input_text, target_text]) => `${JSON.stringify({ input_text, target_text })}\n`).join(''),
    );
    const lossOf = (data: string) => printed(['eval', ...bart, '--eval-data', data, '--output-dir', 'kinds', '--json']);
    const expected = lossOf(fixture('base', 'eval.tsv'));
    expect([lossOf(csv), lossOf(jsonl)]).toEqual([expected, expected]);
  });
});

describe('seq2seq predict', () => {
  const predict = ['predict', ...bart, '--max-length', '16'];
  const json = printed([...predict, '--input', input, '--json']);

  it('answers each line with one JSON object, the empty one included, on stdout or in a file', () => {
    const answers = json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(answers).toEqual(lines.map(() => ({ outputs: [expect.any(String)] })));
    expect(lines).toContain('');
    const { status, stdout } = seq2seq([...predict, '--input', input, '--output', 'answers.jsonl', '--json']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(readFileSync(join(folder, 'answers.jsonl'), 'utf8')).toBe(json);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('reads stdin, with or without a last newline, from Unix or Windows', () => {
    const text = readFileSync(input, 'utf8');
    expect(printed([...predict, '--json'], text)).toBe(json);
    expect(printed([...predict, '--json'], text.replace(/\n$/, ''))).toBe(json);
    expect(printed([...predict, '--json'], text.replaceAll('\n', '\r\n'))).toBe(json);
  });

  it('prints plain lines without --json', () => {
    const answers = json
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { outputs: [string] }).outputs[0]);
    expect(printed([...predict, '--input', input])).toBe(answers.map((answer) => `${answer}\n`).join(''));
  });

  it('gives several answers to each text', () => {
    const several = ['--num-beams', '4', '--num-return-sequences', '2'];
    const lists = printed([...predict, ...several, '--input', input, '--json'])
      .trimEnd()
      .split('\n');
    expect(lists.map((line) => JSON.parse(line) as unknown)).toEqual(
      lines.map(() => ({ outputs: [expect.any(String), expect.any(String)] })),
    );
    expect(printed([...predict, ...several, '--input', input]).split('\n')).toHaveLength(2 * lines.length + 1);
  });

  it('keeps stderr for progress and the warning that answers were cut, and both away when silent', () => {
    const { stderr } = seq2seq([...predict, '--input', input, '--max-length', '4']);
    expect(stderr).toMatch(/^Predicting {2}8 {2}/m);
    expect(stderr).toMatch(/^predict: \d+% of the answers were cut at maxLength 4\. Raise it to get them whole\.$/m);
    expect(seq2seq([...predict, '--input', input, '--max-length', '4', '--silent']).stderr).toBe('');
  });

  it('answers a line of 1 MB', () => {
    const long = printed([...predict, '--max-seq-length', '48', '--json'], `${'snow '.repeat(200_000)}\nsnow\n`);
    expect(long.trimEnd().split('\n')).toHaveLength(2);
  });

  it('answers more lines than it takes at once, in their order', () => {
    const many = Array.from({ length: 90 }, () => lines).flat();
    const answers = printed(
      [...predict, '--json', '--eval-batch-size', '32'],
      many.map((line) => `${line}\n`).join(''),
    );
    expect(answers).toBe(json.repeat(90));
  });
});

describe('seq2seq export', () => {
  it('writes ONNX files of a directory, whatever its type', () => {
    expect(seq2seq(['export', fixture('base'), '--output', 'onnx'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(join(folder, 'onnx')).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'merges.txt',
      'onnx',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'vocab.json',
    ]);
    expect(readdirSync(join(folder, 'onnx', 'onnx'))).toEqual(['decoder_model_merged.onnx', 'encoder_model.onnx']);
  });

  const mbart50 = fileURLToPath(new URL('../fixtures/translation/mbart50', import.meta.url));

  it('takes the languages of texts and answers', () => {
    const args = ['export', mbart50, '--output', 'german', '--src-lang', 'de_DE', '--tgt-lang', 'fr_XX'];
    expect(seq2seq(args)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readJson(join(folder, 'german', 'tokenizer_config.json'))).toMatchObject({
      src_lang: 'de_DE',
      tgt_lang: 'fr_XX',
    });
  });

  it.each([
    [['export', fixture('base')], 2, 'export: where to? Give --output DIR.'],
    [['export', fixture('base'), '--output', 'onnx'], 1, 'export: onnx exists and is not empty.'],
    [['export', 'nowhere', '--output', 'o'], 1, 'model: there is no directory nowhere. Check the path.'],
    [['export', '.', '--output', 'o'], 1, 'has no config.json'],
    [
      ['export', mbart50, '--output', 'o', '--src-lang', 'german'],
      1,
      'tokenizer: the language is "german", which is no',
    ],
  ])('%j is refused', (args, status, message) => {
    const result = seq2seq(args);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(message);
  });
});

describe('a failure ends with code 1, one line on stderr, nothing on stdout and no file:', () => {
  const header = 'input_text\ttarget_text\n';
  const badUtf8 = Buffer.concat([Buffer.from('fine\n'), Buffer.from([0xc3, 0x28, 10])]);
  const data: [string, string, string | Uint8Array, string][] = [
    [
      'an empty table',
      'empty.tsv',
      '',
      'data: empty.tsv is empty. It needs a first line that names the columns input_text and target_text.',
    ],
    [
      'a header alone',
      'header.tsv',
      header,
      'data: there are no rows. Give at least one, with input_text and target_text.',
    ],
    [
      'other columns',
      'other.tsv',
      'source\ttarget\na\tb\n',
      'data: other.tsv has no column input_text; its first line names "source", "target". It needs input_text and target_text.',
    ],
    [
      'invalid UTF-8',
      'bad.tsv',
      Buffer.concat([Buffer.from(header), badUtf8]),
      'data: bad.tsv is not valid UTF-8 at byte 28, line 3 (0xc3). Convert it to UTF-8, or name its encoding.',
    ],
  ];
  it.each(data)('of train and eval on %s', (_, name, content, message) => {
    file(name, content);
    for (const [command, flag] of [
      ['train', '--train-data'],
      ['eval', '--eval-data'],
    ] as const) {
      const result = seq2seq([command, ...bart, flag, name, '--output-dir', 'never', '--silent']);
      expect(result).toEqual({ status: 1, stdout: '', stderr: `${message}\n` });
      expect(existsSync(join(folder, 'never'))).toBe(false);
    }
  });

  it.each([
    ['no lines', '', [], 'predict: stdin has no lines. Give one text a line.'],
    [
      'invalid UTF-8',
      badUtf8,
      [],
      'data: the input stream is not valid UTF-8 at byte 5, line 2 (0xc3). Convert it to UTF-8, or name its encoding.',
    ],
    [
      'a length beyond the positions',
      'a\n',
      ['--max-length', '50'],
      'generation: maxLength is 50, but the model has 48 positions. Set at most 49.',
    ],
    [
      'a text beyond the positions',
      `${'word '.repeat(60)}\n`,
      [],
      'predict: text 0 has 128 tokens, but the model has 48 positions. Lower maxSeqLength to 48.',
    ],
  ] as [string, string | Uint8Array, string[], string][])('of predict on %s', (_, stdin, flags, message) => {
    const result = seq2seq(['predict', ...bart, ...flags, '--output', 'answers.txt', '--silent'], stdin);
    expect(result).toEqual({ status: 1, stdout: '', stderr: `${message}\n` });
    expect(readdirSync(folder).filter((name) => name.startsWith('answers.txt'))).toEqual([]);
  });

  it('of any command on a model that is not there, or of another type', () => {
    const model = (type: string, name: string) => ['--encoder-decoder-type', type, '--encoder-decoder-name', name];
    expect(seq2seq(['predict', ...model('bart', './nowhere')], 'a\n')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringMatching(/^model: there is no directory ".\/nowhere" \(looked at .*\), nor .* the hub/),
    });
    expect(seq2seq(['predict', ...model('marian', fixture('base'))], 'a\n')).toEqual({
      status: 1,
      stdout: '',
      stderr: `model: ${fixture('base')} holds a bart, not a marian. Give bart as its type.\n`,
    });
  });

  it('of a full device', () => {
    const result = seq2seq(['predict', ...bart, '--output', '/dev/full', '--silent'], 'a\n');
    expect(result).toEqual({
      status: 1,
      stdout: '',
      stderr:
        "predict: cannot write /dev/full: no space left on device. Check the path, its rights and the disk's space.\n",
    });
  });
});

describe('options that do not fit together once the model is known', () => {
  it('are bad usage', () => {
    expect(seq2seq(['predict', ...bart, '--num-return-sequences', '2'], 'a\n')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('args: numReturnSequences is 2, but a search with 1 beam(s)'),
    });
  });
});
