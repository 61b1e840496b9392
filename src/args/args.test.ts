import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkArgs,
  defaultArgs,
  fromPythonJson,
  type OptionName,
  optionFromText,
  optionNames,
  optionOf,
  optionsMarkdown,
  parseArgs,
  pythonName,
  spellings,
  toPythonJson,
  updateArgs,
} from './index.js';

const fixture = new URL('../../tests/fixtures/args/model_args.json', import.meta.url);
const python: Record<string, unknown> = JSON.parse(readFileSync(fixture, 'utf8'));

/** Entries of the fixture that are no options of ours: see the list in python-json.ts. */
const foreign = ['model_class', 'loss_type', 'loss_args', 'trust_remote_code'];

const withStatus = (...kinds: string[]) => optionNames.filter((name) => kinds.includes(optionOf(name).status.kind));

describe('the table', () => {
  it('has every option of Simple Transformers under its name', () => {
    const known = new Set(optionNames.map(pythonName));
    expect(Object.keys(python).filter((name) => !known.has(name) && !foreign.includes(name))).toEqual([]);
  });

  it('has the defaults of Simple Transformers, but for those that it says are others', () => {
    const differing = optionNames.filter((name) => {
      const theirs = python[pythonName(name)];
      if (theirs === undefined || optionOf(name).python.local) return false;
      const told = 'default' in optionOf(name).python ? optionOf(name).python.default : optionOf(name).default;
      return JSON.stringify(told ?? null) !== JSON.stringify(theirs);
    });
    // Documented as 8 there, though the code says 100.
    expect(differing).toEqual(['evalBatchSize']);
  });

  it('gives every option a default of its type, a sentence, and for those not supported a reason', () => {
    for (const name of optionNames) {
      const { type, default: initial, description, status } = optionOf(name);
      expect(type.safeParse(initial).success, name).toBe(true);
      expect(description, name).toMatch(/^[A-Z].*\.$/);
      if ('reason' in status) expect(status.reason, name).toMatch(/^\S.*[^.]$/);
    }
  });

  it('has one owner for each spelling', () => {
    const all = optionNames.flatMap(spellings);
    expect(new Set(all).size).toBe(all.length);
  });

  it('is what docs/options.md shows', () => {
    const shown = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8');
    expect(shown, 'write it anew: node dist/src/cli/main.js options > docs/options.md').toBe(optionsMarkdown());
    const rows = shown.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.length).toBe(optionNames.length);
    for (const row of rows) expect(row.split(' | ').length, row).toBe(6);
  });
});

