import { fail } from '../errors.js';

import {
  add,
  broadcast,
  concat,
  constant,
  divide,
  dropout,
  erf,
  exp,
  greater,
  matmul,
  multiply,
  negate,
  packRows,
  reshape,
  selectRows,
  sigmoid,
  slice,
  subtract,
  sum,
  transpose,
  unpackRows,
  where,
} from './build.js';
import { formatShape, product, type Shape } from './dims.js';
import { lastDim, type Node, type NodeOf, nodesOf, type OpName, refuse, type Value, within } from './node.js';

/** A gradient that is zero except in the rows named: what looking up rows of a table leaves behind. */
export interface RowGradient {
  readonly ids: Value;
  readonly rows: Value;
}

/** The gradient of one weight: the sum of its dense pieces and of its row gradients (ids may repeat). */
export interface ParameterGradient {
  readonly parameter: Value;
  /** Disjoint runs of rows. A weight that was only looked up has none. */
  readonly pieces: readonly { readonly start: number; readonly count: number; readonly value: Value }[];
  readonly rows: readonly RowGradient[];
}

type Contribution = Value | RowGradient | undefined;

/** From the gradient of a node's first output, the only one that has one, to those of its inputs. */
type GradientRule<K extends OpName> = (node: NodeOf<K>, dy: Value) => readonly Contribution[];

/** `'none'` says that nothing flows through the operation; asking for a gradient through it is an error. */
type GradientRules = { readonly [K in OpName]: GradientRule<K> | 'none' };

/** Sums a gradient over the axes that were broadcast, so that it has the operand's shape. */
function unbroadcast(dy: Value, shape: Shape): Value {
  const added = dy.shape.length - shape.length;
  const axes = dy.shape.flatMap((dim, axis) =>
    axis < added || (shape[axis - added] === 1 && dim !== 1) ? [axis] : [],
  );
  return reshape(axes.length > 0 ? sum(dy, axes, true) : dy, shape);
}

/** Σ over the last axis of x·w, keeping the axis; a product with a column is the fast way for a matrix. */
function rowDot(x: Value, w: Value): Value {
  return x.shape.length === 2 ? matmul(x, reshape(w, [...w.shape, 1])) : sum(multiply(x, w), [-1], true);
}

const leadingAxes = (x: Value) => x.shape.slice(0, -1).map((_, axis) => axis);
const [SQRT_HALF, LOG_SQRT_TAU, TWO_OVER_SQRT_PI] = [Math.SQRT1_2, Math.log(2 * Math.PI) / 2, 2 / Math.sqrt(Math.PI)];

