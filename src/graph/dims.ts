import { fail } from '../errors.js';

/**
 * One dimension of a shape: a number, or an expression over named symbols in canonical form: a sum of products such as
 * `2*batch*sourceLength+4`, symbols sorted, coefficient first. Canonical strings make equality of dimensions plain `===`.
 */
export type Dim = number | string;
export type Shape = readonly Dim[];

/** What each symbol stands for in one run of a program. */
export type DimSizes = Map<string, number>;

/** Monomials (`batch*sourceLength`, `''` for the constant) with their coefficients. */
type Polynomial = Map<string, number>;

const parsed = new Map<Dim, Polynomial>();

function parse(dim: Dim): Polynomial {
  const known = parsed.get(dim);
  if (known) return known;
  if (typeof dim === 'number' && !Number.isSafeInteger(dim)) fail('graph', `"${dim}" is not a dimension.`);
  const polynomial: Polynomial = new Map();
  for (const term of typeof dim === 'number' ? [String(dim)] : dim.split('+')) {
    const factors = term.split('*');
    const numeric = factors.filter((factor) => /^-?\d+$/.test(factor));
    const symbols = factors.filter((factor) => !/^-?\d+$/.test(factor));
    if (symbols.some((symbol) => !/^[A-Za-z_]\w*$/.test(symbol))) fail('graph', `"${dim}" is not a dimension.`);
    const monomial = symbols.sort().join('*');
    const coefficient = numeric.reduce((total, factor) => total * Number(factor), 1);
    polynomial.set(monomial, (polynomial.get(monomial) ?? 0) + coefficient);
  }
  parsed.set(dim, polynomial);
  return polynomial;
}

function canonical(polynomial: Polynomial): Dim {
  const terms = [...polynomial].filter(([, coefficient]) => coefficient !== 0);
  if (terms.length === 0) return 0;
  if (terms.length === 1 && terms[0]![0] === '') return terms[0]![1];
  return terms
    .sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1))
    .map(([monomial, coefficient]) =>
      monomial === '' ? String(coefficient) : coefficient === 1 ? monomial : `${coefficient}*${monomial}`,
    )
    .join('+');
}

/** The product of dimensions; the size of a shape. */
export function product(dims: Shape): Dim {
  return canonical(
    dims.map(parse).reduce(
      (left, right) => {
        const result: Polynomial = new Map();
        for (const [a, m] of left) {
          for (const [b, n] of right) {
            const monomial = [...a.split('*'), ...b.split('*')].filter(Boolean).sort().join('*');
            result.set(monomial, (result.get(monomial) ?? 0) + m * n);
          }
        }
        return result;
      },
      new Map([['', 1]]),
    ),
  );
}

/** The sum of dimensions, as along the axis of a concatenation. */
export function sum(dims: Shape): Dim {
  const result: Polynomial = new Map();
  for (const dim of dims) {
    for (const [monomial, coefficient] of parse(dim)) {
      result.set(monomial, (result.get(monomial) ?? 0) + coefficient);
    }
  }
  return canonical(result);
}

/** The shape with every dimension in canonical form; refuses what is not a dimension. */
export function canonicalShape(shape: Shape): Shape {
  return shape.map((dim) => product([dim]));
}

/** The symbols a dimension is made of. */
export function symbolsOf(dim: Dim): string[] {
  return [...new Set([...parse(dim).keys()].flatMap((monomial) => monomial.split('*')).filter(Boolean))];
}

/** The number a dimension stands for, or undefined while one of its symbols is unknown. */
export function evaluate(dim: Dim, sizes: ReadonlyMap<string, number>): number | undefined {
  if (typeof dim === 'number') return dim;
  let total = 0;
  for (const [monomial, coefficient] of parse(dim)) {
    let term = coefficient;
    for (const symbol of monomial === '' ? [] : monomial.split('*')) {
      const size = sizes.get(symbol);
      if (size === undefined) return undefined;
      term *= size;
    }
    total += term;
  }
  return total;
}

/** True when the dimension is one symbol alone, so that seeing its size defines the symbol. */
export function isSymbol(dim: Dim): dim is string {
  return typeof dim === 'string' && /^[A-Za-z_]\w*$/.test(dim);
}

/** `[batch, 4, 64]`, as shapes read in every message. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}
