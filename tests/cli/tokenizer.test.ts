import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../src/index.js';
import { readJson, temporaryFolder } from '../support.js';
import { runIn } from './program.js';

const folder = temporaryFolder();
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return name;
};
const lines = Array.from(
  { length: 60 },
  (_, i) => `the ${['old', 'new', 'odd'][i % 3]} story number ${i} begins again`,
);
const words = Array.from({ length: 60 }, (_, i) => `die Geschichte ${i} beginnt wieder`);
const plain = file('texts.txt', `${lines.join('\n')}\n`);
const table = file('rows.tsv', `input_text\ttarget_text\n${lines.map((line, i) => `${line}\t${words[i]}\n`).join('')}`);
const json = file(
  'rows.jsonl',
  lines.map((line, i) => `${JSON.stringify({ input_text: line, target_text: words[i] })}\n`).join(''),
);

const train = (...args: string[]) => runIn(folder, ['tokenizer', 'train', ...args]);
const bpe = (...args: string[]) => train('--type', 'bpe', '--vocab-size', '400', ...args);

describe('seq2seq tokenizer train', () => {
  it('trains a tokenizer and saves it', () => {
    const { status, stdout, stderr } = bpe('--input', plain, '--output-dir', 'bpe');
    expect(status, stderr).toBe(0);
    const directory = join(folder, 'bpe');
    const tokenizer = loadTokenizer(directory, 'bart');
    expect(stdout).toBe(`output_dir = bpe\nvocab_size = ${tokenizer.vocabSize}\n`);
    expect(stderr).toMatch(/^Reading {2}60 {2}/);
    expect(stderr).toContain(`the vocabulary has ${tokenizer.vocabSize} tokens, not 400`);
    expect(readdirSync(directory)).toEqual(expect.arrayContaining(['merges.txt', 'tokenizer.json', 'vocab.json']));
    expect(tokenizer.encode('story', { addSpecialTokens: false }).length).toBeLessThan(5);
    expect(tokenizer.decode(tokenizer.encode('ein Text ☃'), { skipSpecialTokens: true })).toBe('ein Text ☃');
  });

  it('reads several files, both columns of tables or one, and says what it made as JSON', () => {
    const sizes = [
      ['--input', plain],
      ['--input', table, '--column', 'input_text'],
      ['--input', json, '--column', 'input_text'],
      ['--input', table],
      ['--input', plain, json],
    ].map((args, i) => {
      const { status, stdout, stderr } = bpe(...args, '--output-dir', `sized-${i}`, '--json', '--silent');
      expect(status, stderr).toBe(0);
      return JSON.parse(stdout) as { vocab_size: number; output_dir: string };
    });
    const [text, first, jsonFirst, both] = sizes.map(({ vocab_size }) => vocab_size);
    expect(first).toBe(text);
    expect(jsonFirst).toBe(text);
    expect(both).toBeGreaterThan(text!);
    expect(sizes[0]!.output_dir).toBe('sized-0');
    const target = bpe('--input', table, '--column', 'target_text', '--output-dir', 'target', '--silent');
    expect(target.status).toBe(0);
    const vocabularies = ['sized-0', 'sized-1', 'target'].map((name) => readFileSync(join(folder, name, 'vocab.json')));
    expect(vocabularies[1]).toEqual(vocabularies[0]);
    expect(vocabularies[2]).not.toEqual(vocabularies[0]);
  });

  it('lowers the case of a WordPiece tokenizer', () => {
    const lowered = ['--type', 'wordpiece', '--lowercase', '--vocab-size', '120', '--min-frequency', '3'];
    const { status, stderr } = train(...lowered, '--input', plain, '--output-dir', 'lowered', '--silent');
    expect(status, stderr).toBe(0);
    const tokenizer = loadTokenizer(join(folder, 'lowered'), 'bert');
    expect(tokenizer.encode('THE STORY')).toEqual(tokenizer.encode('the story'));
    expect(tokenizer.decode(tokenizer.encode('The Story'))).toBe('[CLS] the story [SEP]');
    expect(readJson(join(folder, 'lowered', 'tokenizer_config.json'))).toMatchObject({
      tokenizer_class: 'BertTokenizer',
      do_lower_case: true,
    });
  });

  it('keeps what is in a directory unless told to overwrite, and then leaves nothing of another tokenizer', () => {
    mkdirSync(join(folder, 'full'));
    file('full/vocab.txt', '[PAD]\n');
    file('full/notes.txt', 'mine');
    const refused = bpe('--input', plain, '--output-dir', 'full');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toBe(
      'tokenizer: full has 2 files. Name another directory, or allow it with --overwrite-output-dir.\n',
    );
    expect(bpe('--input', plain, '--output-dir', 'full', '--overwrite-output-dir', '--silent').status).toBe(0);
    expect(readdirSync(join(folder, 'full'))).toEqual(expect.arrayContaining(['notes.txt', 'vocab.json']));
    expect(existsSync(join(folder, 'full', 'vocab.txt'))).toBe(false);
    expect(readJson(join(folder, 'full', 'tokenizer_config.json'))).toHaveProperty('tokenizer_class', 'BartTokenizer');
  });

  it.each([
    [
      'a vocabulary too small',
      ['--input', plain, '--vocab-size', '100'],
      /^tokenizer: a vocabulary of 100 is too small: .* are 261 tokens/m,
    ],
    ['a file that is no UTF-8', ['--input', file('latin.txt', Buffer.from('caf\xe9\n', 'latin1'))], /not valid UTF-8/],
    ['a table without columns', ['--input', file('one.tsv', 'text\nx\n')], /has no column input_text/],
    ['an empty file', ['--input', file('empty.txt', '')], /tokenizer: the 0 texts to train on have no words/],
    ['a file that is not there', ['--input', 'nowhere.txt'], /cannot read nowhere.txt: no such file/],
  ] as const)('fails at %s, with nothing written', (_, args, message) => {
    const { status, stdout, stderr } = bpe('--output-dir', 'failed', ...args);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'failed'))).toBe(false);
  });

  it.each([
    [
      ['--vocab-size', '400', '--input', plain, '--output-dir', 'x'],
      /which kind\? Give --type bpe, wordpiece, unigram/,
    ],
    [['--type', 'bpe', '--vocab-size', '400', '--output-dir', 'x'], /which texts\? Give --input/],
    [['--type', 'bpe', '--input', plain, '--output-dir', 'x'], /how many tokens\? Give --vocab-size/],
    [['--type', 'bpe', '--input', plain, '--vocab-size', '400'], /where to\? Give --output-dir/],
    [['--type', 'bpe', '--input', plain, '--vocab-size', '4e2', '--output-dir', 'x'], /--vocab-size: it is "4e2"/],
    [
      ['--type', 'bpe', '--input', plain, '--vocab-size', '400', '--output-dir', 'x', '--model-type', 'bert'],
      /a bert has no bpe tokenizer/,
    ],
    [
      ['--type', 'bpe', '--input', plain, '--vocab-size', '400', '--output-dir', 'x', '--lowercase'],
      /a bpe tokenizer keeps capitals/,
    ],
    [['--type', 'wordpeace', '--input', plain], /Allowed choices are bpe, wordpiece, unigram/],
    [['--type', 'bpe', '--vocab', '400'], /unknown option '--vocab'/],
    [
      ['--type', 'bpe', '--input', plain, '--vocab-size', '400', '--output-dir', 'x', '--column', 'input_text'],
      /texts.txt has no columns. Give a table to --column/,
    ],
  ] as const)('takes %j for bad usage', (args, message) => {
    const { status, stdout, stderr } = train(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });

  it('has its own help, which errors name', () => {
    const { status, stdout } = train('--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: seq2seq tokenizer train/);
    expect(train('--nonsense').stderr).toContain('See seq2seq tokenizer train --help.');
    expect(runIn(folder, ['tokenizer', 'trian']).stderr).toContain('Did you mean train?');
  });
});
