import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, fetch } from 'undici';
import { dispatcherFor, proxyFor } from '../hub/index.js';
import type { RunLogger } from './run-logger.js';
import { type WandbSettings, wandbSettings } from './wandb-settings.js';

// Runs on Weights & Biases, over the protocol of its own clients: a GraphQL mutation makes the run, and lines of files are
// posted to its file stream, `wandb-history.jsonl` with a line for each logged step among them.

const UPSERT = `mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String, $groupName: String,
  $displayName: String, $notes: String, $config: JSONString, $host: String, $program: String, $jobType: String,
  $sweep: String, $tags: [String!]) {
  upsertBucket(input: {id: $id, name: $name, modelName: $project, entityName: $entity, groupName: $groupName,
    displayName: $displayName, notes: $notes, config: $config, host: $host, jobProgram: $program, jobType: $jobType,
    sweep: $sweep, tags: $tags}) {
    bucket { id name displayName historyLineCount project { name entity { name } } }
    inserted
  }
}`;

/** Milliseconds: between two sendings, and until a request is given up. */
const EVERY = 2000;
const TIMEOUT = 10_000;
/** How long the end of a run waits for what is still to be sent. */
const PATIENCE = 10_000;
/** Lines kept while the network fails; the oldest go first. */
const MOST_LINES = 100_000;

export interface WandbStart {
  readonly project: string;
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The run's options. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The name of the run on the server unless another is given, so that a resumed run goes on there. */
  readonly id?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Milliseconds that `close` waits at most. */
  readonly patience?: number | undefined;
}

interface Bucket {
  readonly name: string;
  readonly historyLineCount: number | null;
  readonly project: { readonly name: string; readonly entity: { readonly name: string } };
}

/**
 * Sends a run's numbers to Weights & Biases, in the background. A network that fails costs a warning and lines, never the
 * run: what cannot be sent is kept, within bounds, and tried again.
 */
export class WandbLogger implements RunLogger {
  readonly #settings: WandbSettings;
  readonly #start: WandbStart;
  readonly #id: string;
  readonly #begun = Date.now();
  readonly #lines: string[] = [];
  readonly #texts = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #sending: Promise<void>;
  #summary: Record<string, unknown> = {};
  /** Goes through the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. */
  #dispatcher: Dispatcher | undefined;
  #offset = 0;
  #lost = 0;
  #warned = false;

  private constructor(start: WandbStart, settings: WandbSettings) {
    this.#start = start;
    this.#settings = settings;
    this.#id = settings.texts.id ?? start.id ?? randomBytes(4).toString('hex');
    this.#sending = this.#send();
  }

  /** A logger, or none, with the reason on stderr, where nothing can be sent. */
  static start(start: WandbStart): WandbLogger | undefined {
    const settings = wandbSettings(start.project, start.kwargs, start.env);
    if (settings.mode === 'disabled' || settings.mode === 'offline') return undefined;
    if (settings.apiKey === undefined) {
      warn('there is no API key. Set WANDB_API_KEY; training goes on without it.');
      return undefined;
    }
    return new WandbLogger(start, settings);
  }

  scalars(step: number, values: Readonly<Record<string, number>>): void {
    this.#push({ _step: step, ...values });
  }

