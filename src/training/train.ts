import path from 'node:path';
import { writeFileWhole } from '../checkpoints/index.js';
import { Seq2SeqError } from '../errors.js';
import { KernelPool } from '../kernels/index.js';
import { formatRate, Progress } from '../progress.js';
import { BatchFeed } from './batch-feed.js';
import type { BatchPlan } from './batches.js';
import { judge } from './best-result.js';
import { GradientProgram } from './gradient-program.js';
import { makeBatch } from './make-batch.js';
import {
  createOptimizer,
  createSchedule,
  gradientNorm,
  type Optimizer,
  parameterGroups,
  type Schedule,
  warmupStepsOf,
} from './optimizers/index.js';
import { progressScoresCsv } from './progress-scores.js';
import { RunDirectory } from './run-directory.js';
import { readOptimizer, savedState } from './saved-state.js';
import { initialState, noSums, type TrainerState } from './trainer-state.js';
import { TrainingLog } from './training-log.js';
import type { TrainingOptions, TrainingResult, TrainingRun } from './training-run.js';

/**
 * Trains to the end of the run. Each epoch visits the examples in an order of its own, fixed by the seed;
 * `gradientAccumulationSteps` batches make one optimizer step (the last step of an epoch takes what is left). Everything random
 * is a function of seed, epoch and batch number, and all else is in the saved state, so equal runs end with equal weights, to
 * the bit, however often they were stopped and resumed.
 */
export async function train(run: TrainingRun): Promise<TrainingResult> {
  const directory = await RunDirectory.open(run.outputDir);
  try {
    return await new Training(run, directory).toTheEnd();
  } finally {
    directory.close();
  }
}

/** Of a resumed run too, for an output directory that it was not in before. */
function stateAtStart({ runId, seed, options, identity, resume, plan: { totalSteps } }: TrainingRun): TrainerState {
  return initialState({ runId, seed, threads: resume?.state.threads ?? options.threads, totalSteps, identity });
}

/** For the speed: tokens since a time. */
const freshSpan = () => ({ tokens: 0, start: performance.now() });

class Training {
  readonly #run: TrainingRun;
  readonly #options: TrainingOptions;
  readonly #directory: RunDirectory;
  readonly #state: TrainerState;
  readonly #pool: KernelPool;
  readonly #program: GradientProgram;
  readonly #optimizer: Optimizer;
  readonly #schedule: Schedule;
  readonly #log: TrainingLog;
  readonly #progress: Progress;
  #plan: { readonly epoch: number; readonly batches: BatchPlan; readonly feed: BatchFeed } | undefined;
  #span = freshSpan();
  #speed = '';
  /** The last checkpoint, and the place in the run that it holds. */
  #saved: { readonly place: string; readonly directory: string } | undefined;

  constructor(run: TrainingRun, directory: RunDirectory) {
    const { architecture, weights, options, seed, resume } = run;
    this.#run = run;
    this.#options = options;
    this.#directory = directory;
    this.#state = resume?.state ?? stateAtStart(run);
    const { totalSteps } = run.plan;
    const warmupSteps = warmupStepsOf(totalSteps, options.warmupSteps, options.warmupRatio);
    this.#schedule = createSchedule(options.scheduler, options, warmupSteps, totalSteps);
    this.#pool = new KernelPool(options.threads);
    const asked = parameterGroups(weights, options);
    const named = new Set(asked.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
    this.#program = new GradientProgram(architecture, weights, {
      seed,
      threads: options.threads,
      pool: this.#pool,
      labelSmoothing: options.labelSmoothing,
      isTrained: (name) => named.has(name),
    });
    // Weights that take no part in the loss, such as a pooler's, have no gradient and are left as they are.
    const trained = new Set(this.#program.trainable);
    const groups = asked.map((group) => ({
      ...group,
      parameters: group.parameters.filter(({ name }) => trained.has(name)),
    }));
    this.#optimizer = createOptimizer(options.optimizer, weights, groups, this.#pool);
    if (resume?.directory !== undefined && !resume.state.finished) {
      this.#optimizer.restore(readOptimizer(resume.directory, resume.state.optimizer_steps));
    }
    this.#log = new TrainingLog(path.join(run.outputDir, 'training_log.jsonl'), this.#state.global_step);
    this.#progress = new Progress('Training', totalSteps, options.silent);
    this.#progress.startAt(this.#state.global_step);
  }