const rules: GradientRules = {
  input: 'none',
  parameter: 'none',
  parameterRows: 'none',
  constant: 'none',
  range: 'none',

  add: ({ inputs: [a, b] }, dy) => [unbroadcast(dy, a!.shape), unbroadcast(dy, b!.shape)],
  subtract: ({ inputs: [a, b] }, dy) => [unbroadcast(dy, a!.shape), unbroadcast(negate(dy), b!.shape)],
  multiply: ({ inputs: [a, b] }, dy) => [
    unbroadcast(multiply(dy, b!), a!.shape),
    unbroadcast(multiply(dy, a!), b!.shape),
  ],
  // d(a/b) = da/b − (a/b)·db/b
  divide: ({ inputs: [a, b], outputs: [y] }, dy) => {
    const da = divide(dy, b!);
    return [unbroadcast(da, a!.shape), unbroadcast(negate(multiply(da, y!)), b!.shape)];
  },
  negate: (_, dy) => [negate(dy)],
  exp: ({ outputs: [y] }, dy) => [multiply(dy, y!)],
  log: ({ inputs: [x] }, dy) => [divide(dy, x!)],
  sqrt: ({ outputs: [y] }, dy) => [divide(multiply(dy, 0.5), y!)],
  // 2/√π · e^(−x²)
  erf: ({ inputs: [x] }, dy) => [multiply(multiply(dy, TWO_OVER_SQRT_PI), exp(negate(multiply(x!, x!))))],
  tanh: ({ outputs: [y] }, dy) => [multiply(dy, subtract(1, multiply(y!, y!)))],
  sigmoid: ({ outputs: [y] }, dy) => [multiply(dy, multiply(y!, subtract(1, y!)))],
  relu: ({ outputs: [y] }, dy) => [where(greater(y!, 0), dy, 0)],
  // Φ(x) + x·φ(x), with q = x/√2: Φ = (1 + erf q)/2 and φ = e^(−q² − ln √τ)
  gelu: ({ inputs: [x] }, dy) => {
    const q = multiply(x!, SQRT_HALF);
    const cdf = add(multiply(erf(q), 0.5), 0.5);
    const density = exp(subtract(-LOG_SQRT_TAU, multiply(q, q)));
    return [multiply(dy, add(cdf, multiply(x!, density)))];
  },
  // σ + x·σ·(1−σ) = σ + y·(1−σ)
  silu: ({ inputs: [x], outputs: [y] }, dy) => {
    const s = sigmoid(x!);
    return [multiply(dy, add(s, multiply(y!, subtract(1, s))))];
  },
  greater: 'none',
  where: ({ inputs: [condition, a, b] }, dy) => [
    undefined,
    unbroadcast(where(condition!, dy, 0), a!.shape),
    unbroadcast(where(condition!, 0, dy), b!.shape),
  ],
  cast: 'none',
  dropout: ({ inputs: [, mask], attributes }, dy) => [dropout(dy, mask!, attributes.rate), undefined],

  reshape: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape)],
  transpose: ({ attributes: { permutation } }, dy) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  broadcast: ({ inputs: [x] }, dy) => [unbroadcast(dy, x!.shape)],
  concat: ({ inputs, attributes: { axis } }, dy) => {
    let start = 0;
    return inputs.map((x) => {
      const size = x.shape[axis];
      if (typeof size !== 'number')
        return refuse('concat', inputs, `its gradient needs numeric sizes along axis ${axis}.`);
      start += size;
      return slice(dy, axis, start - size, start);
    });
  },
  slice: ({ inputs: [x], attributes: { axis, start, end } }, dy) => {
    const size = x!.shape[axis];
    if (typeof size !== 'number') return refuse('slice', [x!], `its gradient needs a numeric size along axis ${axis}.`);
    const zeros = (count: number) =>
      broadcast(
        constant(0),
        x!.shape.map((dim, i) => (i === axis ? count : dim)),
      );
    const parts = [start > 0 ? zeros(start) : undefined, dy, end < size ? zeros(size - end) : undefined];
    return [
      concat(
        parts.filter((part) => part !== undefined),
        axis,
      ),
    ];
  },

  sum: ({ inputs: [x], attributes: { axes } }, dy) => {
    const kept = x!.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    return [broadcast(reshape(dy, kept), x!.shape)];
  },
  max: 'none',
  topK: 'none',

  // C = s·op(A)·op(B)
  matmul: ({ inputs: [a, b], attributes: { transposeA: tA, transposeB: tB, scale } }, dy) => [
    tA
      ? matmul(b!, dy, { transposeA: tB, transposeB: true, scale })
      : matmul(dy, b!, { transposeA: false, transposeB: !tB, scale }),
    tB
      ? matmul(dy, a!, { transposeA: true, transposeB: tA, scale })
      : matmul(a!, dy, { transposeA: !tA, transposeB: false, scale }),
  ],
  // dx = dy·W, dW = dyᵀ·x, db = Σ dy
  linear: ({ inputs: [x, weight, bias] }, dy) => [
    matmul(dy, weight!),
    matmul(dy, x!, { transposeA: true }),
    ...(bias ? [sum(dy, [0])] : []),
  ],

  // y·(dy − Σ dy·y)
  softmax: ({ outputs: [y] }, dy) => [multiply(y!, subtract(dy, sum(multiply(dy, y!), [-1], true)))],
  // dy − e^y·Σ dy
  logSoftmax: ({ outputs: [y] }, dy) => [subtract(dy, multiply(exp(y!), sum(dy, [-1], true)))],
  // dy·e^(x−y)
  logSumExp: ({ inputs: [x], outputs: [y] }, dy) => [multiply(dy, exp(subtract(x!, y!)))],
  // With x̂ = (x−μ)/σ and g = dy·w: dx = (g − mean(g) − x̂·mean(g·x̂))/σ, dw = Σ dy·x̂, db = Σ dy
  layerNorm: ({ inputs: [x, weight], outputs: [, mean, inverseStd] }, dy) => {
    const features = lastDim(x!.shape);
    if (typeof features !== 'number') return refuse('layerNorm', [x!], 'its gradient needs a numeric last dimension.');
    const normalized = multiply(subtract(x!, mean!), inverseStd!);
    const dyx = multiply(dy, normalized);
    const meanWeight = multiply(weight!, 1 / features);
    const centered = subtract(
      subtract(multiply(dy, weight!), rowDot(dy, meanWeight)),
      multiply(normalized, rowDot(dyx, meanWeight)),
    );
    return [multiply(centered, inverseStd!), sum(dyx, leadingAxes(x!)), sum(dy, leadingAxes(x!))];
  },
  // With p = softmax(x·Wᵀ + b): dx = (p·W)·dy, dW = pᵀ·(x·dy), db = pᵀ·dy. The row scale dy never meets the wide p.
  linearLogSumExp: ({ inputs: [x, weight, bias], outputs: [, p] }, dy) => [
    multiply(matmul(p!, weight!), dy),
    matmul(p!, multiply(x!, dy), { transposeA: true }),
    ...(bias ? [reshape(matmul(dy, p!, { transposeA: true }), bias.shape)] : []),
  ],

  gather: ({ inputs: [, ids] }, dy) => [{ ids: ids!, rows: dy }, undefined],
  quantizedGather: 'none',
  quantizedLinear: 'none',
  gatherElements: 'none',
  unpackRows: ({ inputs: [, padIndex, packIndex] }, dy) => [packRows(dy, packIndex!, padIndex!), undefined, undefined],
  packRows: ({ inputs: [, packIndex, padIndex] }, dy) => [unpackRows(dy, padIndex!, packIndex!), undefined, undefined],
  selectRows: ({ inputs: [, index, inverse] }, dy) => [selectRows(dy, inverse!, index!), undefined, undefined],
  writeRows: 'none',
};

