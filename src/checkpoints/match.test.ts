import { describe, expect, test } from 'vitest';
import { matchWeights } from './match.js';
import type { Weight } from './weight.js';

const checkpoint = (shapes: Record<string, number[]>) =>
  new Map(
    Object.entries(shapes).map(([name, shape]): [string, Weight] => [
      name,
      { name, shape, dtype: 'float32', read() {}, readBytes() {} },
    ]),
  );

const shared = {
  name: 'model.shared.weight',
  shape: [6, 4],
  aliases: ['model.encoder.embed_tokens.weight', 'lm_head.weight'],
};
const norm = { name: 'model.encoder.norm.bias', shape: [4] };
const logitsBias = { name: 'final_logits_bias', shape: [1, 6], optional: true };
const bart = { architecture: 'bart', basePrefix: 'model.' };

const namesOf = (matched: ReadonlyMap<string, Weight>) =>
  Object.fromEntries([...matched].map(([name, weight]) => [name, weight.name]));

test('names, aliases and unexpected weights', () => {
  const weights = checkpoint({
    'lm_head.weight': [6, 4],
    'model.encoder.norm.bias': [4],
    final_logits_bias: [1, 6],
    extra: [2],
  });
  const { matched, unexpected, missing } = matchWeights(weights, [shared, norm, logitsBias], bart);
  expect(namesOf(matched)).toEqual({
    'model.shared.weight': 'lm_head.weight',
    'model.encoder.norm.bias': 'model.encoder.norm.bias',
    final_logits_bias: 'final_logits_bias',
  });
  expect({ unexpected, missing }).toEqual({ unexpected: ['extra'], missing: [] });
});

test('an alias beside its weight is expected, and the weight itself is taken', () => {
  const weights = checkpoint({
    'lm_head.weight': [6, 4],
    'model.shared.weight': [6, 4],
    'model.encoder.norm.bias': [4],
  });
  const { matched, unexpected, missing } = matchWeights(weights, [shared, norm, logitsBias], bart);
  expect(matched.get('model.shared.weight')!.name).toBe('model.shared.weight');
  expect({ unexpected, missing }).toEqual({ unexpected: [], missing: ['final_logits_bias'] });
});

test('a base model, without the prefix, and the other way round', () => {
  const base = checkpoint({ 'encoder.embed_tokens.weight': [6, 4], 'encoder.norm.bias': [4] });
  expect(namesOf(matchWeights(base, [shared, norm], bart).matched)).toEqual({
    'model.shared.weight': 'encoder.embed_tokens.weight',
    'model.encoder.norm.bias': 'encoder.norm.bias',
  });
  const headed = checkpoint({ 'model.norm.bias': [4] });
  expect(matchWeights(headed, [{ name: 'norm.bias', shape: [4] }], bart).matched.get('norm.bias')!.name).toBe(
    'model.norm.bias',
  );
});

test('missing weights are named and counted', () => {
  expect(() => matchWeights(checkpoint({ 'bert.pooler': [4] }), [shared, norm, logitsBias], bart)).toThrow(
    'checkpoint: 2 of the 3 weights of bart are missing: model.shared.weight, model.encoder.norm.bias; it holds, unexpected, ' +
      'bert.pooler. Check that the weights belong to this config.json.',
  );
  const many = Array.from({ length: 25 }, (_, i) => ({ name: `w${i}`, shape: [1] }));
  expect(() => matchWeights(checkpoint({}), many, bart)).toThrow(
    /^checkpoint: 25 of the 25 .*: w0, w1, .*, w9 and 15 more\. Check/,
  );
});

test('wrong shapes are named with both', () => {
  const weights = checkpoint({ 'model.shared.weight': [8, 4], 'model.encoder.norm.bias': [4, 1] });
  expect(() => matchWeights(weights, [shared, norm], bart)).toThrow(
    'checkpoint: 2 weights of bart have another shape than config.json asks for: model.shared.weight is [8, 4], must be [6, 4], ' +
      'model.encoder.norm.bias is [4, 1], must be [4]. Check that the weights belong to this config.json.',
  );
});

