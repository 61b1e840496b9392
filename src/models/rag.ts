import { fail } from '../errors.js';
import type { ModelPart, RagKind, Retrieval, Seq2SeqArchitecture } from './architecture.js';
import { bart } from './bart.js';
import { prefixed } from './bert-parameters.js';
import type { ParameterSpec } from './builder.js';
import { ConfigReader, type JsonObject } from './config.js';
import { dprEncoder } from './dpr.js';
import { behindItself } from './targets.js';

const GENERATOR = 'rag.generator';
const QUESTION_ENCODER = 'rag.question_encoder';

const classNames: Readonly<Record<RagKind, string>> = {
  token: 'RagTokenForGeneration',
  sequence: 'RagSequenceForGeneration',
};

/** Retrieval-augmented generation (Lewis et al. 2020): a DPR question encoder that finds documents, and a BART that reads them. */
export function rag(json: JsonObject, type: string): Seq2SeqArchitecture {
  const config = new ConfigReader(json);
  const generatorConfig = sectionOf(json, config, 'generator', 'bart');
  const questionConfig = config.section('question_encoder');
  sectionOf(json, config, 'question_encoder', 'dpr');
  const questions = dprEncoder(questionConfig, 'question');
  const generator = under(GENERATOR, bart(generatorConfig));
  const kind: RagKind = type === 'rag-token' ? 'token' : 'sequence';
  const size = config.integer('retrieval_vector_size', { fallback: questions.size });
  if (size !== questions.size) {
    fail(
      'config.json',
      `retrieval_vector_size is ${size}, but the question encoder makes vectors of ${questions.size} numbers. Set it to ${questions.size}.`,
    );
  }
  const longest = config.integer('max_combined_length', { fallback: 300, least: 2 });
  if (longest > generator.maxSourceLength) {
    fail(
      'config.json',
      `max_combined_length is ${longest}, but the generator has ${generator.maxSourceLength} positions. Lower it: config { "max_combined_length": ${generator.maxSourceLength} }.`,
    );
  }
  const bos =
    config.optionalInteger('bos_token_id') ||
    new ConfigReader(generatorConfig).integer('bos_token_id', { fallback: 0 });
  const retrieval: Retrieval = {
    kind,
    generator,
    size: questions.size,
    documents: config.integer('n_docs', { fallback: 5, least: 1 }),
    titleSeparator: config.string('title_sep', ' / '),
    documentSeparator: config.string('doc_sep', ' // '),
    prefix: new ConfigReader(generatorConfig).string('prefix', ''),
    maxCombinedLength: longest,
    excludesBosScore: config.boolean('exclude_bos_score', false),
    deduplicates: config.boolean('do_deduplication', true),
    labelSmoothing: config.rate('label_smoothing', 0),
    bosTokenId: bos,
    encodeQuestions: (m, input) => m.within(QUESTION_ENCODER, (part) => questions.encode(part, input)),
  };
  return {
    ...generator,
    type,
    parts: [{ folder: '', prefix: '', className: classNames[kind] }],
    sources: [
      { folder: 'question_encoder', prefix: `${QUESTION_ENCODER}.`, className: 'DPRQuestionEncoder' },
      { folder: 'generator', prefix: `${GENERATOR}.`, basePrefix: 'model.', className: generator.parts[0]!.className },
    ],
    sourceVocabSize: questions.vocabSize,
    maxSourceLength: questions.maxLength,
    // The generator's tokenizer ends a target as it begins one; the decoder reads it as it is, as Transformers' RAG does.
    teach: behindItself,
    parameters: [
      ...prefixed(QUESTION_ENCODER, questions.parameters),
      ...(kind === 'sequence' ? withHead(generator.parameters) : generator.parameters),
    ],
    retrieval,
  };
}

/** The config of a part, which must be of the one type that is supported there. */
function sectionOf(json: JsonObject, config: ConfigReader, name: 'generator' | 'question_encoder', only: string) {
  const type = config.section(name).string('model_type');
  if (type !== only) {
    fail('config.json', `${name}.model_type is "${type}"; only ${only} is supported there. Use another checkpoint.`);
  }
  return json[name] as JsonObject;
}

/** An architecture whose weights have a prefix before their names. */
function under(prefix: string, inner: Seq2SeqArchitecture): Seq2SeqArchitecture {
  const { weight, bias } = inner.head;
  const parts: ModelPart[] = inner.parts.map((part) => ({ ...part, prefix: `${prefix}.${part.prefix}` }));
  return {
    ...inner,
    parts,
    parameters: prefixed(prefix, inner.parameters),
    head: { weight: `${prefix}.${weight}`, ...(bias !== undefined && { bias: `${prefix}.${bias}` }) },
    encoder: (m, input) => m.within(prefix, (part) => inner.encoder(part, input)),
    decoder: (m, input) => m.within(prefix, (part) => inner.decoder(part, input)),
    crossAttention: (m, layer, encoded) => inner.crossAttention(m.at(prefix), layer, encoded),
  };
}

/** Transformers does not tie the head of a RagSequenceForGeneration when it loads one: it is left random unless it is there. */
function withHead(parameters: readonly ParameterSpec[]): ParameterSpec[] {
  return parameters.map((spec) => {
    const heads = (spec.aliases ?? []).filter((alias) => alias.endsWith('.lm_head.weight'));
    return heads.length > 0 ? { ...spec, copies: [...(spec.copies ?? []), ...heads] } : spec;
  });
}