/**
 * The gradients of a scalar `loss` with respect to weights, as more graph. Reverse mode: nodes on a path from a weight to
 * the loss are walked in reverse order, each handing the gradients of its outputs on to its inputs, which sum what they get.
 */
export function gradient(loss: Value, parameters: readonly Value[]): Map<string, ParameterGradient> {
  if (product(loss.shape) !== 1) fail('graph', `gradient: the loss must be a scalar, not ${formatShape(loss.shape)}.`);
  const wanted = new Map(parameters.map((value) => [weightName(value), value]));
  const nodes = nodesOf([loss]);

  const onPath = new Set<number>();
  for (const node of nodes) {
    const isWanted = isWeight(node) && wanted.has(node.attributes.name);
    if (isWanted || node.inputs.some((value) => onPath.has(value.node.id))) onPath.add(node.id);
  }

  const adjoints = new Map<Value, Value>([[loss, broadcast(constant(1), loss.shape)]]);
  const rowGradients = new Map<string, RowGradient[]>();
  for (const node of nodes.reverse()) {
    if (!onPath.has(node.id) || isWeight(node)) continue;
    const [dy, ...others] = node.outputs.map((output) => adjoints.get(output));
    const hasOthers = others.some((other) => other !== undefined);
    if (!dy && !hasOthers) continue;
    within(`${node.scope} gradient`.trim(), () => {
      const rule = rules[node.op] as GradientRule<OpName> | 'none';
      if (rule === 'none')
        return refuse(node.op, node.inputs, 'it has no gradient, but lies between the loss and a weight.');
      if (!dy || hasOthers) return refuse(node.op, node.inputs, 'only its first output has a gradient.');
      for (const [i, contribution] of rule(node as never, dy).entries()) {
        const target = node.inputs[i]!;
        if (!contribution || !onPath.has(target.node.id)) continue;
        if ('ids' in contribution) {
          const { name, start } = lookedUp(node, target);
          const ids = start === 0 ? contribution.ids : add(contribution.ids, constant(start, contribution.ids.dtype));
          rowGradients.set(name, [...(rowGradients.get(name) ?? []), { ids, rows: contribution.rows }]);
        } else {
          const earlier = adjoints.get(target);
          adjoints.set(target, earlier ? add(earlier, contribution) : contribution);
        }
      }
    });
  }

  const result = new Map<string, ParameterGradient>();
  for (const [name, parameter] of wanted) {
    const uses = nodes.filter(isWeight).filter((node) => node.attributes.name === name);
    const rows = rowGradients.get(name) ?? [];
    result.set(name, { parameter, pieces: assemble(parameter, uses, adjoints), rows });
  }
  return result;
}

