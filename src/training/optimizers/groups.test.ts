import { describe, expect, it } from 'vitest';
import { defaultArgs } from '../../args/index.js';
import { KernelPool } from '../../kernels/index.js';
import { ModelWeights, type ParameterSpec } from '../../models/index.js';
import { createOptimizer, type GroupOptions, parameterGroups } from './index.js';
import { copyState } from './state.js';

const spec = (name: string, more: Partial<ParameterSpec> = {}): ParameterSpec => ({
  name,
  shape: [4, 3],
  initialization: { kind: 'ones' },
  ...more,
});
const weights = new ModelWeights([
  spec('shared.weight', { aliases: ['lm_head.weight'] }),
  spec('positions', { buffer: true }),
  ...[1, 10].flatMap((layer) => [
    spec(`encoder.layers.${layer}.fc1.weight`),
    spec(`encoder.layers.${layer}.fc1.bias`, { shape: [4] }),
    spec(`decoder.layer.${layer}.LayerNorm.weight`, { shape: [4] }),
  ]),
]);
const groupsOf = (options: Partial<GroupOptions>) =>
  parameterGroups(weights, { ...defaultArgs, weightDecay: 0.1, ...options }).map(({ parameters, settings }) => ({
    rate: settings.learningRate,
    decays: Object.fromEntries(parameters.map(({ name, weightDecay }) => [name, weightDecay])),
  }));

describe('parameter groups', () => {
  it('are all trained weights; biases and layer norms are not decayed', () => {
    const [only, ...others] = groupsOf({});
    expect(others).toEqual([]);
    expect(Object.keys(only!.decays)).toHaveLength(7);
    expect(only!.decays).toMatchObject({
      'shared.weight': 0.1,
      'encoder.layers.1.fc1.bias': 0,
      'decoder.layer.1.LayerNorm.weight': 0,
    });
  });

  it('are those named, by aliases too, then layers by their exact number, then the rest', () => {
    const [named, layer, rest] = groupsOf({
      customParameterGroups: [{ params: ['lm_head.weight'], lr: 0.5, weight_decay: 0.3 }],
      customLayerParameters: [{ layer: '1', learningRate: 0.2 }],
    });
    expect(named).toEqual({ rate: 0.5, decays: { 'shared.weight': 0.3 } });
    expect(layer!.rate).toBe(0.2);
    expect(Object.keys(layer!.decays)).toEqual([
      'encoder.layers.1.fc1.weight',
      'encoder.layers.1.fc1.bias',
      'decoder.layer.1.LayerNorm.weight',
    ]);
    expect(Object.keys(rest!.decays).every((name) => name.includes('.10.'))).toBe(true);
    const alone = groupsOf({ customLayerParameters: [{ layer: 10 }], trainCustomParametersOnly: true });
    expect(alone).toHaveLength(1);
  });

  it.each<[Partial<GroupOptions>, string]>([
    [
      { customParameterGroups: [{ params: ['shared.wieght'] }] },
      'customParameterGroups[0]: the model has no weight shared.wieght. Did you mean shared.weight?',
    ],
    [{ customParameterGroups: [{ params: ['positions'] }] }, 'positions is kept with the model but not trained'],
    [
      { customParameterGroups: [{ params: [] }] },
      'customParameterGroups[0]: params is a list of names of weights, not []',
    ],
    [{ customParameterGroups: [{ lr: 1 }] }, 'customParameterGroups[0] does not say what it is of. Give params.'],
    [{ customParameterGroups: ['x'] }, 'customParameterGroups[0]'],
    [
      { customParameterGroups: [{ params: ['shared.weight'], rate: 1 }] },
      'customParameterGroups[0]: there is no "rate"',
    ],
    [
      { customParameterGroups: [{ params: ['shared.weight'], lr: -1 }] },
      'customParameterGroups[0]: lr is -1; it must be a number, at least 0.',
    ],
    [
      { customParameterGroups: [{ params: ['shared.weight'], betas: [0.9, 1.5] }] },
      'betas is [0.9,1.5]; it must be two numbers',
    ],
    [{ customParameterGroups: [{ params: ['shared.weight'], lr: 1, learningRate: 2 }] }, 'learningRate is given twice'],
    [
      { customParameterGroups: [{ params: ['shared.weight'] }, { params: ['lm_head.weight'] }] },
      'shared.weight is in customParameterGroups[0] and in customParameterGroups[1]',
    ],
    [{ customLayerParameters: [{ layer: 2 }] }, 'customLayerParameters[0]: there is no layer 2. The layers are 1, 10.'],
    [
      { customLayerParameters: [{ layer: 1 }, { layer: 1 }] },
      'customLayerParameters[1]: all weights of layer 1 are in groups before it',
    ],
    [
      { trainCustomParametersOnly: true },
      'trainCustomParametersOnly freezes all weights but those of custom groups, and there are none',
    ],
  ])('%j is refused', (options, message) => {
    expect(() => groupsOf(options)).toThrow(message);
  });
});

describe('Adafactor', () => {
  it.each<[Partial<GroupOptions>, string]>([
    [{ adafactorRelativeStep: false }, 'adafactorWarmupInit warms up the relative step'],
    [{ adafactorEps: [-1, 1e-3] }, 'adafactorEps is -1, 0.001'],
    [{ adafactorDecayRate: 0.8 }, 'adafactorDecayRate is 0.8'],
  ])('%j is refused', (options, message) => {
    const groups = parameterGroups(weights, { ...defaultArgs, optimizer: 'Adafactor', ...options });
    expect(() => createOptimizer('Adafactor', weights, groups, new KernelPool(0))).toThrow(message);
  });
});

describe('a saved state', () => {
  const tensor = (name: string, length: number) => ({ name, shape: [length], data: new Float32Array(length).fill(7) });

  it('that does not fit is refused as a whole', () => {
    const into = [
      { ...tensor('a', 3), data: new Float32Array(3) },
      { ...tensor('b', 2), data: new Float32Array(2) },
    ];
    const refused = (...tensors: ReturnType<typeof tensor>[]) => expect(() => copyState(into, { steps: 1, tensors }));
    refused(tensor('a', 3)).toThrow('has nothing for b, which needs [2]');
    refused(tensor('a', 3), tensor('b', 4)).toThrow('has [4] (4 numbers) for b');
    refused(tensor('a', 3), { ...tensor('b', 2), data: new Float32Array(1) }).toThrow('(1 numbers) for b');
    refused(tensor('a', 3), tensor('b', 2), tensor('c', 1)).toThrow('1 tensors that nothing needs, c among them');
    expect([...into[0]!.data, ...into[1]!.data]).toEqual([0, 0, 0, 0, 0]);
    copyState(into, { steps: 1, tensors: [tensor('b', 2), tensor('a', 3)] });
    expect([...into[0]!.data, ...into[1]!.data]).toEqual([7, 7, 7, 7, 7]);
  });
});
