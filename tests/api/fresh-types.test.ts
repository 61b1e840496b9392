import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type LoadOptions, Seq2SeqModel, type TokenizerTrainingOptions, trainTokenizer } from '../../src/index.js';
import { runIn } from '../cli/program.js';
import { readJson, rowsOf, temporaryFolder } from '../support.js';

const folder = temporaryFolder();
const rows = rowsOf('base', 'train');
const texts = rows.flatMap((row) => [row.input_text, row.target_text]);

const bartLike = {
  d_model: 16,
  encoder_layers: 1,
  decoder_layers: 1,
  encoder_attention_heads: 2,
  decoder_attention_heads: 2,
  encoder_ffn_dim: 32,
  decoder_ffn_dim: 32,
  max_position_embeddings: 64,
  init_std: 0.2,
};
const bertLike = {
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
  initializer_range: 0.2,
};
const distilbertLike = { dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 32, max_position_embeddings: 64 };

const train = (options: TokenizerTrainingOptions, seen: readonly string[] = texts) =>
  trainTokenizer(seen, { ...(options.type !== 'unigram' && { minFrequency: 1 }), onWarning: () => {}, ...options });
const wordPiece = () => train({ type: 'wordpiece', vocabSize: 90, modelType: 'bert' });

/** Each type with a tokenizer trained from the rows; vocabulary and special tokens are left to it. */
const cases: [type: string, tokenizer: TokenizerTrainingOptions, config: object][] = [
  ['bart', { type: 'bpe', vocabSize: 300, modelType: 'bart' }, bartLike],
  ['marian', { type: 'unigram', vocabSize: 60, modelType: 'marian' }, bartLike],
  ['mbart', { type: 'unigram', vocabSize: 90, modelType: 'mbart' }, bartLike],
  ['mbart50', { type: 'unigram', vocabSize: 120, modelType: 'mbart50' }, bartLike],
  ['bert', { type: 'wordpiece', vocabSize: 90, modelType: 'bert' }, { encoder: bertLike, decoder: bertLike }],
  [
    'distilbert',
    { type: 'wordpiece', vocabSize: 90, modelType: 'distilbert' },
    { encoder: distilbertLike, decoder: bertLike },
  ],
  [
    'electra',
    { type: 'wordpiece', vocabSize: 90, modelType: 'electra' },
    { encoder: { ...bertLike, embedding_size: 8 }, decoder: bertLike },
  ],
  ['roberta', { type: 'bpe', vocabSize: 300, modelType: 'roberta' }, { encoder: bertLike, decoder: bertLike }],
  ['camembert', { type: 'unigram', vocabSize: 60, modelType: 'camembert' }, { encoder: bertLike, decoder: bertLike }],
];

const load = (options: LoadOptions) =>
  Seq2SeqModel.load({
    ...options,
    args: { silent: true, threads: 2, manualSeed: 1, maxLength: 12, ...options.args },
  });

describe('a model from a config and a trained tokenizer alone', () => {
  it.each(cases)('%s trains, answers and comes back', async (type, options, config) => {
    const source = await train(options);
    const isGeneric = 'encoder' in config;
    const tokenizer = isGeneric ? { source, target: await wordPiece() } : source;
    const model = await load({
      encoderDecoderType: type,
      config: { ...config },
      tokenizer,
      args: { learningRate: 0.01, numTrainEpochs: 40, saveModelEveryEpoch: false },
    });
    const outputDir = join(folder, type);
    const before = await model.evalModel(rows, { outputDir: folder });
    await model.trainModel(rows, { outputDir });
    const after = await model.evalModel(rows, { outputDir: folder });
    expect(after.eval_loss).toBeLessThan(0.6 * before.eval_loss);
    const inputs = rows.map((row) => row.input_text);
    const answers = await model.predict(inputs);
    model.dispose();
    const again = await load({ encoderDecoderType: type, encoderDecoderName: outputDir });
    expect(await again.predict(inputs)).toEqual(answers);
    again.dispose();
  });

  it('a Marian with a vocabulary for each side', async () => {
    const tokenizer = await train(
      { type: 'unigram', vocabSize: 60, modelType: 'marian', targetTexts: rows.map((row) => row.target_text) },
      rows.map((row) => row.input_text),
    );
    expect(tokenizer.targetVocabSize).toBeDefined();
    const model = await load({ encoderDecoderType: 'marian', config: bartLike, tokenizer });
    const saved = join(folder, 'separate');
    await model.saveModel(saved);
    expect(readJson(join(saved, 'config.json'))).toMatchObject({
      share_encoder_decoder_embeddings: false,
      vocab_size: tokenizer.vocabSize,
      decoder_vocab_size: tokenizer.targetVocabSize,
      bad_words_ids: [[tokenizer.special.pad]],
    });
    const again = await load({ encoderDecoderType: 'marian', encoderDecoderName: saved });
    expect(await again.predict(['the cat'])).toEqual(await model.predict(['the cat']));
    model.dispose();
    again.dispose();
  });

  it('by the command line', () => {
    writeFileSync(join(folder, 'texts.txt'), texts.join('\n'));
    writeFileSync(
      join(folder, 'rows.tsv'),
      ['input_text\ttarget_text', ...rows.map((row) => `${row.input_text}\t${row.target_text}`), ''].join('\n'),
    );
    writeFileSync(join(folder, 'model.json'), JSON.stringify({ model_type: 'marian', ...bartLike }));
    const tokenizer = ['--type', 'unigram', '--model-type', 'marian', '--vocab-size', '60', '--output-dir', 'pieces'];
    const trained = runIn(folder, ['tokenizer', 'train', ...tokenizer, '--input', 'texts.txt', '--silent']);
    expect(trained.status, trained.stderr).toBe(0);
    const fresh = ['--encoder-decoder-type', 'marian', '--config', 'model.json', '--tokenizer-name', 'pieces'];
    const run = runIn(folder, [
      'train',
      ...fresh,
      '--train-data',
      'rows.tsv',
      '--output-dir',
      'marian-cli',
      '--silent',
    ]);
    expect(run.status, run.stderr).toBe(0);
    const model = ['--encoder-decoder-type', 'marian', '--encoder-decoder-name', 'marian-cli'];
    const answers = runIn(folder, ['predict', ...model, '--json', '--silent'], { input: 'the cat\n' });
    expect(answers.status, answers.stderr).toBe(0);
    expect(JSON.parse(answers.stdout)).toEqual({ outputs: [expect.any(String)] });
  });
});
