import { generationOptions } from './generation-table.js';
import * as o from './option.js';

// Every option once. Names, defaults and meanings are those of Simple Transformers unless a note says otherwise; from
// these tables come the types, the validation, the command line's flags, the documentation and `model_args.json`.

export const trainingOptions = {
  numTrainEpochs: o.works(o.count, 1, 'How often training goes through all rows.'),
  maxSteps: o.works(o.stepsOrNoLimit, -1, 'Optimizer steps to train; overrides numTrainEpochs.'),
  trainBatchSize: o.works(o.count, 8, 'Rows of a training batch.'),
  batchTokens: o.works(
    o.count.optional(),
    undefined,
    'Tokens of a batch, instead of trainBatchSize or evalBatchSize rows.',
    {
      note: 'Not in Simple Transformers. Source and target tokens together; a longer row is a batch alone. In prediction: beams × (longest source + maxLength) of the texts under way.',
    },
  ),
  gradientAccumulationSteps: o.works(o.count, 1, 'Batches whose gradients are summed into one optimizer step.'),
  learningRate: o.works(o.notNegative, 4e-5, 'The highest learning rate, reached at the end of the warm-up.'),
  optimizer: o.works(o.oneOf('AdamW', 'Adafactor'), 'AdamW', 'The rule that turns gradients into updates.'),
  adamBetas: o.works(o.betas, [0.9, 0.999], "Decay of AdamW's running means of gradients and of their squares."),
  adamEpsilon: o.works(o.positive, 1e-8, "Added to the root in AdamW's denominator."),
  weightDecay: o.works(o.notNegative, 0, 'Decoupled weight decay.', {
    note: "Biases and all layer norms are spared; the reference misses BART's `layer_norm` weights and decays them.",
  }),
  labelSmoothing: o.works(o.share, 0, 'Share of the label that is spread evenly over the vocabulary.', {
    note: "Not in Simple Transformers; as Transformers' `label_smoothing_factor`, in training alone: eval_loss stays the plain cross-entropy.",
  }),
  maxGradNorm: o.works(o.positive, 1, 'Gradients are scaled down to this global norm.'),
  scheduler: o.works(
    o.oneOf(
      'linear_schedule_with_warmup',
      'constant_schedule',
      'constant_schedule_with_warmup',
      'cosine_schedule_with_warmup',
      'cosine_with_hard_restarts_schedule_with_warmup',
      'polynomial_decay_schedule_with_warmup',
    ),
    'linear_schedule_with_warmup',
    'How the learning rate moves over the steps.',
  ),
  warmupRatio: o.works(o.share, 0.06, 'Share of all steps in which the learning rate rises, rounded up.'),
  warmupSteps: o.works(o.wholeNumber, 0, 'Steps in which the learning rate rises; above 0 it overrides warmupRatio.'),
  maxBadSteps: o.works(
    o.wholeNumber,
    10,
    'Steps without a finite loss or gradient that are skipped; one more ends training.',
    { note: 'Not in Simple Transformers, which goes on with weights that are no numbers.' },
  ),
  manualSeed: o.works(o.seed.optional(), undefined, 'Seed of shuffling, dropout, new weights and sampling.', {
    note: 'One seed gives equal weights to the bit. Unset, every run draws another.',
  }),
  adafactorBeta1: o.works(o.share.optional(), undefined, "Decay of Adafactor's running mean of gradients."),
  adafactorClipThreshold: o.works(o.positive, 1, "Root mean square at which Adafactor's update is clipped."),
  adafactorDecayRate: o.works(o.number, -0.8, "Exponent of Adafactor's running mean of squared gradients."),
  adafactorEps: o.works(o.pair, [1e-30, 1e-3], "Adafactor's two regularisers: squared gradient, weight scale."),
  adafactorRelativeStep: o.works(o.flag, true, 'Adafactor derives its learning rate from the step.', {
    note: 'While on, `learningRate` and `scheduler` do not count for Adafactor. Transformers refuses a learning rate beside it, which Simple Transformers always gives.',
  }),
  adafactorScaleParameter: o.works(o.flag, true, 'Adafactor scales its learning rate by the weights.'),
  adafactorWarmupInit: o.works(o.flag, true, "Adafactor's relative step starts with a warm-up.", {
    note: 'Needs `adafactorRelativeStep`; refused without it, as in Transformers.',
  }),
  cosineScheduleNumCycles: o.works(o.notNegative, 0.5, 'Waves of the cosine schedules.', {
    note: 'Of both cosine schedules, as in the reference.',
  }),
  polynomialDecayScheduleLrEnd: o.works(o.notNegative, 1e-7, 'Last learning rate of the polynomial schedule.', {
    note: 'Must be below `learningRate`, as in Transformers.',
  }),
  polynomialDecaySchedulePower: o.works(o.notNegative, 1, 'Exponent of the polynomial schedule.'),
  customLayerParameters: o.works(o.list, [], 'Optimizer settings for the parameters of single layers.', {
    note: "`layer` is the exact number, in encoder and decoder alike; the reference never finds BART's `layers.`, and `layer.1` in `layer.10`. Biases and layer norms are not decayed.",
  }),
  customParameterGroups: o.works(o.list, [], 'Optimizer settings for named parameters.', {
    note: "Python's keys or ours; tied names such as `lm_head.weight` are found. Unknown names, and a weight in two groups, are refused. Without `weight_decay` a group has `weightDecay`, where the reference takes PyTorch's default of 0.01.",
  }),
  trainCustomParametersOnly: o.works(o.flag, false, 'Trains the parameters of the custom groups alone.', {
    note: 'The rest is frozen: no gradients, no state of the optimizer.',
  }),
};