describe('BERT', () => {
  const embeddings = { name: 'bert.embeddings.word_embeddings.weight', shape: [6, 4] };
  const normWeight = { name: 'bert.embeddings.LayerNorm.weight', shape: [4] };
  const normBias = { name: 'bert.embeddings.LayerNorm.bias', shape: [4] };
  const head = { name: 'cls.predictions.bias', shape: [6], aliases: ['cls.predictions.decoder.bias'] };
  const expected = [embeddings, normWeight, normBias, head];
  const bert = { architecture: 'bert', basePrefix: 'bert.' };
  const original = {
    'bert.embeddings.word_embeddings.weight': [6, 4],
    'bert.embeddings.LayerNorm.gamma': [4],
    'bert.embeddings.LayerNorm.beta': [4],
    'cls.predictions.bias': [6],
  };

  test('layer norms under their names of the first checkpoints', () => {
    const { matched, unexpected } = matchWeights(checkpoint(original), expected, bert);
    expect(namesOf(matched)).toEqual({
      'bert.embeddings.word_embeddings.weight': 'bert.embeddings.word_embeddings.weight',
      'bert.embeddings.LayerNorm.weight': 'bert.embeddings.LayerNorm.gamma',
      'bert.embeddings.LayerNorm.bias': 'bert.embeddings.LayerNorm.beta',
      'cls.predictions.bias': 'cls.predictions.bias',
    });
    expect(unexpected).toEqual([]);
  });

  test("today's name is taken where both are there, whatever their order", () => {
    const both = { 'LayerNorm.weight': [4], 'LayerNorm.gamma': [9] };
    for (const names of [Object.entries(both), Object.entries(both).reverse()]) {
      const { matched } = matchWeights(
        checkpoint(Object.fromEntries(names)),
        [{ ...normWeight, name: 'LayerNorm.weight' }],
        bert,
      );
      expect(matched.get('LayerNorm.weight')!.name).toBe('LayerNorm.weight');
    }
  });

  test('other heads are unexpected, under the names they have; what Transformers makes by itself is not', () => {
    const heads = {
      'cls.seq_relationship.weight': [2, 4],
      'cls.predictions.transform.LayerNorm.gamma': [4],
      'lm_head.dense.bias': [4],
    };
    const made = {
      'bert.embeddings.position_ids': [1, 8],
      'embeddings.token_type_ids': [1, 8],
      'model.encoder.version': [1],
      'decoder.version': [1],
    };
    const { matched, unexpected } = matchWeights(checkpoint({ ...original, ...heads, ...made }), expected, bert);
    expect(matched.size).toBe(expected.length);
    expect(unexpected).toEqual(Object.keys(heads));
  });

  test('the base model alone has all but the head, and no other prefix is its own', () => {
    const base = Object.fromEntries(
      Object.entries(original).map(([name, shape]) => [name.replace('bert.', ''), shape]),
    );
    expect(matchWeights(checkpoint(base), expected, bert).matched.size).toBe(expected.length);
    expect(() => matchWeights(checkpoint(base), expected, { architecture: 'bert', basePrefix: 'roberta.' })).toThrow(
      /^checkpoint: 3 of the 4 weights of bert are missing: .*; it holds, unexpected, embeddings.word_embeddings.weight, embeddings.LayerNorm.gamma, embeddings.LayerNorm.beta\./,
    );
    expect(() => matchWeights(checkpoint(base), expected, { architecture: 'bert' })).toThrow(/3 of the 4 weights/);
  });

  test.each(['bert.', 'roberta.', 'distilbert.', 'electra.', 'model.'])(
    'the prefix %s, on either side',
    (basePrefix) => {
      const [bare, prefixed] = ['layer.0.weight', `${basePrefix}layer.0.weight`] as const;
      for (const [held, wanted] of [
        [bare, prefixed],
        [prefixed, bare],
        [bare, bare],
      ] as const) {
        const { matched } = matchWeights(checkpoint({ [held]: [2] }), [{ name: wanted, shape: [2] }], {
          architecture: 'x',
          basePrefix,
        });
        expect(matched.get(wanted)!.name).toBe(held);
      }
    },
  );
});
