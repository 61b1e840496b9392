import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KernelPool } from '../../src/kernels/index.js';
import { PLANES } from '../../src/models/index.js';
import { createBatch, GradientProgram } from '../../src/training/index.js';
import { load } from './bart-family.js';
import { isKeyBias, readReference } from './reference-model.js';

// Losses and gradients with Transformers' LabelSmoother; see scripts/reference/label_smoothing.py.

type Answers = Record<string, { loss: number; gradients: Record<string, { norm: number; sum: number }> }>;

const fixtures = path.join(import.meta.dirname, '../fixtures');
const answers: Record<string, Answers> = JSON.parse(readFileSync(path.join(fixtures, 'label-smoothing.json'), 'utf8'));

describe.each(Object.entries(answers))('label smoothing of %s', (folder, byEpsilon) => {
  it.each(Object.entries(byEpsilon))('with %s has the loss and the gradients', async (epsilon, expected) => {
    const { architecture, weights } = load(path.join(fixtures, folder), path.dirname(folder));
    const reference = readReference(path.join(fixtures, folder));
    reference.close();
    const { sources, targets } = (reference.expected as { batch: { sources: number[][]; targets: number[][] } }).batch;
    const examples = sources.map((source, i) => ({
      source: Int32Array.from(source),
      target: Int32Array.from(targets[i]!),
    }));
    const pool = new KernelPool(1);
    const labelSmoothing = Number(epsilon);
    const program = new GradientProgram(architecture, weights, { seed: 0, threads: 2, pool, labelSmoothing });
    const loss = await program.run(createBatch(examples, architecture), 0, false);
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
    expect([...program.trainable].sort()).toEqual(Object.keys(expected.gradients).sort());
    for (const [name, { norm, sum }] of Object.entries(expected.gradients).filter(([name]) => !isKeyBias(name))) {
      const gradient = weights.planes.array(name, PLANES.gradients);
      expect(Math.abs(Math.hypot(...gradient) / norm - 1), name).toBeLessThan(1e-5);
      expect(Math.abs(gradient.reduce((a, b) => a + b, 0) - sum), name).toBeLessThan(1e-4 * norm);
    }
    program.dispose();
    await pool.dispose();
  });
});
