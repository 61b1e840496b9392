import { describe, expect, test } from 'vitest';
import { Random } from '../data/index.js';
import {
  add,
  cast,
  concat,
  gather,
  input,
  layerNorm,
  linear,
  linearLogSumExp,
  logSumExp,
  matmul,
  max,
  multiply,
  outputsOf,
  packRows,
  parameter,
  parameterRows,
  relu,
  reshape,
  slice,
  softmax,
  subtract,
  sum,
  tanh,
  topK,
  transpose,
  unpackRows,
} from './build.js';
import { product, type Shape } from './dims.js';
import { gradient, type ParameterGradient } from './gradient.js';
import { evaluate, type Feeds, fill, type NdArray } from './interpret.js';
import { type Node, type NodeOf, nodesOf, type OpName, type Value, within } from './node.js';
import { awayFromZero, buildExample, feedExample, opExamples } from './op-examples.js';

const entries = Object.entries(opExamples) as [OpName, (typeof opExamples)[OpName]][];
const SIZES = new Map(Object.entries({ n: 3, m: 5 }));
const random = (seed: number, shape: Shape) => {
  const numbers = new Random(seed);
  return fill(shape as readonly number[], () => awayFromZero(numbers));
};
const nameOf = (node: Node) => (node.op === 'parameter' ? node.attributes.name : '');
const integers = (values: number[]): NdArray => ({ shape: [values.length], data: Float64Array.from(values) });

/** Σ y·r with fixed random r, so that every element of y pulls in its own way. */
function weighted(y: Value): { loss: Value; feeds: Feeds } {
  const pull = input('pull', 'float32', y.shape);
  const product = multiply(cast(y, 'float32'), pull);
  return {
    loss: sum(
      product,
      y.shape.map((_, axis) => axis),
    ),
    feeds: { pull: random(99, y.shape) },
  };
}

/** The gradient of each weight as one array: pieces put in their rows, row gradients added to theirs. */
function denseGradients(gradients: ReadonlyMap<string, ParameterGradient>, feeds: Feeds): Map<string, Float64Array> {
  return new Map(
    [...gradients].map(([name, { parameter, pieces, rows }]) => {
      const dense = new Float64Array(product(parameter.shape) as number);
      const width = product(parameter.shape.slice(1)) as number;
      const addTo = (row: number, values: Float64Array) => {
        for (const [k, value] of values.entries()) dense[row * width + k]! += value;
      };
      for (const { start, count, value } of pieces) {
        expect(value.shape).toEqual(parameter.shape.map((dim, axis) => (axis === 0 ? count : dim)));
        addTo(start, evaluate({ value }, feeds).value.data);
      }
      for (const row of rows) {
        const { ids, rows } = evaluate({ ids: row.ids, rows: row.rows }, feeds);
        for (const [k, id] of ids.data.entries()) addTo(id, rows.data.subarray(k * width, (k + 1) * width));
      }
      return [name, dense];
    }),
  );
}

const STEP = 1e-5;

function finiteDifferences(loss: Value, name: string, feeds: Feeds): Float64Array {
  const { shape, data } = feeds[name]!;
  const lossAt = (i: number, x: number) => evaluate({ loss }, { ...feeds, [name]: { shape, data: data.with(i, x) } });
  return data.map((x, i) => (lossAt(i, x + STEP).loss.data[0]! - lossAt(i, x - STEP).loss.data[0]!) / (2 * STEP));
}

/** Holds the gradient of a scalar against finite differences, to 1e-6 of its largest element. */
function expectGradient(loss: Value, weights: readonly Value[], feeds: Feeds): Map<string, ParameterGradient> {
  const gradients = gradient(loss, weights);
  for (const [name, dense] of denseGradients(gradients, feeds)) {
    const expected = finiteDifferences(loss, name, feeds);
    const tolerance = 1e-6 * Math.max(1e-2, ...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - dense[i]!)));
    expect(worst, `${name}: ${[...dense]} instead of ${[...expected]}`).toBeLessThan(tolerance);
  }
  return gradients;
}

/** {@link expectGradient} for Σ y·r. */
function expectGradients(y: Value, weights: readonly Value[], feeds: Feeds): Map<string, ParameterGradient> {
  const { loss, feeds: pull } = weighted(y);
  return expectGradient(loss, weights, { ...feeds, ...pull });
}