type WeightNode = NodeOf<'parameter'> | NodeOf<'parameterRows'>;
const isWeight = (node: Node): node is WeightNode => node.op === 'parameter' || node.op === 'parameterRows';

function weightName(value: Value): string {
  const { node } = value;
  return node.op === 'parameter' ? node.attributes.name : fail('graph', `gradient: ${node.op} is not a weight.`);
}

/** The weight whose rows a gather looks up, and the row its table starts at. */
function lookedUp(gather: Node, { node: table }: Value): { name: string; start: number } {
  if (!isWeight(table)) return refuse(gather.op, gather.inputs, 'to be trained, its table must be a weight itself.');
  return { name: table.attributes.name, start: table.op === 'parameter' ? 0 : table.attributes.start };
}

/** Merges the gradients of a weight's uses, as a whole or as views, into disjoint pieces. */
function assemble(
  parameter: Value,
  uses: readonly WeightNode[],
  adjoints: ReadonlyMap<Value, Value>,
): ParameterGradient['pieces'] {
  let whole: Value | undefined;
  const pieces: { start: number; count: number; value: Value }[] = [];
  for (const use of uses) {
    const value = adjoints.get(use.outputs[0]!);
    if (!value) continue;
    if (use.op === 'parameter') {
      whole = whole ? add(whole, value) : value;
      continue;
    }
    const { start, count } = use.attributes;
    const same = pieces.find((piece) => piece.start === start && piece.count === count);
    if (same) same.value = add(same.value, value);
    else pieces.push({ start, count, value });
  }
  pieces.sort((a, b) => a.start - b.start);
  if (pieces.some((piece, i) => i > 0 && piece.start < pieces[i - 1]!.start + pieces[i - 1]!.count)) {
    return refuse('parameterRows', [parameter], 'views of one weight must be equal or disjoint.');
  }
  if (!whole) return pieces;
  const count = (parameter.shape[0] ?? 1) as number;
  if (pieces.length === 0) return [{ start: 0, count, value: whole }];
  const filled: Value[] = [];
  let row = 0;
  const zeros = (rows: number) => broadcast(constant(0), [rows, ...parameter.shape.slice(1)]);
  for (const piece of pieces) {
    if (piece.start > row) filled.push(zeros(piece.start - row));
    filled.push(piece.value);
    row = piece.start + piece.count;
  }
  if (row < count) filled.push(zeros(count - row));
  return [{ start: 0, count, value: add(whole, concat(filled, 0)) }];
}
