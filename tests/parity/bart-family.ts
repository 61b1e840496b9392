import path from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { matchWeights, openCheckpoint } from '../../src/checkpoints/index.js';
import { architectureOf, ModelWeights } from '../../src/models/index.js';
import { type LoadedFixture, readReference, testAgainstReference } from './reference-model.js';
import { type ExpectedTraining, runTenSteps } from './ten-steps.js';

const fixtures = path.join(import.meta.dirname, '../fixtures');
/** The reference's answers have no dropout. */
const noDropout = { dropout: 0, attention_dropout: 0, activation_dropout: 0 };

/** A checkpoint's model; what it leaves out is as in a fresh one. */
export function load(directory: string, type: string): LoadedFixture {
  const checkpoint = openCheckpoint(directory);
  const config = { ...checkpoint.config, ...noDropout };
  const architecture = architectureOf(config, type);
  const weights = new ModelWeights(architecture.parameters);
  const { matched } = matchWeights(checkpoint.weights, architecture.parameters, { architecture: type });
  weights.initialize(0, (name) => !matched.has(name));
  for (const [name, weight] of matched) weight.read(weights.array(name));
  checkpoint.close();
  return { architecture, weights, config, generationConfig: checkpoint.generationConfig };
}

/** Holds tiny models of a type to what Transformers answers: outputs, gradients, answers, and steps of training. */
export function describeVariants(type: string, variants: readonly string[]): void {
  describe.each(variants)(`${type}, variant %s`, (variant) => {
    const directory = path.join(fixtures, type, variant);
    testAgainstReference(directory, load(directory, type));

    const reference = readReference(directory);
    afterAll(() => reference.close());
    const { training } = reference.expected as { training?: ExpectedTraining };
    if (training) {
      it('trains as PyTorch does, and evaluates as Transformers does', async () => {
        await runTenSteps(load(directory, type), training, reference);
      });
    }
  });
}