describe.each(entries)('%s', (op, examples) => {
  test.each(examples.map((example) => [example]))('example %#', (example) => {
    expect(nodesOf(buildExample(example).outputs).map((node) => node.op)).toContain(op);
    const { outputs, weights } = buildExample(example, SIZES);
    if (example.differentiable) {
      expect(weights).not.toEqual([]);
      expectGradients(outputs[0]!, weights, feedExample(example, SIZES));
    } else if (weights.length > 0) {
      expect(() => gradient(weighted(outputs[0]!).loss, weights)).toThrow('it has no gradient, but lies between');
    }
  });
});

describe('graphs of several operations', () => {
  test('a value used twice gets the sum of both gradients', () => {
    const x = parameter('x', [3]);
    const y = tanh(x);
    expectGradients(add(multiply(y, y), multiply(x, y)), [x], { x: random(1, [3]) });
  });

  test('one weight made twice is one weight', () => {
    const [x, again] = [parameter('x', [3]), parameter('x', [3])];
    expectGradients(multiply(x, tanh(again)), [again], { x: random(1, [3]) });
  });

  test('attention over ragged rows', () => {
    const [batch, length, heads, size, tokens] = [2, 3, 2, 2, 5];
    const x = parameter('x', [tokens, 4]);
    const padIndex = input('padIndex', 'int32', [batch * length]);
    const packIndex = input('packIndex', 'int32', [tokens]);
    const hidden = input('hidden', 'float32', [batch, 1, 1, length]);
    const [q, k, v] = ['q', 'k', 'v'].map((name) => parameter(name, [4, 4])) as [Value, Value, Value];
    const [w, b] = [parameter('w', [4]), parameter('b', [4])];
    const byHead = (weight: Value) => {
      const rectangle = unpackRows(linear(x, weight, b), padIndex, packIndex);
      return transpose(reshape(rectangle, [batch, length, heads, size]), [0, 2, 1, 3]);
    };
    const scores = matmul(byHead(q), byHead(k), { transposeB: true, scale: 1 / Math.sqrt(size) });
    const mixed = transpose(matmul(softmax(add(scores, hidden)), byHead(v)), [0, 2, 1, 3]);
    const rows = packRows(reshape(mixed, [batch * length, 4]), packIndex, padIndex);
    expectGradients(layerNorm(rows, w, b, 1e-5), [x, q, k, v, w, b], {
      ...Object.fromEntries([x, q, k, v, w, b].map(({ node, shape }, i) => [nameOf(node), random(i, shape)])),
      padIndex: integers([0, 1, 2, 3, 4, tokens]),
      packIndex: integers([0, 1, 2, 3, 4]),
      hidden: { shape: [batch, 1, 1, length], data: Float64Array.of(0, 0, 0, 0, 0, -1e9) },
    });
  });

  test('cross-entropy in chunks of the vocabulary, tied to the embedding', () => {
    const [table, bias] = [parameter('table', [7, 3]), parameter('bias', [7])];
    const [ids, labels] = [input('ids', 'int32', ['n']), input('labels', 'int32', ['n'])];
    const hidden = tanh(gather(table, ids));
    const chunks = [0, 3, 6].map((start) => {
      const count = Math.min(3, 7 - start);
      return linearLogSumExp(hidden, parameterRows(table, start, count), slice(bias, 0, start, start + count));
    });
    const labelLogit = sum(multiply(hidden, gather(table, labels)), [1], true);
    const loss = sum(subtract(logSumExp(concat(chunks, 1)), labelLogit), [0, 1]);
    const gradients = expectGradient(loss, [table, bias], {
      table: random(1, [7, 3]),
      bias: random(2, [7]),
      ids: integers([1, 5, 1, 6]),
      labels: integers([0, 5, 5, 2]),
    });
    const { pieces, rows } = gradients.get('table')!;
    expect(pieces.map(({ start, count }) => [start, count])).toEqual([
      [0, 3],
      [3, 3],
      [6, 1],
    ]);
    expect(rows).toHaveLength(2);
  });

  test('a weight used whole, by rows and by lookup', () => {
    const w = parameter('w', [6, 2]);
    const ids = input('ids', 'int32', [3]);
    const rows = multiply(parameterRows(w, 1, 2), parameterRows(w, 4, 1));
    const whole = reshape(sum(multiply(w, w), [0]), [1, 2]);
    const gradients = expectGradients(concat([rows, whole, tanh(gather(w, ids))], 0), [w], {
      w: random(1, [6, 2]),
      ids: integers([5, 0, 5]),
    });
    const { pieces } = gradients.get('w')!;
    expect(pieces.map(({ start, count }) => [start, count])).toEqual([[0, 6]]);
  });
});

