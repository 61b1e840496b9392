import { selectRows, type Value } from '../graph/index.js';
import { bertEncoder } from './bert.js';
import { readBertConfig } from './bert-config.js';
import { bertSpecs, linearSpecs, prefixed } from './bert-parameters.js';
import type { Builder, ParameterSpec } from './builder.js';
import type { ConfigReader } from './config.js';
import { bert } from './encoders.js';
import type { TextInput } from './packing.js';

/** The two encoders of DPR: the prefix that a checkpoint's weights have, and Transformers' class. */
export const dprSides = {
  question: { prefix: 'question_encoder', className: 'DPRQuestionEncoder' },
  context: { prefix: 'ctx_encoder', className: 'DPRContextEncoder' },
} as const;
export type DprSide = keyof typeof dprSides;

/** An encoder that makes one vector of a text. */
export interface DprEncoder {
  /** Of a vector. */
  readonly size: number;
  readonly vocabSize: number;
  /** The longest text. */
  readonly maxLength: number;
  /** Every array, under its name in a checkpoint of Transformers. */
  readonly parameters: readonly ParameterSpec[];
  /** [texts, size] */
  encode(m: Builder, input: TextInput): Value;
}

/**
 * An encoder of DPR (Karpukhin et al. 2020), as Transformers' `DPRQuestionEncoder` and `DPRContextEncoder` compute
 * `pooler_output`: what a BERT gives for the first token, projected where the config has a `projection_dim`.
 */
export function dprEncoder(config: ConfigReader, side: DprSide): DprEncoder {
  const own = readBertConfig(config, bert);
  const projected = config.integer('projection_dim', { fallback: 0 });
  const { prefix } = dprSides[side];
  return {
    size: projected || own.size,
    vocabSize: own.vocabSize,
    maxLength: own.maxLength,
    parameters: prefixed(prefix, [
      ...prefixed('bert_model', bertSpecs(own)),
      ...(projected > 0 ? linearSpecs('encode_proj', projected, own.size, own) : []),
    ]),
    encode: (m, input) =>
      m.within(prefix, (part) => {
        const rows = bertEncoder(part.at('bert_model'), own, input);
        const first = selectRows(rows, input.first.rows, input.first.texts);
        return projected > 0 ? part.linear(first, 'encode_proj') : first;
      }),
  };
}