  async toTheEnd(): Promise<TrainingResult> {
    const state = this.#state;
    try {
      if (!this.#options.noSave) await this.#directory.noteStart(stateAtStart(this.#run));
      if (state.step_pending) await this.#afterStep();
      while (!state.finished) await this.#epoch();
      this.#progress.finish();
      if (!this.#options.noSave) await this.#saveEnd();
    } catch (error) {
      if (this.#run.signal?.aborted) await this.#saveInterrupted();
      throw error;
    } finally {
      this.#log.close();
      this.#program.dispose();
      this.#run.weights.forgetIn(this.#pool);
      await this.#pool.dispose();
    }
    return {
      globalStep: state.global_step,
      trainingLoss: state.total.loss / Math.max(1, state.total.steps),
      badSteps: state.bad_steps,
      endedBy: state.finished ?? 'steps',
      progressScores: state.progress_scores,
    };
  }

  async #epoch(): Promise<void> {
    const state = this.#state;
    const { count } = this.#epochPlan().batches;
    while (state.batch_in_epoch < count && state.global_step < state.max_steps) {
      this.#run.signal?.throwIfAborted();
      await this.#step();
      await this.#afterStep();
      if (state.finished) return;
    }
    await this.#afterEpoch();
  }

  /** One optimizer step. The state changes at its end only, so a step cut short is made anew when the run is resumed. */
  async #step(): Promise<void> {
    const { weights, signal } = this.#run;
    const [options, state, { batches, feed }] = [this.#options, this.#state, this.#epochPlan()];
    const count = Math.min(options.gradientAccumulationSteps, batches.count - state.batch_in_epoch);
    const done = noSums();
    for (let i = 0; i < count; i++) {
      signal?.throwIfAborted();
      const batch = await feed.take(state.batch_in_epoch + i);
      const running = this.#program.run(batch, state.batch_number + i, i > 0);
      feed.prepare(state.batch_in_epoch + i);
      done.loss += await running;
      done.tokens += batch.tokenCount;
      done.places += batch.places;
    }
    const { loss } = done;
    const norm = await gradientNorm(weights, this.#program.trainable, this.#pool);
    const factor = this.#schedule(state.global_step);
    const learningRate = this.#optimizer.learningRate(factor);
    const first = state.batch_in_epoch;
    state.global_step++;
    state.batch_in_epoch += count;
    state.batch_number += count;
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) return this.#skip(loss, norm, learningRate, first, count);

    const clips = this.#optimizer.clipsByNorm && options.maxGradNorm > 0;
    await this.#optimizer.step(factor, clips ? Math.min(1, options.maxGradNorm / (norm + 1e-6)) : 1);
    state.optimizer_steps++;
    for (const sums of [state.total, state.since_log, state.since_evaluation]) {
      for (const name of ['loss', 'tokens', 'places'] as const) sums[name] += done[name];
      sums.steps++;
    }
    this.#span.tokens += done.tokens;
    if (isDue(options.loggingSteps, state.global_step)) this.#logStep(learningRate, norm);
    this.#show(loss, learningRate);
    await this.#run.callbacks?.onStep?.({
      step: state.global_step,
      totalSteps: state.max_steps,
      epoch: this.#epochsDone(),
      loss,
      learningRate,
      gradientNorm: norm,
    });
  }

