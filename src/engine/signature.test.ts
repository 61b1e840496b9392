import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from './index.js';
import { type ProgramSignature, SignatureCheck } from './signature.js';

const attention: ProgramSignature = {
  inputs: [
    { name: 'query', dtype: 'float32', shape: ['batch', 'length', 4] },
    { name: 'mask', dtype: 'bool', shape: ['batch', 1, 'length'] },
    { name: 'cache', dtype: 'float32', shape: ['batch*length', 4] },
  ],
  outputs: [
    { name: 'context', dtype: 'float32', shape: ['batch', 'length', 4] },
    { name: 'rows', dtype: 'float32', shape: ['2*batch*length+1', 'length'] },
  ],
};

function feeds(batch: number, length: number) {
  return {
    query: Tensor.zeros('float32', [batch, length, 4]),
    mask: Tensor.zeros('bool', [batch, 1, length]),
    cache: Tensor.zeros('float32', [batch * length, 4]),
  };
}

const check = new SignatureCheck('program "attention"', attention);
const inputs = (changes: Record<string, unknown> = {}) => check.inputs({ ...feeds(2, 3), ...changes } as never);

describe('SignatureCheck', () => {
  it('gives tensors in the order of the signature, and makes outputs of the right size', () => {
    const { query, mask, cache } = feeds(2, 3);
    const { tensors, sizes } = check.inputs({ cache, query, mask });
    expect(tensors).toEqual([query, mask, cache]);
    const [context, rows] = check.outputs({}, sizes);
    expect(context!.shape).toEqual([2, 3, 4]);
    expect(rows!.shape).toEqual([13, 3]);
  });

  it('takes the outputs it is given', () => {
    const context = Tensor.zeros('float32', [2, 3, 4]);
    expect(check.outputs({ context, rows: undefined as never }, inputs().sizes)[0]).toBe(context);
  });

  it.each([
    ['missing', { mask: undefined }, 'input "mask" was not given. It takes bool [batch, 1, length].'],
    ['no tensor', { mask: new Uint8Array(6) }, 'input "mask" is not a Tensor.'],
    ['unknown', { maks: Tensor.zeros('bool', [1]) }, 'there is no input "maks". Did you mean "mask"?'],
    [
      'of another type',
      { mask: Tensor.zeros('uint8', [2, 1, 3]) },
      'input "mask" is uint8 [2, 1, 3], but must be bool',
    ],
    ['of another rank', { query: Tensor.zeros('float32', [6, 4]) }, 'input "query" is float32 [6, 4], but must be'],
    [
      'of another size',
      { query: Tensor.zeros('float32', [2, 3, 5]) },
      'input "query" is float32 [2, 3, 5]; dimension 2 must be 4: float32 [batch, length, 4].',
    ],
    [
      'at odds with another input',
      { mask: Tensor.zeros('bool', [2, 1, 9]) },
      'input "mask" is bool [2, 1, 9], where length is 9, but input "query" is float32 [2, 3, 4], where length is 3.',
    ],
    [
      'at odds with an expression',
      { cache: Tensor.zeros('float32', [7, 4]) },
      'input "cache" is float32 [7, 4]; dimension 0 (batch*length) must be 6',
    ],
  ])('refuses an input that is %s', (_, changes, message) => {
    expect(() => inputs(changes)).toThrow(`engine: program "attention": ${message}`);
  });

  it('refuses a tensor that was disposed, or whose memory is gone', () => {
    const { mask } = feeds(2, 3);
    mask.dispose();
    expect(() => inputs({ mask })).toThrow('input "mask", bool [2, 1, 3], was disposed.');
    const query = Tensor.from(new Float32Array(24), [2, 3, 4]);
    structuredClone(query.data, { transfer: [query.data.buffer as ArrayBuffer] });
    expect(() => inputs({ query })).toThrow('input "query", float32 [2, 3, 4], lost its memory');
    const memory = new WebAssembly.Memory({ initial: 1 });
    const grown = Tensor.from(new Float32Array(memory.buffer, 0, 24), [2, 3, 4]);
    memory.grow(1);
    expect(() => inputs({ query: grown })).toThrow('lost its memory');
  });

  it.each([[undefined], [null], [5], [[]]])('refuses %j as inputs and outputs', (given) => {
    expect(() => check.inputs(given as never)).toThrow('Give an object of tensors by name.');
    expect(() => check.outputs(given as never, [])).toThrow('Give an object of tensors by name.');
  });

  it('refuses outputs that do not fit', () => {
    const { sizes } = inputs();
    const outputs = (given: Record<string, Tensor>) => () => check.outputs(given, sizes);
    expect(outputs({ context: Tensor.zeros('int32', [2, 3, 4]) })).toThrow('output "context" is int32 [2, 3, 4]');
    expect(outputs({ rows: Tensor.zeros('float32', [12, 3]) })).toThrow('dimension 0 (2*batch*length+1) must be 13');
    expect(outputs({ row: Tensor.zeros('float32', [13, 3]) })).toThrow('no output "row". Did you mean "rows"?');
    const disposed = Tensor.zeros('float32', [13, 3]);
    disposed.dispose();
    expect(outputs({ rows: disposed })).toThrow('was disposed');
  });

  it('refuses one tensor for two outputs', () => {
    const twins = new SignatureCheck('program', {
      inputs: [{ name: 'x', dtype: 'float32', shape: ['n'] }],
      outputs: [
        { name: 'a', dtype: 'float32', shape: ['n'] },
        { name: 'b', dtype: 'float32', shape: ['n'] },
      ],
    });
    const x = Tensor.zeros('float32', [2]);
    const { sizes } = twins.inputs({ x });
    expect(() => twins.outputs({ a: x, b: x }, sizes)).toThrow('the same tensor was given for two outputs');
    expect(twins.outputs({ a: x }, sizes)[0]).toBe(x);
  });

  it.each<[string, ProgramSignature, string]>([
    [
      'an output of unknown size',
      { inputs: [], outputs: [{ name: 'y', dtype: 'float32', shape: ['found'] }] },
      '"y" has the shape [found], but no input has "found" as a dimension of its own',
    ],
    [
      'a symbol seen in expressions only',
      { inputs: [{ name: 'x', dtype: 'float32', shape: ['2*n'] }], outputs: [] },
      'no input has "n" as a dimension of its own',
    ],
    [
      'two inputs of one name',
      {
        inputs: [
          { name: 'x', dtype: 'float32', shape: [] },
          { name: 'x', dtype: 'int32', shape: [] },
        ],
        outputs: [],
      },
      'two inputs are called "x"',
    ],
    [
      'an output that is an input',
      {
        inputs: [{ name: 'x', dtype: 'float32', shape: ['n'] }],
        outputs: [{ name: 'x', dtype: 'float32', shape: ['n'] }],
      },
      '"x" is an input and an output. Give the output a name of its own',
    ],
    [
      'a negative size',
      { inputs: [{ name: 'x', dtype: 'float32', shape: [-1] }], outputs: [] },
      'cannot have the shape [-1]',
    ],
  ])('refuses a signature with %s', (_, signature, message) => {
    expect(() => new SignatureCheck('program', signature)).toThrow(message);
  });

  it('refuses a size that comes out negative', () => {
    const shrinking = new SignatureCheck('program', {
      inputs: [{ name: 'x', dtype: 'float32', shape: ['n'] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: ['n+-2'] }],
    });
    expect(() => shrinking.inputs({ x: Tensor.zeros('float32', [1]) })).toThrow('n+-2 would be -1');
  });

  it('takes all sizes that agree and no others', () => {
    const size = fc.integer({ min: 0, max: 5 });
    const shapes = fc.record({ query: fc.tuple(size, size), mask: fc.tuple(size, size), cache: size });
    const consistent = fc
      .tuple(size, size)
      .map(([b, l]): { query: [number, number]; mask: [number, number]; cache: number } => ({
        query: [b, l],
        mask: [b, l],
        cache: b * l,
      }));
    fc.assert(
      fc.property(fc.oneof(shapes, consistent), ({ query, mask, cache }) => {
        const agree = query[0] === mask[0] && query[1] === mask[1] && cache === query[0] * query[1];
        const attempt = () =>
          check.inputs({
            query: Tensor.zeros('float32', [...query, 4]),
            mask: Tensor.zeros('bool', [mask[0], 1, mask[1]]),
            cache: Tensor.zeros('float32', [cache, 4]),
          });
        if (agree) attempt();
        else expect(attempt).toThrow('engine: program "attention"');
      }),
    );
  });
});