describe('parseArgs', () => {
  it('fills in the defaults', () => {
    expect(parseArgs()).toEqual(defaultArgs);
    expect(parseArgs({ numBeams: 4 })).toEqual({ ...defaultArgs, numBeams: 4 });
  });

  it('takes names as Python spells them, and other names that the reference knows', () => {
    expect(parseArgs({ num_train_epochs: 3, thread_count: 2, include_title_in_knowledge_dataset: true })).toEqual({
      ...defaultArgs,
      numTrainEpochs: 3,
      threads: 2,
      includeTitleInCorpus: true,
    });
    expect(parseArgs({ threadCount: 2 }).threads).toBe(2);
  });

  it('takes undefined as not given, and null as unset', () => {
    const base = parseArgs({ manualSeed: 7, maxLength: 9 });
    expect(updateArgs(base, { manualSeed: undefined, maxLength: undefined })).toEqual(base);
    expect(updateArgs(base, { manualSeed: null }).manualSeed).toBeUndefined();
    expect(() => updateArgs(base, { maxLength: null })).toThrow(
      'args: maxLength is null; it must be a whole number, at least 1.',
    );
  });

  it.each([
    ['maxLenght', 'maxLength'],
    ['max_seq_lenght', 'max_seq_length'],
    ['numbeams', 'numBeams'],
    ['lerning_rate', 'learning_rate'],
  ])('suggests for %s the nearest name', (wrong, right) => {
    expect(() => parseArgs({ [wrong]: 1 })).toThrow(`args: there is no option "${wrong}". Did you mean "${right}"?`);
  });

  it.each<[OptionName, unknown, string]>([
    ['maxLength', '20', 'maxLength is "20"; it must be a whole number, at least 1.'],
    ['maxLength', 0, 'maxLength is 0; it must be a whole number, at least 1.'],
    ['maxLength', 2.5, 'maxLength is 2.5; it must be a whole number, at least 1.'],
    ['learningRate', Number.NaN, 'learningRate is NaN; it must be a number, at least 0.'],
    ['learningRate', 1n, 'learningRate is of type bigint; it must be a number, at least 0.'],
    ['doSample', 'yes', 'doSample is "yes"; it must be true or false.'],
    ['adamBetas', [0.9], 'adamBetas is [0.9]; it must be two numbers from 0 to below 1.'],
    ['earlyStopping', 'always', 'earlyStopping is "always"; it must be true, false or "never".'],
    ['optimizer', 'SGD', 'optimizer is "SGD"; it must be one of AdamW, Adafactor.'],
    ['config', [1], 'config is [1]; it must be an object.'],
    ['topP', 1.5, 'topP is 1.5; it must be a number above 0, at most 1.'],
    ['manualSeed', -1, 'manualSeed is -1; it must be a whole number from 0 to 4294967295.'],
    ['notSavedArgs', 'all', 'notSavedArgs is "all"; it must be a list of names.'],
  ])('refuses %s a wrong value: %s', (name, value, message) => {
    expect(() => parseArgs({ [name]: value })).toThrow(`args: ${message}`);
  });

  it('refuses what is no object, and one option under two names', () => {
    for (const input of ['maxLength', 3, null, [1]])
      expect(() => parseArgs(input)).toThrow('args: options are an object');
    expect(() => parseArgs({ maxLength: 3, max_length: 4 })).toThrow('"maxLength" and "max_length" are one option');
  });

  it('refuses more answers than the search ends with', () => {
    expect(() => parseArgs({ numReturnSequences: 3, numBeams: 2 })).toThrow('numReturnSequences is 3');
    expect(parseArgs({ numReturnSequences: 3, doSample: true }).numReturnSequences).toBe(3);
    expect(parseArgs({ numReturnSequences: 3, numBeams: 3 }).numReturnSequences).toBe(3);
    // Alone it cannot be judged: the beams may come from elsewhere.
    expect(checkArgs({ numReturnSequences: 3 })).toEqual({ numReturnSequences: 3 });
  });

  it('never takes an unsupported option at another value than its default, and always at that', () => {
    for (const name of withStatus('refused')) {
      const { default: initial, status } = optionOf(name);
      expect(parseArgs({ [name]: initial })).toEqual(defaultArgs);
      const honoured = 'reason' in status ? (status.honoured ?? []) : [];
      for (const value of otherValues(name).filter((each) => !honoured.includes(each))) {
        expect(() => parseArgs({ [name]: value }), `${name} = ${JSON.stringify(value)}`).toThrow(/, but .+\. Leave it/);
      }
    }
  });

  it('says why it does not take an option, and what to leave it at', () => {
    expect(() => parseArgs({ n_gpu: 4 })).toThrow(
      'args: n_gpu is 4, but training runs on the CPU; `threads` says on how many cores. Leave it at 1.',
    );
    expect(() => parseArgs({ datasetClass: 'MyDataset' })).toThrow(/Pass the rows themselves, .* Leave it out\.$/);
  });

  it('never fails but with an error of its own', () => {
    const key = fc.oneof(fc.constantFrom(...optionNames), fc.string());
    fc.assert(
      fc.property(fc.dictionary(key, fc.anything()), (input) => {
        try {
          expect(Object.keys(parseArgs(input)).sort()).toEqual([...optionNames].sort());
        } catch (error) {
          expect((error as Error).name).toBe('Seq2SeqError');
          expect((error as Error).message).toMatch(/^args: /);
        }
      }),
    );
  });
});

/** Values of an option's type that are not its default. */
function otherValues(name: OptionName): unknown[] {
  const { type, default: initial } = optionOf(name);
  const candidates = [true, false, 3, 5, 0.25, 'Adafactor', 'constant_schedule', 'x/', [1, 2], [{}], { a: 1 }];
  const values = candidates.filter(
    (value) => type.safeParse(value).success && JSON.stringify(value) !== JSON.stringify(initial),
  );
  expect(values.length, name).toBeGreaterThan(0);
  return values;
}

