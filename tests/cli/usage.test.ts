import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support.js';
import { runIn } from './program.js';

const bart = ['--encoder-decoder-type', 'bart', '--encoder-decoder-name', 'nowhere'];
const folder = temporaryFolder();

const seq2seq = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => runIn(folder, args, { env });

function file(name: string, content: string | object): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** Bad usage: code 2, nothing on stdout, one line on stderr. */
function expectUsage(args: readonly string[], message: string) {
  expect(seq2seq(args)).toEqual({ status: 2, stdout: '', stderr: `${message}\n` });
}

describe('help', () => {
  it('lists the commands', () => {
    const { status, stdout } = seq2seq(['--help']);
    expect(status).toBe(0);
    for (const command of ['train', 'eval', 'predict', 'doctor', 'options'])
      expect(stdout).toContain(`\n  ${command} `);
  });

  it('shows with each command the options that it uses and that work', () => {
    const train = seq2seq(['train', '--help']).stdout;
    for (const flag of ['--train-data <file>', '--learning-rate <x>', '--no-save ', '--config <file>'])
      expect(train).toContain(flag);
    for (const flag of ['--n-gpu', '--num-beams']) expect(train).not.toContain(flag);
    const predict = seq2seq(['predict', '--help']).stdout;
    for (const flag of ['--num-beams <n>', '--no-repeat-ngram-size <n>', '--no-skip-special-tokens'])
      expect(predict).toContain(flag);
    expect(predict).not.toContain('--learning-rate');
  });

  it('prints the version', () => {
    expect(seq2seq(['--version'])).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
  });

  it('prints the table of options', () => {
    const { status, stdout } = seq2seq(['options']);
    expect(status).toBe(0);
    expect(stdout).toContain('| `numBeams` | `num_beams` |');
  });
});