  text(step: number, tag: string, markdown: string): void {
    if (this.#texts.get(tag) === markdown) return;
    this.#texts.set(tag, markdown);
    this.#push({ _step: step, [tag]: markdown });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const waiting = new AbortController();
    const patience = this.#start.patience ?? PATIENCE;
    const gaveUp = delay(patience, undefined, { signal: waiting.signal }).catch(() => undefined);
    await Promise.race([this.#sending, gaveUp]);
    waiting.abort();
    // Connections that wait for more would keep the process.
    await this.#dispatcher?.destroy();
    const left = this.#lines.length + this.#lost;
    if (left > 0) warn(`${left} lines could not be sent within ${patience / 1000} seconds and are lost.`);
  }

  #push(values: Readonly<Record<string, unknown>>): void {
    const now = Date.now();
    const line = { ...values, _runtime: (now - this.#begun) / 1000, _timestamp: now / 1000 };
    // JSON has no NaN; the server takes its name.
    this.#lines.push(
      JSON.stringify(line, (_, value) =>
        typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
      ),
    );
    this.#summary = { ...this.#summary, ...line };
    if (this.#lines.length <= MOST_LINES) return;
    this.#lines.shift();
    this.#lost++;
  }

  async #send(): Promise<void> {
    const bucket = await this.#untilDone(() => this.#upsert());
    if (!bucket) return;
    const { project, name } = bucket;
    const place = `${project.entity.name}/${project.name}`;
    const site = this.#settings.baseUrl.replace('://api.', '://');
    process.stderr.write(`wandb: ${site}/${place}/runs/${name}\n`);
    this.#offset = bucket.historyLineCount ?? 0;
    const stream = `${this.#settings.baseUrl}/files/${place}/${name}/file_stream`;
    for (let isLast = false; !isLast; ) {
      isLast = this.#stop.signal.aborted;
      await this.#untilDone(() => this.#post(stream, isLast));
      if (!isLast) await this.#pause(EVERY);
    }
  }

  async #upsert(): Promise<Bucket> {
    const { texts, project, sweep, tags, config } = this.#settings;
    const all = { ...this.#start.config, ...config };
    const variables = {
      name: this.#id,
      project,
      entity: texts.entity,
      groupName: texts.group,
      displayName: texts.name,
      notes: texts.notes,
      config: JSON.stringify(
        Object.fromEntries(Object.entries(all).map(([key, value]) => [key, { value: value ?? null }])),
      ),
      host: hostname(),
      program: 'seq2seq',
      jobType: texts.job_type,
      sweep,
      tags,
    };
    const answer = await this.#request(`${this.#settings.baseUrl}/graphql`, { query: UPSERT, variables });
    const { data, errors } = answer as { data?: { upsertBucket?: { bucket: Bucket } }; errors?: { message: string }[] };
    if (errors?.length) throw new Error(errors.map(({ message }) => message).join('; '));
    if (!data?.upsertBucket) throw new Error('the server made no run');
    return data.upsertBucket.bucket;
  }

  async #post(url: string, isLast: boolean): Promise<void> {
    const content = this.#lines.slice(0, 1000);
    if (content.length > 0 || isLast) {
      const files = {
        'wandb-history.jsonl': { offset: this.#offset, content },
        'wandb-summary.json': { offset: 0, content: [JSON.stringify(this.#summary)] },
      };
      const end = isLast && content.length === this.#lines.length ? { complete: true, exitcode: 0 } : {};
      await this.#request(url, { ...(content.length > 0 && { files }), ...end });
      this.#lines.splice(0, content.length);
      this.#offset += content.length;
    }
    if (this.#lines.length > 0) await this.#post(url, isLast);
  }

  async #request(url: string, body: object): Promise<unknown> {
    const key = Buffer.from(`api:${this.#settings.apiKey}`).toString('base64');
    const proxy = proxyFor(new URL(url), {}, this.#start.env ?? process.env);
    this.#dispatcher ??= dispatcherFor(proxy, TIMEOUT);
    const response = await fetch(url, {
      dispatcher: this.#dispatcher,
      method: 'POST',
      headers: { authorization: `Basic ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await response.text();
    if (response.ok) return text === '' ? {} : (JSON.parse(text) as unknown);
    const reason = `the server answers ${response.status}: ${text.slice(0, 200)}`;
    // Requests that are wrong stay wrong; others may be taken later.
    throw new Error(reason, { cause: response.status < 500 && response.status !== 429 ? 'refused' : undefined });
  }

  /** Tries until it works, with longer and longer pauses; nothing when it is refused, or when the run ends before. */
  async #untilDone<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (let pause = 1000; ; pause = Math.min(30_000, 2 * pause)) {
      try {
        return await work();
      } catch (error) {
        const refused = (error as Error).cause === 'refused';
        if (!this.#warned) {
          const next = refused ? 'Training goes on without it.' : 'Training goes on; it is tried again.';
          warn(`${describe(error)}. ${next}`);
        }
        this.#warned = true;
        if (refused || this.#stop.signal.aborted) return undefined;
      }
      await this.#pause(pause);
    }
  }

  /** Waits, but not beyond the end of the run, and does not keep the process. */
  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
  }
}

function describe(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message})` : message;
}

function warn(what: string): void {
  process.stderr.write(`wandb: ${what}\n`);
}