describe('optionFromText', () => {
  it.each<[OptionName, string, unknown]>([
    ['maxLength', '30', 30],
    ['maxSteps', '-1', -1],
    ['learningRate', '1e-4', 1e-4],
    ['adamBetas', '0.8,0.95', [0.8, 0.95]],
    ['adamBetas', '[0.8, 0.95]', [0.8, 0.95]],
    ['outputDir', '123', '123'],
    ['earlyStopping', 'never', 'never'],
    ['earlyStopping', 'false', false],
    ['doSample', 'true', true],
    ['notSavedArgs', 'outputDir, silent', ['outputDir', 'silent']],
    ['config', '{"dropout": 0}', { dropout: 0 }],
    ['manualSeed', '5', 5],
  ])('reads --%s %s', (name, written, value) => {
    expect(optionFromText(name, written, 'train')).toEqual(value);
  });

  it.each<[OptionName, string, string]>([
    ['maxLength', 'abc', 'train: --max-length is "abc"; it must be a whole number, at least 1.'],
    ['maxLength', '', 'train: --max-length is ""; it must be'],
    ['warmupSteps', ' ', 'train: --warmup-steps is " "; it must be'],
    ['config', '{', 'train: --config is "{"; it must be an object.'],
    ['nGpu', '4', 'train: --n-gpu is 4, but '],
  ])('refuses --%s %j', (name, written, message) => {
    expect(() => optionFromText(name, written, 'train')).toThrow(message);
  });
});

describe('model_args.json', () => {
  it('loads as Simple Transformers writes it, without a word', () => {
    const { args, warnings } = fromPythonJson(python);
    expect(warnings).toEqual([]);
    expect(parseArgs(args)).toEqual({ ...defaultArgs, evalBatchSize: 100 });
  });

  it('is written as Simple Transformers writes it, with our own options besides', () => {
    const written = toPythonJson(parseArgs({ evalBatchSize: 100 }));
    const { process_count, multiprocessing_chunksize, dataloader_num_workers, tokenizer_name, ...rest } = python;
    const { loss_type, loss_args, trust_remote_code, ...expected } = rest;
    const ours = {
      max_target_length: null,
      max_new_tokens: null,
      min_length: null,
      min_new_tokens: null,
      bad_words: [],
      prefix: null,
      forced_bos_token: null,
      forced_eos_token: null,
      num_beam_groups: null,
      diversity_penalty: null,
      min_p: null,
      typical_p: null,
      no_repeat_ngram_size: null,
      temperature: null,
      label_smoothing: 0,
      batch_tokens: null,
      max_bad_steps: 10,
      metrics: [],
      save_total_limit: null,
      rag_hide_padding: false,
    };
    expect(JSON.parse(JSON.stringify(written))).toEqual({ ...expected, ...ours });
  });

  it('gives back what was saved', () => {
    const record = {
      numTrainEpochs: 4,
      manualSeed: 3,
      threads: 2,
      earlyStopping: 'never',
      adamBetas: [0.8, 0.9],
      config: { dropout: 0 },
    };
    const args = parseArgs({ ...record, modelName: 'here', modelType: 'bart', topP: 0.5, doSample: true });
    const { args: read, warnings } = fromPythonJson(JSON.parse(JSON.stringify(toPythonJson(args))));
    expect(warnings).toEqual([]);
    expect(parseArgs(read)).toEqual(args);
  });

  it('leaves out what notSavedArgs names, in either spelling, and what belongs to a place', () => {
    const args = parseArgs({ notSavedArgs: ['outputDir', 'max_length'], tokenizerName: 'here' });
    const written = Object.keys(toPythonJson(args));
    for (const name of ['output_dir', 'max_length', 'tokenizer_name', 'process_count'])
      expect(written).not.toContain(name);
    expect(written).toContain('dataset_class');
  });

  it('leaves out what it does not support, with a warning', () => {
    const { args, warnings } = fromPythonJson({
      ...python,
      n_gpu: 4,
      dataset_class: 'MyDataset',
      lazy_loading: true,
      max_length: 30,
    });
    expect(parseArgs(args)).toEqual({ ...defaultArgs, evalBatchSize: 100, maxLength: 30 });
    expect(warnings).toEqual([
      expect.stringMatching(/^model_args.json: "n_gpu" \(4\) is left out: training runs on the CPU/),
      expect.stringMatching(/^model_args.json: "dataset_class" \("MyDataset"\) is left out: /),
      'model_args.json: "lazy_loading" (true) is no option here and is left out.',
    ]);
  });

  it('fails on a value of the wrong kind, naming the file', () => {
    expect(() => fromPythonJson({ max_length: 'long' }, 'outputs/model_args.json')).toThrow(
      'outputs/model_args.json: max_length is "long"; it must be a whole number, at least 1.',
    );
    expect(() => fromPythonJson([])).toThrow('model_args.json: it must hold an object');
  });
});
