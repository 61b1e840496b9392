import { fail, nearest } from '../errors.js';
import { fields } from './option-fields.js';

type Json = Readonly<Record<string, unknown>>;

/** The settings that a checkpoint carries, by their Python names, and the file that they come from. */
export interface StoredSettings {
  readonly file: 'generation_config.json' | 'config.json';
  readonly values: Json;
}

/** Python name → Transformers' default, of the settings read here. */
const supported = new Map<string, unknown>(
  Object.values(fields).flatMap(({ python, initial }) => (python === undefined ? [] : [[python, initial] as const])),
);

/** Settings of Transformers that this search doesn't have, with the value beside None under which they do nothing. */
const unsupported = new Map<string, unknown>(
  Object.entries({
    penalty_alpha: 0,
    dola_layers: null,
    encoder_repetition_penalty: 1,
    encoder_no_repeat_ngram_size: 0,
    force_words_ids: null,
    constraints: null,
    remove_invalid_values: false,
    exponential_decay_length_penalty: null,
    forced_decoder_ids: null,
    sequence_bias: null,
    token_healing: false,
    guidance_scale: 1,
    watermarking_config: null,
    max_time: null,
    stop_strings: null,
    prompt_lookup_num_tokens: null,
    assistant_early_exit: null,
  }),
);

/** Settings that change no answer: what comes back beside it, how caches are laid out, how a draft model works. */
const harmless = new Set([
  'transformers_version',
  'use_cache',
  'cache_implementation',
  'cache_config',
  'return_legacy_cache',
  'low_memory',
  'compile_config',
  'disable_compile',
  'output_attentions',
  'output_hidden_states',
  'output_scores',
  'output_logits',
  'return_dict_in_generate',
  'is_assistant',
  'num_assistant_tokens',
  'num_assistant_tokens_schedule',
  'assistant_confidence_threshold',
  'max_matching_ngram_size',
  'assistant_lookbehind',
  'target_lookbehind',
  'generation_kwargs',
]);

const specialIds = ['bos_token_id', 'decoder_start_token_id', 'eos_token_id', 'pad_token_id'];

/**
 * Which file speaks. `generation_config.json` does, and then alone: what it leaves out is at its default, whatever
 * `config.json` says. Without one (`{}`) the settings inside `config.json` hold, as in old checkpoints; they also do
 * where `generation_config.json` calls itself derived from them and they have been changed.
 *
 * `classDefaults` is what `config.json` means by leaving a setting out: the defaults of its configuration class.
 *
 * A file that names no start token, where Transformers would give up, takes its special ids from `config.json`.
 */
export function storedSettings(generationConfig: Json, config: Json, classDefaults: Json): StoredSettings {
  const inConfig = settingsOf(config, classDefaults);
  const isMissing = Object.keys(generationConfig).length === 0;
  if (isMissing || (generationConfig._from_model_config === true && hasOwnSettings(config, classDefaults))) {
    return { file: 'config.json', values: inConfig };
  }
  const namesStart = (generationConfig.decoder_start_token_id ?? generationConfig.bos_token_id) != null;
  const ids = specialIds.map((name) => [name, generationConfig[name] ?? inConfig[name]]);
  return {
    file: 'generation_config.json',
    values: namesStart ? generationConfig : { ...generationConfig, ...Object.fromEntries(ids) },
  };
}

/** None says nothing here; a composite model's decoder speaks where the model itself doesn't. */
function settingsOf(config: Json, classDefaults: Json): Json {
  const own: Json = { ...classDefaults, ...config };
  const decoder = (config.decoder ?? config.generator ?? {}) as Json;
  const settings: Record<string, unknown> = {};
  for (const name of [...supported.keys(), ...unsupported.keys()]) {
    const value = own[name] ?? decoder[name];
    if (value != null) settings[name] = value;
  }
  // How early BART checkpoints for summaries say it.
  if (own.force_bos_token_to_be_generated === true) settings.forced_bos_token_id ??= own.bos_token_id;
  return settings;
}

function hasOwnSettings(config: Json, classDefaults: Json): boolean {
  const initial: Json = { ...Object.fromEntries([...supported, ...unsupported]), ...classDefaults };
  return Object.keys(initial).some(
    (name) => !specialIds.includes(name) && config[name] != null && config[name] !== initial[name],
  );
}

/** Nothing that a checkpoint asks for is silently left undone. */
export function refuseUnsupported({ file, values }: StoredSettings): void {
  for (const [name, value] of Object.entries(values)) {
    if (value == null || supported.has(name) || harmless.has(name) || name.startsWith('_')) continue;
    if (unsupported.has(name) && unsupported.get(name) === value) continue;
    const guess = unsupported.has(name) ? undefined : nearest(name, supported.keys());
    fail(
      'generation',
      `${file} sets ${name} to ${JSON.stringify(value)}, which this search does not have. ` +
        (guess === undefined ? `Remove it from ${file} to search without it.` : `Did you mean ${guess}?`),
    );
  }
}