export const dataOptions = {
  maxSeqLength: o.works(o.count, 128, 'Tokens of a source; longer ones are cut.', {
    note: 'Nothing is padded to this length; the reference pads every row to it.',
  }),
  maxTargetLength: o.works(o.count.optional(), undefined, 'Tokens of a target; unset, it is maxSeqLength.', {
    note: 'Not in Simple Transformers, which cuts targets at `max_seq_length`.',
  }),
  encoding: o.works(o.text.optional(), undefined, 'Encoding of data files; unset, UTF-8.', {
    note: "A name of the WHATWG Encoding standard, or one of Python's for UTF-8 and Latin-1.",
  }),
  doLowerCase: o.works(
    o.flag,
    false,
    'Lower-cases texts, in tokenizers that can: those of BERT, DistilBERT and ELECTRA.',
    {
      note: "True overrides the `do_lower_case` of the tokenizer's files; false leaves it as it is. The reference ignores it.",
    },
  ),
  srcLang: o.works(o.text, 'en_XX', 'Language code of the sources (mbart, mbart50).'),
  tgtLang: o.works(o.text, 'ro_RO', 'Language code of the targets (mbart, mbart50).'),
  reprocessInputData: o.works(o.flag, true, 'Tokenises anew although a cache exists.', {
    note: 'False uses the token file of an earlier time if data, tokenizer and lengths are those of then.',
  }),
  noCache: o.works(o.flag, false, 'Writes no cache of tokenised rows.', {
    note: 'With very many rows a temporary file takes its place, which goes when training ends.',
  }),
  useCachedEvalFeatures: o.works(o.flag, false, 'Evaluates on tokenised rows of an earlier evaluation.'),
  cacheDir: o.works(o.path, 'cache_dir/', 'Directory of the cache of tokenised rows.', {
    note: 'Packed tokens, keyed by the content of the data, the tokenizer and the options; the reference keys by the count of rows.',
  }),
  datasetCacheDir: o.works(o.path.optional(), undefined, 'Directory of the cache of datasets.', {
    note: 'Where given, the cache of tokenised rows is there instead of in `cacheDir`.',
  }),
  useMultiprocessing: o.works(o.flag, false, 'Tokenises training rows in worker threads, however few they are.', {
    note: 'Nothing is forked. More than 20,000 rows, or 2 million characters, are tokenised in threads by themselves.',
    python: { default: true },
  }),
  useMultiprocessingForEvaluation: o.works(o.flag, false, 'The same for evaluation rows.', {
    python: { default: true },
  }),
  processCount: o.works(o.count.optional(), undefined, 'How many threads tokenise; 1 is the thread that calls.', {
    note: 'Unset, one for each processor, up to 8.',
    python: { local: true },
  }),
  multiprocessingChunksize: o.works(o.integer, -1, 'Most rows that such a thread takes at once; below 1, 2,000.', {
    python: { local: true },
  }),
  dataloaderNumWorkers: o.works(o.wholeNumber, 0, 'Batches that are made ahead, while the engine is at work.', {
    note: 'No processes: packing a batch takes a thread less than a millisecond. The result is the same.',
    python: { local: true },
  }),
  useHfDatasets: o.refused(
    'it names a Python package. Rows come from TSV, CSV and JSONL files or from arrays',
    o.flag,
    false,
    'Reads data through the Python package `datasets`.',
  ),
  datasetClass: o.refused(
    'it names a Python class. Pass the rows themselves, `{ input_text, target_text }`, to trainModel or evalModel',
    o.anything.optional(),
    undefined,
    'A Python class that makes the rows.',
  ),
};

