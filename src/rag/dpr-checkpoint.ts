import type { Checkpoint, Weight } from '../checkpoints/index.js';
import { fail } from '../errors.js';
import { type DprSide, dprSides, type JsonObject } from '../models/index.js';

/** What a BERT has beside the encoder itself, and a DPR of older Transformers: no part of it. */
const LEFT_OUT = /(^|\.)pooler\.dense\.(weight|bias)$|^cls\./;

/**
 * A checkpoint as one side of DPR: of that class, or a BERT, whose vector of a text is then that of its first token.
 * @param name what messages call it
 */
export function asDpr<T extends Pick<Checkpoint, 'config' | 'weights'>>(checkpoint: T, side: DprSide, name: string): T {
  const { config } = checkpoint;
  const { prefix, className } = dprSides[side];
  const renamed = (rename: (weight: string) => string, changed: JsonObject = config) => {
    const kept = [...checkpoint.weights].filter(([weight]) => !LEFT_OUT.test(weight));
    return {
      ...checkpoint,
      config: changed,
      weights: new Map<string, Weight>(kept.map(([key, weight]) => [rename(key), weight])),
    };
  };
  if (config.model_type === 'bert') {
    return renamed((weight) => `${prefix}.bert_model.${weight.replace(/^bert\./, '')}`, {
      ...config,
      model_type: 'dpr',
      projection_dim: 0,
    });
  }
  if (config.model_type !== 'dpr') {
    fail(
      'model',
      `${name} holds a ${config.model_type}; a ${side} encoder is a DPR (${className}) or a BERT. Use another checkpoint.`,
    );
  }
  const others = ['question_encoder', 'ctx_encoder', 'span_predictor'].filter((each) => each !== prefix);
  const names = [...checkpoint.weights.keys()];
  const other = others.find((each) => names.some((weight) => weight.startsWith(`${each}.`)));
  if (other !== undefined && !names.some((weight) => weight.startsWith(`${prefix}.`))) {
    fail('model', `${name} holds the weights of DPR's ${other}, not of its ${prefix}. Give a ${className}.`);
  }
  return renamed((weight) => weight);
}
