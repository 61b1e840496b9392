import { type Program, Tensor } from '../engine/index.js';
import { disposeAll } from '../models/index.js';
import type { BestTokens } from './step-decoder.js';

type Tensors = Readonly<Record<string, Tensor>>;

/** The `count` best of each row by a program that finds at least as many, of those that are not banned there. */
export async function bestTokens(
  program: Program,
  inputs: Tensors,
  count: number,
  banned: readonly (readonly number[])[] | undefined,
): Promise<BestTokens> {
  const bans: Tensors = banned ? banTensors(banned) : {};
  const results = await program.run({ ...inputs, ...bans });
  disposeAll(bans);
  const [ids, logProbs] = [results.ids!.data as Int32Array, results.logProbs!.data as Float32Array];
  const width = results.ids!.shape[1]!;
  disposeAll(results);
  if (width === count) return { ids, logProbs };
  const rows = ids.length / width;
  const best = { ids: new Int32Array(rows * count), logProbs: new Float32Array(rows * count) };
  for (let row = 0; row < rows; row++) {
    best.ids.set(ids.subarray(row * width, row * width + count), row * count);
    best.logProbs.set(logProbs.subarray(row * width, row * width + count), row * count);
  }
  return best;
}

export async function allLogits(program: Program, inputs: Tensors): Promise<Float32Array> {
  const results = await program.run(inputs);
  const logits = results.logits!.data as Float32Array;
  disposeAll(results);
  return logits;
}

/** `banned.index` [bans, 2], a row and an id each, and the score that all get. */
function banTensors(banned: readonly (readonly number[])[]): Record<string, Tensor> {
  const pairs = banned.flatMap((ids, row) => ids.flatMap((id) => [BigInt(row), BigInt(id)]));
  const count = pairs.length / 2;
  return {
    'banned.index': Tensor.from(BigInt64Array.from(pairs), [count, 2]),
    'banned.scores': Tensor.from(new Float32Array(count).fill(-Infinity), [count]),
  };
}