describe('bad usage', () => {
  it('of commands', () => {
    const { status, stdout, stderr } = seq2seq([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('Commands:');
    expectUsage(['trian'], "seq2seq: unknown command 'trian'. Did you mean train?");
    expectUsage(
      ['predict', ...bart, 'text'],
      "predict: too many arguments for 'predict'. Expected 0 arguments but got 1. See seq2seq predict --help.",
    );
  });

  it('of flags', () => {
    expectUsage(['train', '--max-lenght', '3'], "train: unknown option '--max-lenght'. Did you mean --max-length?");
    expectUsage(
      ['train', '--wandb-projct', '3'],
      "train: unknown option '--wandb-projct'. Did you mean --wandb-project?",
    );
    expectUsage(['train', ...bart], 'train: which rows? Give --train-data FILE.');
    expectUsage(['eval', ...bart], 'eval: which rows? Give --eval-data FILE.');
    expectUsage(
      ['predict', '--max-length'],
      "predict: option '--max-length <n>' argument missing. See seq2seq predict --help.",
    );
  });

  it.each([
    [['--max-length', 'abc'], '--max-length is "abc"; it must be a whole number, at least 1.'],
    [['--no-repeat-ngram-size', '1.5'], '--no-repeat-ngram-size is "1.5"; it must be a whole number, at least 0.'],
    [['--early-stopping', 'perhaps'], '--early-stopping is "perhaps"; it must be true, false or "never".'],
    [['--threads', '2', '--thread-count', '2'], '"threads" and "threadCount" are one option, given twice. Keep one.'],
    [['--n-gpu', '4'], '--n-gpu is 4, but training runs on the CPU; `threads` says on how many cores. Leave it at 1.'],
  ])('of values: %j', (flags, message) => {
    expectUsage(['predict', ...bart, ...flags], `predict: ${message}`);
  });

  it('of the choice of a model', () => {
    const message =
      'predict: which model? Give --encoder-decoder-type with --encoder-decoder-name NAME, or --encoder-type with ' +
      '--encoder-name and --decoder-name, or a type with --model-config FILE for a fresh one.';
    for (const flags of [[], bart.slice(2)]) expectUsage(['predict', ...flags], message);
    const ways =
      'Give encoderDecoderType with encoderDecoderName, or encoderType with encoderName and decoderName, or a type with a config.';
    expectUsage(['predict', ...bart.slice(0, 2)], `model: no name and no config is given. ${ways}`);
    expectUsage(['predict', '--encoder-type', 'bert', '--encoder-name', 'a'], `model: decoderName is missing. ${ways}`);
    expectUsage(
      ['predict', ...bart, '--encoder-type', 'bert'],
      `model: encoderDecoderType bart and encoderType bert contradict. ${ways}`,
    );
    expectUsage(
      ['predict', '--encoder-decoder-type', 'brat', '--encoder-decoder-name', 'a'],
      'model: there is no model type "brat". Did you mean bart? Known: bart, mbart, mbart50, marian, bert, roberta, ' +
        'distilbert, camembert, electra, rag-token, rag-sequence.',
    );
    expectUsage(
      ['predict', ...bart, '--model-config', 'none.json'],
      '--model-config: cannot read none.json: no such file or directory. Check the path.',
    );
  });

  it('of a file of options', () => {
    const predict = (path: string) => ['predict', ...bart, '--config', path];
    expectUsage(predict('none.json'), '--config: cannot read none.json: no such file or directory. Check the path.');
    const unknown = file('unknown.json', { max_length: 5, num_beems: 3 });
    expectUsage(predict(unknown), `${unknown}: there is no option "num_beems". Did you mean "num_beams"?`);
    const wrong = file('wrong.json', { numBeams: '3' });
    expectUsage(predict(wrong), `${wrong}: numBeams is "3"; it must be a whole number, at least 1.`);
    const list = file('list.json', []);
    expectUsage(predict(list), `--config: ${list} must hold one JSON object.`);
    const broken = seq2seq(predict(file('broken.json', '{')));
    expect(broken.status).toBe(2);
    expect(broken.stderr).toMatch(/^--config: .*broken\.json is not JSON: /);
  });
});

describe('failures', () => {
  it('tell the message alone, or with DEBUG=seq2seq where it came from', () => {
    const args = ['predict', ...bart, '--input', 'none.txt'];
    const message = 'predict: cannot read none.txt: no such file or directory. Check the path.';
    expect(seq2seq(args)).toEqual({ status: 1, stdout: '', stderr: `${message}\n` });
    const { status, stderr } = seq2seq(args, { DEBUG: 'seq2seq' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/none\.txt.*\n +at /);
  });

  it('are found before the model is loaded', () => {
    const rows = file('rows.tsv', 'input_text\ttarget_text\na\tb\n');
    for (const args of [
      ['train', ...bart, '--train-data', 'none.tsv'],
      ['train', ...bart, '--train-data', rows, '--eval-data', 'none.tsv'],
      ['eval', ...bart, '--eval-data', 'none.tsv'],
    ]) {
      const { status, stderr } = seq2seq(args);
      expect(status).toBe(1);
      expect(stderr).toContain('cannot read none.tsv: no such file or directory');
    }
    expect(seq2seq(['predict', ...bart, '--output', 'no/folder.txt'])).toEqual({
      status: 1,
      stdout: '',
      stderr:
        "predict: cannot write no/folder.txt: no such file or directory. Check the path, its rights and the disk's space.\n",
    });
  });

  it('leave no file behind', () => {
    const { status } = seq2seq(['predict', ...bart, '--output', 'answers.txt']);
    expect(status).toBe(1);
    expect(existsSync(join(folder, 'answers.txt'))).toBe(false);
  });
});

describe('doctor', () => {
  it('says what is there, and that the engine computes', () => {
    const { status, stdout } = seq2seq(['doctor', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: true,
      node: process.version,
      packages: { koffi: expect.stringMatching(/^\d/) },
      engine: { version: expect.stringMatching(/^1\./) },
    });
    expect(seq2seq(['doctor']).stdout).toContain('ok = true\n');
  });
});
