import { checkOption } from '../../args/index.js';
import { fail, nearest, refuseUnknown } from '../../errors.js';
import type { ModelWeights } from '../../models/index.js';
import type { OptimizerName, OptimizerSettings, ParameterGroup } from './optimizer.js';

export interface GroupOptions extends OptimizerSettings {
  optimizer: OptimizerName;
  /** `{ params: [names], lr, weight_decay, … }`: the rest are the optimizer's arguments as in Python, or our options. */
  customParameterGroups: readonly unknown[];
  /** `{ layer: number, lr, weight_decay, … }` for the layers of that number, of the encoder and of the decoder. */
  customLayerParameters: readonly unknown[];
  /** Freezes all weights that no custom group names. */
  trainCustomParametersOnly: boolean;
}

type SettingName = keyof OptimizerSettings;

/** The keys of a group, by optimizer: as its arguments are named in Python, for the setting of ours. */
const KEYS: Readonly<Record<OptimizerName, Readonly<Record<string, SettingName>>>> = {
  AdamW: { lr: 'learningRate', weight_decay: 'weightDecay', betas: 'adamBetas', eps: 'adamEpsilon' },
  Adafactor: {
    lr: 'learningRate',
    weight_decay: 'weightDecay',
    eps: 'adafactorEps',
    clip_threshold: 'adafactorClipThreshold',
    decay_rate: 'adafactorDecayRate',
    beta1: 'adafactorBeta1',
    scale_parameter: 'adafactorScaleParameter',
    relative_step: 'adafactorRelativeStep',
    warmup_init: 'adafactorWarmupInit',
  },
};

/** Biases and layer norms keep their size: decay would pull them to zero without making the model simpler. */
export function decays(name: string): boolean {
  return !name.endsWith('.bias') && !/layer_?norm/i.test(name);
}

/**
 * The groups that the options make of a model's weights, the one without custom settings last. A group of names is decayed as
 * it says, whole; of a layer, biases and layer norms are not decayed (Simple Transformers' rules).
 */
export function parameterGroups(weights: ModelWeights, options: GroupOptions): ParameterGroup[] {
  const taken = new Map<string, string>();
  const groups: ParameterGroup[] = [];
  const take = (name: string, owner: string): string => {
    const earlier = taken.get(name);
    if (earlier !== undefined) fail('args', `${name} is in ${earlier} and in ${owner}. Leave it in one.`);
    taken.set(name, owner);
    return name;
  };

  for (const [i, group] of options.customParameterGroups.entries()) {
    const area = `customParameterGroups[${i}]`;
    const { params, settings, given } = readGroup(group, 'params', options, area);
    if (!Array.isArray(params) || params.length === 0)
      fail('args', `${area}: params is a list of names of weights, not ${JSON.stringify(params)}.`);
    const names = params.map((name) => take(weightNamed(weights, String(name), area), area));
    const decay = (name: string) => (given.has('weightDecay') || decays(name) ? settings.weightDecay : 0);
    groups.push({ parameters: names.map((name) => ({ name, weightDecay: decay(name) })), settings });
  }
  for (const [i, group] of options.customLayerParameters.entries()) {
    const area = `customLayerParameters[${i}]`;
    const { layer, settings } = readGroup(group, 'layer', options, area);
    const ofLayer = trained(weights).filter((name) => layerOf(name) === Number(layer));
    const names = ofLayer.filter((name) => !taken.has(name));
    if (ofLayer.length === 0) {
      const numbers = [...new Set(trained(weights).map(layerOf))].filter((number) => number !== undefined);
      fail(
        'args',
        `${area}: there is no layer ${JSON.stringify(layer)}. The layers are ${numbers.sort((a, b) => a - b).join(', ')}.`,
      );
    }
    if (names.length === 0)
      fail('args', `${area}: all weights of layer ${layer} are in groups before it. Leave it out.`);
    groups.push(
      usual(
        names.map((name) => take(name, area)),
        settings,
      ),
    );
  }
  const rest = trained(weights).filter((name) => !taken.has(name));
  if (!options.trainCustomParametersOnly) groups.push(usual(rest, options));
  else if (taken.size === 0) {
    fail(
      'args',
      'trainCustomParametersOnly freezes all weights but those of custom groups, and there are none. ' +
        'Set customParameterGroups or customLayerParameters.',
    );
  }
  return groups.filter(({ parameters }) => parameters.length > 0);
}

function usual(names: readonly string[], settings: OptimizerSettings): ParameterGroup {
  return {
    parameters: names.map((name) => ({ name, weightDecay: decays(name) ? settings.weightDecay : 0 })),
    settings,
  };
}

function trained({ specs }: ModelWeights): string[] {
  return [...specs.values()].filter(({ buffer }) => !buffer).map(({ name }) => name);
}

/** `encoder.layers.3.fc1.weight` → 3; also BERT's `layer.3.`. */
function layerOf(name: string): number | undefined {
  const [, number] = /(?:^|\.)layers?\.(\d+)\./.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** The trained weight of a name, or of an alias such as `lm_head.weight` for tied embeddings. */
function weightNamed(weights: ModelWeights, name: string, area: string): string {
  for (const spec of weights.specs.values()) {
    if (spec.name !== name && !spec.aliases?.includes(name) && !spec.copies?.includes(name)) continue;
    if (spec.buffer) fail('args', `${area}: ${name} is kept with the model but not trained. Leave it out.`);
    return spec.name;
  }
  const meant = nearest(name, trained(weights));
  return fail(
    'args',
    `${area}: the model has no weight ${name}. ${meant ? `Did you mean ${meant}?` : 'Name one of its weights.'}`,
  );
}

/** A custom group: what it is of, and the settings it has on top of the options, each checked as the option is. */
function readGroup<K extends string>(group: unknown, subject: K, options: GroupOptions, area: string) {
  const keys = KEYS[options.optimizer];
  refuseUnknown(area, group, [subject, ...Object.keys(keys), ...Object.values(keys)]);
  const { [subject]: of, ...entries } = group as Record<string, unknown>;
  if (of === undefined) fail('args', `${area} does not say what it is of. Give ${subject}.`);
  const settings: Record<string, unknown> = { ...options };
  const given = new Set<SettingName>();
  for (const [key, value] of Object.entries(entries)) {
    const name = keys[key] ?? (key as SettingName);
    if (given.has(name)) fail('args', `${area}: ${key} is given twice, under both its names. Keep one.`);
    settings[name] = checkOption(name, value, key, area) ?? undefined;
    given.add(name);
  }
  return { [subject]: of, settings, given } as unknown as Record<K, unknown> & {
    settings: OptimizerSettings;
    given: ReadonlySet<SettingName>;
  };
}