  /** Leaves the weights as they are after a step whose loss or gradient is not finite; too many end the run, saved. */
  async #skip(loss: number, norm: number, learningRate: number, first: number, count: number): Promise<void> {
    const [state, options] = [this.#state, this.#options];
    state.bad_steps++;
    const what = `at step ${state.global_step} the loss is ${loss} and the gradient norm ${norm}, at learning rate ${learningRate}`;
    this.#progress.log(`training: ${what}. The step is skipped, ${state.bad_steps} of at most ${options.maxBadSteps}.`);
    if (state.bad_steps <= options.maxBadSteps) return;
    const rows = Array.from({ length: count }, (_, i) => [...this.#epochPlan().batches.at(first + i)])
      .flat()
      .map((index) => this.#run.examples.rowNumber(index));
    const shown = rows.length > 64 ? `${rows.slice(0, 64).join(', ')}, …` : rows.join(', ');
    const isWhole = [...this.#run.weights.specs.keys()].every((name) => this.#run.weights.isFinite(name));
    const saved = isWhole && !options.noSave ? await this.#saveHere() : undefined;
    const where = saved
      ? `The model is saved in ${saved}.`
      : isWhole
        ? ''
        : 'The weights themselves are no longer finite.';
    throw new Seq2SeqError(
      'training',
      `${what}; ${state.bad_steps} such steps are more than the ${options.maxBadSteps} allowed (maxBadSteps). Its rows are ${shown}. ${where} ` +
        'Lower learningRate, or look for broken texts among these rows.',
    );
  }

  #logStep(learningRate: number, norm: number): void {
    const state = this.#state;
    const { loss, steps, tokens, places } = state.since_log;
    const entry = {
      step: state.global_step,
      epoch: this.#epochsDone(),
      loss: loss / steps,
      lr: learningRate,
      grad_norm: norm,
      tokens_per_second: Math.round(this.#span.tokens / ((performance.now() - this.#span.start) / 1000)),
      padding: Number((1 - tokens / places).toFixed(4)),
    };
    this.#log.write(entry);
    const { step, epoch: _, ...values } = entry;
    for (const logger of this.#run.loggers ?? []) logger.scalars(step, values);
    state.since_log = noSums();
    this.#span = freshSpan();
  }

  #show(loss: number, learningRate: number): void {
    const [state, span, { epochs }] = [this.#state, this.#span, this.#run.plan];
    const seconds = (performance.now() - span.start) / 1000;
    if (seconds > 0.5) this.#speed = formatRate(span.tokens / seconds, 'tok');
    const running = this.#options.showRunningLoss
      ? `loss ${loss.toFixed(4)}  lr ${Number(learningRate.toPrecision(2))}`
      : '';
    const epoch = `epoch ${Math.min(state.epoch + 1, epochs)}/${epochs}`;
    this.#progress.update(state.global_step, [running, this.#speed, epoch].filter(Boolean).join('  '));
    this.#directory.touch();
  }

  /** What is due after a step: an evaluation, a checkpoint. */
  async #afterStep(): Promise<void> {
    const [state, options] = [this.#state, this.#options];
    const evaluates = this.#run.evaluate !== undefined && isDue(options.evaluateDuringTrainingSteps, state.global_step);
    if (evaluates) {
      state.step_pending = true;
      await this.#evaluate('step');
      state.step_pending = false;
    }
    const saves = isDue(options.saveSteps, state.global_step) || (evaluates && options.saveEvalCheckpoints);
    if (saves) await this.#checkpoint(`checkpoint-${state.global_step}`);
  }

  async #afterEpoch(): Promise<void> {
    const [state, options] = [this.#state, this.#options];
    const isEvaluated = state.progress_scores.at(-1)?.global_step === state.global_step;
    const evaluates = this.#run.evaluate !== undefined && options.evaluateEachEpoch;
    if (evaluates && !isEvaluated) await this.#evaluate('epoch');
    state.epoch++;
    state.batch_in_epoch = 0;
    if (state.global_step >= state.max_steps) state.finished ??= 'steps';
    const saves = options.saveModelEveryEpoch || (evaluates && options.saveEvalCheckpoints);
    if (saves) await this.#checkpoint(`checkpoint-${state.global_step}-epoch-${state.epoch}`);
  }

  async #evaluate(kind: 'step' | 'epoch'): Promise<void> {
    const { evaluate, signal, outputDir, loggers = [], callbacks } = this.#run;
    const [state, options] = [this.#state, this.#options];
    const { results, failures, samples } = await evaluate!(signal);
    for (const failure of failures) this.#progress.log(failure);
    const step = state.global_step;
    const { loss, steps } = state.since_evaluation;
    state.progress_scores.push({ global_step: step, train_loss: loss / Math.max(1, steps), ...results });
    state.since_evaluation = noSums();
    const scores = path.join(outputDir, 'training_progress_scores.csv');
    await writeFileWhole(scores, progressScoresCsv(state.progress_scores), 'outputDir');
    this.#log.write({ step, epoch: this.#epochsDone(), ...(results as { eval_loss: number }) });
    for (const logger of loggers) {
      logger.scalars(step, prefixed(results));
      if (samples !== undefined) logger.text(step, 'samples', samples);
    }
    if (options.evaluateDuringTrainingVerbose) {
      const shown = Object.entries(results).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
      this.#progress.log(`step ${step}: ${shown.join('  ')}`);
    }
    const value = results[options.earlyStoppingMetric];
    if (value !== undefined) {
      const { isBest, stop, state: best } = judge(state, value, step, kind, options);
      Object.assign(state, best);
      if (stop) state.finished = 'early stopping';
      if (isBest && options.saveBestModel && !options.noSave) {
        await this.#run.save(options.bestModelDir, savedState({ results }));
        await callbacks?.onSave?.(options.bestModelDir, step);
      }
    }
    await callbacks?.onEvaluate?.(results, step);
  }

  async #checkpoint(name: string): Promise<string | undefined> {
    const [state, options] = [this.#state, this.#options];
    if (options.noSave) return undefined;
    const { progress_scores: scores } = state;
    const results = scores.at(-1)?.global_step === state.global_step ? scores.at(-1) : undefined;
    const extra = savedState({
      state,
      optimizer: options.saveOptimizerAndScheduler ? this.#optimizer : undefined,
      results,
    });
    const save = (place: string) => this.#run.save(place, extra);
    const directory = await this.#directory.checkpoint(name, save, options.saveTotalLimit);
    this.#saved = { place: this.#place(), directory };
    await this.#run.callbacks?.onSave?.(directory, state.global_step);
    return directory;
  }

  /** A checkpoint of where the run is, unless the last one is just that. */
  async #saveHere(): Promise<string | undefined> {
    if (this.#saved?.place === this.#place()) return this.#saved.directory;
    return this.#checkpoint(`checkpoint-${this.#state.global_step}`);
  }

  async #saveInterrupted(): Promise<void> {
    if (this.#options.noSave || this.#state.global_step === 0) return;
    const directory = await this.#saveHere();
    this.#progress.log(
      `training: stopped at step ${this.#state.global_step}, saved in ${directory}. Resume from there.`,
    );
  }

  async #saveEnd(): Promise<void> {
    const { outputDir, callbacks } = this.#run;
    await this.#run.save(outputDir, savedState({}));
    // Last, since it says that the model beside it is the trained one.
    await this.#directory.note(this.#state);
    await callbacks?.onSave?.(outputDir, this.#state.global_step);
  }

  /** The batches of the epoch under way. */
  #epochPlan() {
    const { epoch } = this.#state;
    if (this.#plan?.epoch === epoch) return this.#plan;
    const { architecture, examples, options, plan, findDocuments } = this.#run;
    const batches = plan.epoch(epoch);
    const { gradientAccumulationSteps: together } = options;
    const make = (index: number) => {
      const rows = Array.from(batches.at(index), (row) => examples.at(row));
      const inStep = Math.min(together, batches.count - (index - (index % together)));
      return makeBatch(rows, architecture, { share: 1 / inStep, findDocuments });
    };
    // What is looked up depends on the weights, which the step before changes.
    const ahead = architecture.retrieval ? 0 : options.dataloaderNumWorkers;
    this.#plan = { epoch, batches, feed: new BatchFeed(make, batches.count, ahead) };
    return this.#plan;
  }

  #epochsDone(): number {
    const { epoch, batch_in_epoch: batches } = this.#state;
    return epoch + (batches === 0 ? 0 : batches / this.#epochPlan().batches.count);
  }

  #place(): string {
    const { global_step, epoch, batch_in_epoch, step_pending } = this.#state;
    return [global_step, epoch, batch_in_epoch, step_pending].join();
  }
}

/** Results as they are named among other numbers: `eval_bleu`. */
function prefixed(results: Readonly<Record<string, number>>): Record<string, number> {
  const entries = Object.entries(results);
  return Object.fromEntries(entries.map(([name, value]) => [name.startsWith('eval_') ? name : `eval_${name}`, value]));
}

/** Steps between two events; 0 and −1 stand for never. */
const isDue = (every: number, step: number) => every > 0 && step % every === 0;
