import { fail, nearest } from './errors.js';
import { type ModelType, modelTypes } from './model-types.js';

/** Where a model comes from: one name, an encoder's and a decoder's, or nowhere: it starts fresh from a config. */
export type ModelNames =
  | { readonly kind: 'whole'; readonly name: string }
  | { readonly kind: 'halves'; readonly encoder: string; readonly decoder: string }
  | { readonly kind: 'retrieval'; readonly name: string; readonly questionEncoder: string }
  | { readonly kind: 'fresh' };

export interface ModelChoice {
  readonly type: ModelType;
  readonly names: ModelNames;
}

/** The ways of naming a model, as Simple Transformers has them. */
export interface ChoiceOptions {
  /** The type of one checkpoint for both sides: `bart`, `mbart`, `mbart50`, `marian`, `rag-token`, `rag-sequence`. */
  encoderDecoderType?: string | undefined;
  /** A directory or hub id. Without it, and without the two below, `config` describes a fresh model. */
  encoderDecoderName?: string | undefined;
  /** The encoder's type in a generic encoder-decoder: `bert`, `roberta`, `distilbert`, `camembert`, `electra`. */
  encoderType?: string | undefined;
  encoderName?: string | undefined;
  /** A BERT; where its checkpoint has no cross-attention, that starts fresh. */
  decoderName?: string | undefined;
  /** A DPRQuestionEncoder or a BERT, for a rag-token or rag-sequence whose `encoderDecoderName` is a generator alone. */
  ragQuestionEncoderModelName?: string | undefined;
}

const WAYS =
  'Give encoderDecoderType with encoderDecoderName, or encoderType with encoderName and decoderName, or a type with a config.';

/** What the options ask for, or an error that says which of them belong together. */
export function chooseModel(options: ChoiceOptions, hasConfig: boolean): ModelChoice {
  const { encoderDecoderType, encoderDecoderName, encoderType, encoderName, decoderName } = options;
  if (encoderDecoderType !== undefined && encoderType !== undefined && encoderDecoderType !== encoderType) {
    fail('model', `encoderDecoderType ${encoderDecoderType} and encoderType ${encoderType} contradict. ${WAYS}`);
  }
  const given = encoderDecoderType ?? encoderType ?? fail('model', `no type is given. ${WAYS}`);
  const type = checkType(given);
  const isGeneric = modelTypes[type] === 'encoder-decoder';
  const isRetrieving = modelTypes[type] === 'rag';
  const { ragQuestionEncoderModelName: questionEncoder } = options;
  if (questionEncoder !== undefined && !isRetrieving) {
    fail('model', `ragQuestionEncoderModelName is of a rag-token or rag-sequence, not of a ${type}. Leave it out.`);
  }
  if (encoderType !== undefined && !isGeneric) {
    fail('model', `a ${type} is no encoder of its own. Give it as encoderDecoderType, with encoderDecoderName.`);
  }
  if (encoderDecoderName !== undefined) {
    if (encoderName !== undefined || decoderName !== undefined)
      fail('model', `encoderDecoderName comes with ${encoderName ? 'an encoderName' : 'a decoderName'}. ${WAYS}`);
    return questionEncoder === undefined
      ? { type, names: { kind: 'whole', name: encoderDecoderName } }
      : { type, names: { kind: 'retrieval', name: encoderDecoderName, questionEncoder } };
  }
  if (encoderName !== undefined || decoderName !== undefined) {
    if (!isGeneric) fail('model', `a ${type} has one name. Give it as encoderDecoderName.`);
    const missing = encoderName === undefined ? 'encoderName' : 'decoderName';
    if (encoderName === undefined || decoderName === undefined) fail('model', `${missing} is missing. ${WAYS}`);
    return { type, names: { kind: 'halves', encoder: encoderName, decoder: decoderName } };
  }
  if (isRetrieving) {
    fail(
      'model',
      `a ${type} is loaded, not started fresh. Give encoderDecoderName: a RAG's directory, or a BART's with ragQuestionEncoderModelName.`,
    );
  }
  if (!hasConfig) fail('model', `no name and no config is given. ${WAYS}`);
  return { type, names: { kind: 'fresh' } };
}

function checkType(given: string): ModelType {
  // As model_args.json of Simple Transformers records a generic model.
  const type = given.endsWith('-bert') ? given.slice(0, -'-bert'.length) : given;
  if (Object.hasOwn(modelTypes, type)) return type as ModelType;
  const meant = nearest(type, Object.keys(modelTypes));
  return fail('model', `there is no model type "${type}". ${meant ? `Did you mean ${meant}? ` : ''}Known: ${known()}.`);
}

function known(): string {
  return Object.keys(modelTypes).join(', ');
}