describe('what is left out', () => {
  const x = input('x', 'float32', ['n', 3]);
  const frozen = parameter('frozen', [4, 3]);
  const w = parameter('w', [2, 4]);
  const loss = sum(linear(relu(linear(x, frozen)), w), [0, 1]);
  const gradientOf = (...weights: Value[]) =>
    [...gradient(loss, weights).values()].flatMap(({ pieces }) => pieces.map(({ value }) => value));

  test('nothing is computed for inputs and frozen weights', () => {
    const forward = new Set(nodesOf([loss]));
    const added = nodesOf(gradientOf(w)).filter((node) => !forward.has(node));
    // 1 → dy, then dW = dyᵀ·x: the bias-free layer above the frozen one needs no more.
    expect(added.map((node) => node.op)).toEqual(['constant', 'reshape', 'broadcast', 'matmul']);
    const both = nodesOf(gradientOf(w, frozen)).filter((node) => !forward.has(node));
    expect(both.map((node) => node.op)).toContain('where');
    const matmuls = both.filter((node): node is NodeOf<'matmul'> => node.op === 'matmul');
    expect(matmuls.map(({ outputs }) => outputs[0]!.shape)).toEqual([
      ['n', 4],
      [2, 4],
      [4, 3],
    ]);
  });

  test('a weight that the loss does not reach has an empty gradient', () => {
    const other = parameter('other', [2]);
    expect(gradient(loss, [other]).get('other')).toEqual({ parameter: other, pieces: [], rows: [] });
  });
});

describe('refused', () => {
  const w = parameter('w', [4, 3]);
  const scalar = (x: Value) =>
    sum(
      x,
      x.shape.map((_, axis) => axis),
    );

  test('a loss that is not a scalar', () => {
    expect(() => gradient(w, [w])).toThrow('graph: gradient: the loss must be a scalar, not [4, 3].');
    expect(() => gradient(sum(w, [0, 1], true), [w])).not.toThrow();
  });

  test('an operation without gradient on the path, by its place in the model', () => {
    const peak = within('decoder', () => within('layers.0', () => max(w, [1])));
    expect(() => gradient(scalar(peak), [w])).toThrow(
      'graph: max(float32[4, 3]) in decoder.layers.0 gradient: it has no gradient, but lies between the loss and a weight.',
    );
    expect(() => gradient(scalar(multiply(topK(w, 2).values, 2)), [w])).toThrow('topK(float32[4, 3])');
    expect(() => gradient(scalar(peak), [])).not.toThrow();
  });

  test('a loss on a further output', () => {
    const [y, mean] = outputsOf(layerNorm(w, parameter('g', [3]), parameter('b', [3]), 1e-5)) as [Value, Value];
    expect(() => gradient(scalar(mean), [w])).toThrow('only its first output has a gradient.');
    expect(() => gradient(scalar(add(y, mean)), [w])).toThrow('only its first output has a gradient.');
    const probabilities = outputsOf(linearLogSumExp(w, parameter('p', [2, 3])))[1]!;
    expect(() => gradient(scalar(probabilities), [w])).toThrow('linearLogSumExp(float32[4, 3], float32[2, 3])');
  });

  test('lookups in a computed table', () => {
    const ids = input('ids', 'int32', ['n']);
    expect(() => gradient(scalar(gather(tanh(w), ids)), [w])).toThrow(
      'graph: gather(float32[4, 3], int32[n]) in gradient: to be trained, its table must be a weight itself.',
    );
  });

  test('views that overlap', () => {
    const loss = scalar(multiply(parameterRows(w, 0, 2), parameterRows(w, 1, 2)));
    expect(() => gradient(loss, [w])).toThrow('views of one weight must be equal or disjoint.');
  });

  test('what is not a weight', () => {
    const x = input('x', 'float32', [3]);
    expect(() => gradient(sum(x, [0]), [x])).toThrow('graph: gradient: input is not a weight.');
    expect(() => gradient(scalar(w), [parameterRows(w, 0, 1)])).toThrow('parameterRows is not a weight.');
  });

  test('joining and cutting along a symbolic axis', () => {
    const rows = linear(input('x', 'float32', ['n', 3]), w);
    expect(() => gradient(scalar(concat([rows, rows], 0)), [w])).toThrow(
      'its gradient needs numeric sizes along axis 0.',
    );
    expect(() => gradient(scalar(slice(rows, 0, 0, 1)), [w])).toThrow(
      'its gradient needs a numeric size along axis 0.',
    );
  });
});