export const evaluationOptions = {
  evalBatchSize: o.works(o.count, 8, 'Texts that are evaluated or answered at once.', {
    note: 'The results do not depend on it: eval_loss is the mean over tokens, not over batches. In prediction a text that has its answer makes place for the next.',
  }),
  evaluateGeneratedText: o.works(o.flag, false, 'Also generates texts in evaluation, for metrics on them.', {
    note: 'With no metric named: bleu, chrf and exactMatch. Metrics that are named or given are computed without it.',
  }),
  metrics: o.works(
    o.names,
    [],
    'Metrics of generated texts, by name: bleu, chrf, rouge1, rouge2, rougeL, rougeLsum, wer, cer, per, exactMatch.',
    {
      note: 'Not in Simple Transformers, where metrics are functions; those can be given to trainModel and evalModel. Naming any implies evaluateGeneratedText.',
    },
  ),
  evaluateDuringTraining: o.works(o.flag, false, 'Evaluates while training.'),
  evaluateDuringTrainingSteps: o.works(o.stepsOrNever, 2000, 'Steps between two evaluations.'),
  evaluateDuringTrainingSilent: o.works(o.flag, true, 'Without progress bars for these evaluations.'),
  evaluateDuringTrainingVerbose: o.works(o.flag, false, 'Prints the results of these evaluations.'),
  evaluateEachEpoch: o.works(o.flag, true, 'Also evaluates after each epoch.'),
  useEarlyStopping: o.works(o.flag, false, 'Stops when evaluations no longer get better.'),
  earlyStoppingMetric: o.works(o.text, 'eval_loss', 'The result that has to get better.'),
  earlyStoppingMetricMinimize: o.works(o.flag, true, 'Whether better means lower.'),
  earlyStoppingDelta: o.works(o.notNegative, 0, 'By how much it has to get better.', {
    note: 'The reference has its sign reversed: there a larger delta makes being better easier.',
  }),
  earlyStoppingPatience: o.works(o.count, 3, 'How many evaluations it may fail to.', {
    note: 'Counted over resumed runs as well; the reference starts anew.',
  }),
  earlyStoppingConsiderEpochs: o.works(o.flag, false, 'Counts the evaluations after epochs, too.'),
};

export const savingOptions = {
  outputDir: o.works(o.path, 'outputs/', 'Directory for the model, its checkpoints and results.'),
  overwriteOutputDir: o.works(o.flag, false, 'Trains into outputDir although it is not empty.'),
  saveSteps: o.works(o.stepsOrNever, 2000, 'Steps between two checkpoints.'),
  saveModelEveryEpoch: o.works(o.flag, true, 'Saves a checkpoint after each epoch.'),
  noSave: o.works(o.flag, false, 'Saves no model at all.'),
  notSavedArgs: o.works(o.names, [], 'Options to leave out of model_args.json.'),
  saveOptimizerAndScheduler: o.works(o.flag, true, 'Checkpoints also hold what is needed to resume from them.', {
    note: 'As `trainer_state.json` and `optimizer.safetensors`, from which a run goes on to the bit; the reference saves `optimizer.pt` and `scheduler.pt` and loses its place in the epoch and the random state.',
  }),
  saveTotalLimit: o.works(o.count.optional(), undefined, 'Checkpoints of a run that stay; the earliest go.', {
    note: 'Not in Simple Transformers; as in Transformers. The best model and the final one are kept beside them.',
  }),
  saveBestModel: o.works(o.flag, true, 'Keeps the best model of the evaluations during training.'),
  bestModelDir: o.works(o.path, 'outputs/best_model', 'Directory of the best model.', {
    note: 'Left at its default it is `best_model` in the output directory of the run; the reference writes to `outputs/` whatever the run.',
  }),
  saveEvalCheckpoints: o.works(o.flag, true, 'Saves a checkpoint at each evaluation during training.'),
};

export const loggingOptions = {
  loggingSteps: o.works(o.stepsOrNever, 50, 'Steps between two lines of training_log.jsonl.'),
  silent: o.works(o.flag, false, 'No progress bars and no log lines on the terminal.'),
  tensorboardDir: o.works(o.path.optional(), undefined, 'Directory of TensorBoard files.', {
    note: 'Unset, nothing is written; the reference then writes to `runs/`.',
  }),
  wandbProject: o.works(o.text.optional(), undefined, 'Project on Weights & Biases.', {
    note: 'Sent in the background; a network that fails costs a warning.',
  }),
  wandbKwargs: o.works(o.object, {}, 'Further settings of Weights & Biases.', {
    note: '`entity`, `name`, `id`, `group`, `tags`, `notes`, `job_type`, `mode` and `config` of `wandb.init`; others are refused.',
  }),
  sweepConfig: o.works(o.object.optional(), undefined, 'Options set by a sweep of Weights & Biases.', {
    note: 'Values by option, or as W&B keeps them, `{ name: { value } }`; they override all others.',
    python: { local: true },
  }),
};

