import { describe, expect, it } from 'vitest';
import type { Seq2SeqArchitecture } from './architecture.js';
import { architectureOf, type JsonObject, lossGraph, ModelWeights, packSource } from './index.js';

const sizes = {
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 20,
};
const bert = { model_type: 'bert', vocab_size: 30, ...sizes };
const roberta = { ...bert, model_type: 'roberta', vocab_size: 40, pad_token_id: 3 };
const distilbert = {
  model_type: 'distilbert',
  vocab_size: 40,
  dim: 8,
  n_layers: 1,
  n_heads: 2,
  hidden_dim: 12,
  max_position_embeddings: 20,
};
const electra = { ...bert, model_type: 'electra', embedding_size: 4 };

function configOf(encoder: JsonObject = bert, decoder: JsonObject = bert): JsonObject {
  return { model_type: 'encoder-decoder', encoder, decoder };
}

const architecture = (encoder?: JsonObject, decoder?: JsonObject): Seq2SeqArchitecture =>
  architectureOf(configOf(encoder, decoder));

const namesOf = ({ parameters }: Seq2SeqArchitecture, holds: (spec: (typeof parameters)[number]) => boolean) =>
  parameters.filter(holds).map(({ name }) => name);

it('is named by its encoder, and has a vocabulary a side', () => {
  const model = architecture(roberta);
  expect([model.type, model.sourceVocabSize, model.vocabSize, model.padTokenId]).toEqual(['roberta', 40, 30, 0]);
  expect(architectureOf({ ...configOf(), pad_token_id: 7 }).padTokenId).toBe(7);
});

it('lies in two folders, each a model by itself', () => {
  expect(architecture(distilbert).parts).toEqual([
    { folder: 'encoder', prefix: 'encoder.', basePrefix: 'distilbert.', className: 'DistilBertModel' },
    { folder: 'decoder', prefix: 'decoder.', basePrefix: 'bert.', className: 'BertLMHeadModel' },
  ]);
});

it('lies in one file with a projection, where the decoder is of another width', () => {
  const model = architecture({ ...bert, hidden_size: 16 });
  expect(model.parts).toEqual([{ folder: '', prefix: '', className: 'EncoderDecoderModel' }]);
  expect(model.parameters.find(({ name }) => name === 'enc_to_dec_proj.weight')?.shape).toEqual([8, 16]);
});

it('starts anew what a plain BERT lacks', () => {
  const optional = namesOf(architecture(distilbert), (spec) => spec.optional === true);
  const cross = 'decoder.bert.encoder.layer.0.crossattention';
  const linears = ['self.query', 'self.key', 'self.value', 'output.dense', 'output.LayerNorm'];
  expect(optional).toEqual([
    ...linears.flatMap((name) => [`${cross}.${name}.weight`, `${cross}.${name}.bias`]),
    'decoder.cls.predictions.transform.dense.weight',
    'decoder.cls.predictions.transform.dense.bias',
    'decoder.cls.predictions.transform.LayerNorm.weight',
    'decoder.cls.predictions.transform.LayerNorm.bias',
    'decoder.cls.predictions.bias',
  ]);
});

it('keeps an encoder’s pooler, which is optional and not trained', () => {
  const pooler = ['encoder.pooler.dense.weight', 'encoder.pooler.dense.bias'];
  const { parameters } = architecture();
  expect(parameters.filter((spec) => spec.buffer).map(({ name }) => name)).toEqual(pooler);
  expect(parameters.filter(({ name }) => pooler.includes(name)).every((spec) => spec.optional)).toBe(true);
  for (const encoder of [electra, distilbert])
    expect(namesOf(architecture(encoder), (spec) => !!spec.buffer)).toEqual([]);
});

it('ties the head to the word embeddings unless told otherwise', () => {
  const words = 'decoder.bert.embeddings.word_embeddings.weight';
  const projection = 'decoder.cls.predictions.decoder.weight';
  const tied = architecture();
  expect(tied.head).toEqual({ weight: words, bias: 'decoder.cls.predictions.bias' });
  expect(tied.parameters.find(({ name }) => name === words)?.aliases).toEqual([projection]);
  const untied = architecture(bert, { ...bert, tie_word_embeddings: false });
  expect(untied.head.weight).toBe(projection);
  expect(untied.parameters.find(({ name }) => name === words)?.aliases).toBeUndefined();
});

it('draws fresh weights by initializer_range of their side', () => {
  const wide = { ...bert, hidden_size: 64, initializer_range: 0.5 };
  const { parameters } = architecture({ ...wide, initializer_range: 0.1 }, wide);
  const weights = new ModelWeights(parameters);
  weights.initialize(1);
  const deviationOf = (name: string) => {
    const values = weights.array(name);
    return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  };
  expect(deviationOf('encoder.encoder.layer.0.attention.self.query.weight')).toBeCloseTo(0.1, 1);
  expect(deviationOf('decoder.bert.encoder.layer.0.crossattention.self.key.weight')).toBeCloseTo(0.5, 1);
  expect([...weights.array('decoder.cls.predictions.transform.LayerNorm.weight')].every((one) => one === 1)).toBe(true);
  expect(weights.isZero('decoder.cls.predictions.bias')).toBe(true);
  expect([...weights.array('decoder.bert.embeddings.word_embeddings.weight').subarray(0, 64)].some(Boolean)).toBe(
    false,
  );
});

it('trains the head’s bias even while it holds only zeros', () => {
  const { trainable } = lossGraph(architecture(), { training: true, isZero: () => true });
  const names = trainable.map(({ node }) => (node.op === 'parameter' ? node.attributes.name : ''));
  expect(names).toContain('decoder.cls.predictions.bias');
  expect(names.some((name) => name.includes('pooler'))).toBe(false);
});

