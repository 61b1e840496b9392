import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hasVocabulary, neededFiles } from './needed-files.js';

const index = JSON.stringify({ weight_map: { a: 'part-2', b: 'part-1', c: 'part-2' } });
const lookUp = (files: readonly string[]) =>
  neededFiles({
    has: async (file) => files.includes(file),
    read: async () => index,
  });

it.each([
  [['config.json', 'model.safetensors', 'pytorch_model.bin'], ['model.safetensors']],
  [
    ['config.json', 'model.safetensors.index.json', 'pytorch_model.bin'],
    ['model.safetensors.index.json', 'part-1', 'part-2'],
  ],
  [['config.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json'], ['pytorch_model.bin']],
  [
    ['config.json', 'pytorch_model.bin.index.json'],
    ['pytorch_model.bin.index.json', 'part-1', 'part-2'],
  ],
])('%j: %j', async (files, weights) => {
  expect(await lookUp(files)).toMatchObject({ weights, missing: undefined });
});

it('takes nothing that a repository does not have, and one set of weights a folder', async () => {
  const names = ['config.json', 'vocab.txt', 'model.safetensors', 'pytorch_model.bin', 'tf_model.h5', 'README.md'];
  const all = ['', 'encoder/', 'decoder/', 'onnx/'].flatMap((folder) => names.map((name) => folder + name));
  await fc.assert(
    fc.asyncProperty(fc.subarray(all), async (files) => {
      const { companions, weights, missing } = await lookUp(files);
      expect(files).toEqual(expect.arrayContaining([...companions, ...weights]));
      const folders = weights.map((file) => file.split('/').slice(0, -1).join('/'));
      expect(new Set(folders).size).toBe(folders.length);
      if (missing === undefined) expect([[''], ['encoder', 'decoder']]).toContainEqual(folders);
    }),
  );
});

it('tells whether a vocabulary lies beside all weights', async () => {
  const halves = ['encoder', 'decoder'].flatMap((half) => [`${half}/config.json`, `${half}/model.safetensors`]);
  expect(hasVocabulary(await lookUp(['config.json', 'model.safetensors']))).toBe(false);
  expect(hasVocabulary(await lookUp(['config.json', 'model.safetensors', 'tokenizer.json']))).toBe(true);
  expect(hasVocabulary(await lookUp([...halves, 'encoder/vocab.txt']))).toBe(false);
  expect(hasVocabulary(await lookUp([...halves, 'encoder/vocab.txt', 'decoder/vocab.txt']))).toBe(true);
});

it('takes the tokenizers of a RAG from their folders, of which none may lack its vocabulary', async () => {
  const top = ['config.json', 'model.safetensors'];
  const tokenizers = ['question_encoder_tokenizer', 'generator_tokenizer'];
  const settings = tokenizers.map((folder) => `${folder}/tokenizer_config.json`);
  const [words, pieces] = [`${tokenizers[0]}/vocab.txt`, `${tokenizers[1]}/vocab.json`];
  const whole = await lookUp([...top, ...settings, words, pieces, 'generator_tokenizer/README.md']);
  expect([...whole.companions].sort()).toEqual(['config.json', ...settings, words, pieces].sort());
  expect(whole.weights).toEqual(['model.safetensors']);
  expect(hasVocabulary(whole)).toBe(true);
  expect(hasVocabulary(await lookUp([...top, ...settings, words]))).toBe(false);
});