export const modelOptions = {
  config: o.works(o.object, {}, "Values that override those of the model's config.json."),
  tokenizerName: o.works(
    o.path.optional(),
    undefined,
    'Directory or hub id of the tokenizer, if it is not beside the model.',
    {
      note: 'Not kept in model_args.json: a saved model carries its tokenizer.',
      python: { local: true },
    },
  ),
  threads: o.works(o.count.optional(), undefined, 'Threads that compute; unset, as many as physical cores.', {
    python: { name: 'thread_count' },
  }),
  modelName: o.recorded(o.text.optional(), undefined, 'What the model was loaded from; set by the model.'),
  modelType: o.recorded(o.text.optional(), undefined, 'Its type, e.g. bart; set by the model.'),
  tokenizerType: o.works(
    o.text.optional(),
    undefined,
    "Family of the tokenizer, if not the model type's own, e.g. roberta.",
  ),
  baseMarianModelName: o.works(
    o.text.optional(),
    undefined,
    "Where a marian model's tokenizer comes from if its directory has none: a directory or hub id.",
  ),
  dynamicQuantize: o.works(o.flag, false, 'Quantizes the model to 8 bits when it is loaded.', {
    note: 'Such a model predicts, and is not trained.',
  }),
  quantizedModel: o.works(o.flag, false, 'Insists on a model that was saved quantized.', {
    note: 'That a directory holds one is found out without it. The reference loads an ONNX file of its own.',
  }),
  fp16: o.refused(
    'arithmetic is float32: half precision makes nothing faster on a CPU. Checkpoints in float16 load all the same',
    o.flag,
    false,
    'Mixed precision.',
    { note: 'The default there is true, which only counts on a GPU.', python: { default: true } },
  ),
  nGpu: o.refused(
    'training runs on the CPU; `threads` says on how many cores',
    o.wholeNumber,
    1,
    'How many GPUs train.',
  ),
  localRank: o.refused(
    "it is set by PyTorch's launcher, which has no part here; one process trains, on `threads` cores",
    o.integer,
    -1,
    'Place of this process in a distributed run.',
  ),
};

export const retrievalOptions = {
  faissD: o.works(o.count.optional(), undefined, 'Size of the embeddings, to be held against what the encoders make.', {
    note: 'Simple Transformers: 768, whatever the encoders. Unset here: the size that the context encoder makes.',
    python: { default: 768 },
  }),
  faissM: o.works(o.count, 128, 'Links of a node in an HNSW index.'),
  faissIndexType: o.works(
    o.oneOf('IndexFlatIP', 'IndexFlatL2', 'IndexHNSWFlat'),
    'IndexFlatIP',
    'Kind of index that is built: exact by inner product or distance, or a graph that finds almost all of the best.',
    { note: 'Simple Transformers builds an IndexHNSWFlat whatever this says.' },
  ),
  includeTitleInCorpus: o.works(o.flag, true, 'Embeds titles together with texts.', {
    note: 'Also met as `include_title_in_knowledge_dataset`, which is accepted.',
  }),
  ragEmbedBatchSize: o.works(o.count, 1, 'Passages of a batch when they are embedded.', { python: { default: 16 } }),
  saveKnowledgeDataset: o.works(o.flag, true, 'Saves the embedded passages with the model.'),
  saveKnowledgeDatasetWithCheckpoints: o.works(o.flag, false, 'Saves them with every checkpoint, too.'),
  splitTextN: o.works(o.count, 100, 'Occurrences of splitTextCharacter after which a passage ends.'),
  splitTextCharacter: o.works(o.text, ' ', 'What is counted to split texts into passages.'),
  ragHidePadding: o.works(o.flag, false, 'Hides the padding of documents from the decoder of a rag-sequence.', {
    note: 'Not in Simple Transformers. Transformers 4.49 pads every document to max_combined_length and lets the decoder see the padding; this leaves it out, as other releases do, which is faster.',
  }),
};

/** The tables in the order in which they are shown. */
export const optionGroups = {
  Training: trainingOptions,
  Data: dataOptions,
  Evaluation: evaluationOptions,
  Generation: generationOptions,
  Saving: savingOptions,
  Logging: loggingOptions,
  Model: modelOptions,
  Retrieval: retrievalOptions,
} as const;

export const options = {
  ...trainingOptions,
  ...dataOptions,
  ...evaluationOptions,
  ...generationOptions,
  ...savingOptions,
  ...loggingOptions,
  ...modelOptions,
  ...retrievalOptions,
};