it('teaches what stands behind each token of a target', () => {
  const { decoderInput, labels } = architecture().teach(Int32Array.of(2, 9, 8, 3));
  expect([[...decoderInput], [...labels]]).toEqual([
    [2, 9, 8],
    [9, 8, 3],
  ]);
  expect(() => architecture().teach(Int32Array.of(2))).toThrow(
    'a target has 1 tokens; it needs a first and a last one.',
  );
});

describe('positions', () => {
  it('are places, as many as there are embeddings', () => {
    const model = architecture(electra, { ...bert, max_position_embeddings: 10 });
    expect(model.countedBehind).toBeUndefined();
    expect([model.maxSourceLength, model.maxTargetLength]).toEqual([20, 10]);
  });

  it('of RoBERTa are counted from behind the padding’s id, over real tokens', () => {
    for (const encoder of [roberta, { ...roberta, model_type: 'camembert' }]) {
      const model = architecture(encoder);
      expect(model.maxSourceLength).toBe(16);
      const feeds = packSource([[Int32Array.of(0, 9, 3, 8, 2)]], model);
      expect([...feeds['source.positions']!.data]).toEqual([4, 5, 3, 6, 7]);
    }
  });
});

it('drops out where Transformers does', () => {
  const rates = (encoder: JsonObject) => {
    const decoder = { ...bert, hidden_dropout_prob: 0.3, attention_probs_dropout_prob: 0.4 };
    const { dropoutSites } = lossGraph(architecture(encoder, decoder), { training: true });
    return Object.fromEntries(dropoutSites.map(({ input, rate }) => [input.replace('dropout:', ''), rate]));
  };
  const layer = 'decoder.bert.encoder.layer.0';
  const ofDecoder = {
    'decoder.bert.embeddings.dropout': 0.3,
    [`${layer}.attention.attention_dropout`]: 0.4,
    [`${layer}.attention.output.dense.dropout`]: 0.3,
    [`${layer}.crossattention.attention_dropout`]: 0.4,
    [`${layer}.crossattention.output.dense.dropout`]: 0.3,
    [`${layer}.output.dense.dropout`]: 0.3,
  };
  expect(rates({ ...bert, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.2 })).toEqual({
    ...ofDecoder,
    'encoder.embeddings.dropout': 0.1,
    'encoder.encoder.layer.0.attention_dropout': 0.2,
    'encoder.encoder.layer.0.attention.output.dense.dropout': 0.1,
    'encoder.encoder.layer.0.output.dense.dropout': 0.1,
  });
  expect(rates({ ...distilbert, dropout: 0.1, attention_dropout: 0.2 })).toEqual({
    ...ofDecoder,
    'encoder.embeddings.dropout': 0.1,
    'encoder.transformer.layer.0.attention_dropout': 0.2,
    'encoder.transformer.layer.0.ffn.lin2.dropout': 0.1,
  });
});

describe('refuses', () => {
  it.each<[string, JsonObject, string]>([
    [
      'a decoder that is no BERT',
      configOf(bert, { ...bert, model_type: 'gpt2' }),
      'decoder.model_type "gpt2" is not supported; supported are: bert.',
    ],
    [
      'an unknown encoder',
      configOf({ ...bert, model_type: 'xlnet' }),
      'encoder.model_type "xlnet" is not supported; supported are: bert, roberta, distilbert, camembert, electra.',
    ],
    ['an encoder without a type', configOf({ ...sizes }), '"encoder.model_type" is missing'],
    ['a side that is no config', configOf('bert' as never), '"encoder" is "bert"; it must be the config of a part.'],
    ['a missing side', { model_type: 'encoder-decoder', decoder: bert }, '"encoder" is missing'],
    [
      'relative positions',
      configOf({ ...bert, position_embedding_type: 'relative_key' }),
      'encoder.position_embedding_type is "relative_key"',
    ],
    [
      'relative positions of a decoder',
      configOf(bert, { ...bert, position_embedding_type: 'relative_key_query' }),
      'decoder.position_embedding_type',
    ],
    [
      'heads that do not fit',
      configOf({ ...bert, num_attention_heads: 3 }),
      'encoder.hidden_size 8 is not divisible by encoder.num_attention_heads 3',
    ],
    [
      'heads that do not fit, of DistilBERT',
      configOf({ ...distilbert, n_heads: 5 }),
      'encoder.dim 8 is not divisible by encoder.n_heads 5',
    ],
    [
      'a missing size',
      configOf(bert, { ...bert, intermediate_size: undefined }),
      '"decoder.intermediate_size" is missing',
    ],
    [
      'an unknown activation',
      configOf({ ...bert, hidden_act: 'gelo' }),
      'encoder.hidden_act "gelo" is unknown. Did you mean "gelu"?',
    ],
    [
      'padding outside the vocabulary',
      configOf({ ...bert, pad_token_id: 30 }),
      'encoder.pad_token_id 30 lies outside the vocabulary of 30 tokens',
    ],
    [
      'such padding of the whole',
      { ...configOf(), pad_token_id: 30 },
      'pad_token_id 30 lies outside the vocabulary of 30 tokens',
    ],
    [
      'a RoBERTa without a position',
      configOf({ ...roberta, max_position_embeddings: 4 }),
      'encoder.max_position_embeddings 4 leaves no position',
    ],
    ['sides that share their weights', { ...configOf(), tie_encoder_decoder: true }, 'tie_encoder_decoder is true'],
    [
      'keys and values of another width',
      configOf({ ...bert, hidden_size: 16 }, { ...bert, cross_attention_hidden_size: 16 }),
      'decoder.cross_attention_hidden_size is 16',
    ],
  ])('%s', (_, config, message) => {
    expect(() => architectureOf(config)).toThrow(message);
  });
});
