import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Checkpoint, matchWeights, openCheckpoint } from '../../src/checkpoints/index.js';
import {
  architectureOf,
  type JsonObject,
  type ModelPart,
  ModelWeights,
  type Seq2SeqArchitecture,
} from '../../src/models/index.js';
import { type LoadedFixture, readReference, testAgainstReference } from './reference-model.js';
import { type ExpectedTraining, runTenSteps } from './ten-steps.js';

const fixtures = path.join(import.meta.dirname, '../fixtures/encoder-decoder');
/** The reference's answers have no dropout. */
const noDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, dropout: 0, attention_dropout: 0 };
const whole: ModelPart = { folder: '', prefix: '', className: 'EncoderDecoderModel' };

function matchPart(
  { weights }: Checkpoint,
  { type, parameters }: Seq2SeqArchitecture,
  { prefix, basePrefix }: ModelPart,
) {
  const within = (name: string) => name.slice(prefix.length);
  const expected = parameters
    .filter(({ name }) => name.startsWith(prefix))
    .map((spec) => ({ ...spec, name: within(spec.name), aliases: spec.aliases?.map(within) ?? [] }));
  return matchWeights(weights, expected, { architecture: type, basePrefix });
}

/** A model in one file, or in the folders encoder/ and decoder/, whose config lacks the special ids `told`. */
function load(directory: string, told: JsonObject): LoadedFixture {
  const isWhole = existsSync(path.join(directory, 'config.json'));
  const folders = isWhole ? ([''] as const) : (['encoder', 'decoder'] as const);
  const checkpoints = folders.map((folder) => openCheckpoint(path.join(directory, folder)));
  const [first, second] = checkpoints as [Checkpoint, Checkpoint];
  const saved: JsonObject = isWhole
    ? first.config
    : { model_type: 'encoder-decoder', encoder: first.config, decoder: second.config, ...told };
  const config: JsonObject = {
    ...saved,
    encoder: { ...(saved.encoder as JsonObject), ...noDropout },
    decoder: { ...(saved.decoder as JsonObject), ...noDropout },
  };
  const architecture = architectureOf(config);
  const weights = new ModelWeights(architecture.parameters);
  weights.initialize(0);
  for (const [i, checkpoint] of checkpoints.entries()) {
    const part = architecture.parts.find(({ folder }) => folder === folders[i]) ?? whole;
    const found = matchPart(checkpoint, architecture, part);
    // A model with a head has its weights besides, and no pooler.
    expect(found.unexpected.filter((name) => !name.startsWith('cls.'))).toEqual([]);
    expect(found.missing.filter((name) => !name.startsWith('pooler.'))).toEqual([]);
    for (const [name, weight] of found.matched) weight.read(weights.array(part.prefix + name));
    checkpoint.close();
  }
  return { architecture, weights, config, generationConfig: isWhole ? first.generationConfig : {} };
}

describe.each(readdirSync(fixtures))('encoder-decoder, variant %s', (variant) => {
  const directory = path.join(fixtures, variant);
  const reference = readReference(directory);
  const { config, training } = reference.expected as { config: JsonObject; training: ExpectedTraining };
  afterAll(() => reference.close());
  testAgainstReference(directory, load(directory, config));

  it('trains as PyTorch does, and evaluates as Transformers does', async () => {
    await runTenSteps(load(directory, config), training, reference);
  });
});

it('takes a plain BERT for a decoder, which lacks cross-attention and the head', () => {
  const checkpoint = openCheckpoint(path.join(fixtures, 'bert/encoder'));
  const { config } = checkpoint;
  const architecture = architectureOf({ model_type: 'encoder-decoder', encoder: config, decoder: config });
  const { missing, unexpected } = matchPart(checkpoint, architecture, architecture.parts[1]!);
  checkpoint.close();
  // Ten arrays of cross-attention in each of two layers; the head's transform, norm and bias.
  expect(missing).toHaveLength(2 * 10 + 5);
  expect(missing.every((name) => /\.crossattention\.|^cls\.predictions\./.test(name))).toBe(true);
  expect(unexpected).toEqual(['pooler.dense.bias', 'pooler.dense.weight']);
});
