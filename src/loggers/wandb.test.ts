import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WandbLogger } from './index.js';
import { wandbSettings } from './wandb-settings.js';

interface Request {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: { query?: string; variables?: Record<string, unknown> } & Record<string, unknown>;
}

let server: Server;
let requests: Request[];
/** Status of the next answers; 200 when none is left. */
let statuses: number[];
let said: string[];
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  requests = [];
  statuses = [];
  said = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  server = createServer((request, response) => {
    void read(request).then((text) => {
      const body = JSON.parse(text) as Request['body'];
      requests.push({ url: request.url!, authorization: request.headers.authorization, body });
      response.statusCode = statuses.shift() ?? 200;
      const { name, project, entity = 'me' } = body.variables ?? {};
      const bucket = { name, historyLineCount: 0, project: { name: project, entity: { name: entity } } };
      const answer = request.url?.endsWith('/graphql') ? { data: { upsertBucket: { bucket, inserted: true } } } : {};
      response.end(response.statusCode === 200 ? JSON.stringify(answer) : 'no');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  env = { WANDB_BASE_URL: `http://127.0.0.1:${port}`, WANDB_API_KEY: 'secret', NETRC: '/nowhere' };
});
afterEach(async () => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

const historyOf = (sent: Request[]) =>
  sent.flatMap(({ body }) => {
    const { files } = body as { files?: Record<string, { content: string[] }> };
    return (files?.['wandb-history.jsonl']?.content ?? []).map((line) => JSON.parse(line) as Record<string, unknown>);
  });

describe('a run on Weights & Biases', () => {
  it('is made with its options, and gets every line, its summary and its end', async () => {
    const kwargs = { name: 'first', entity: 'team', tags: ['a', 'b'], jobType: 'train' };
    const logger = WandbLogger.start({
      project: 'p',
      kwargs,
      config: { learningRate: 1e-4, seed: undefined },
      id: 'r1',
      env,
    })!;
    logger.scalars(50, { loss: 2, lr: 0.1 });
    logger.scalars(100, { loss: Number.NaN });
    logger.text(100, 'samples', '| a |');
    await logger.close();
    const [made, ...sent] = requests;
    expect(made!.url).toBe('/graphql');
    expect(made!.authorization).toBe(`Basic ${Buffer.from('api:secret').toString('base64')}`);
    expect(made!.body.query).toContain('upsertBucket(input:');
    expect(made!.body.variables).toMatchObject({
      name: 'r1',
      project: 'p',
      entity: 'team',
      displayName: 'first',
      jobType: 'train',
      tags: ['a', 'b'],
    });
    expect(JSON.parse(made!.body.variables!.config as string)).toEqual({
      learningRate: { value: 1e-4 },
      seed: { value: null },
    });
    expect(new Set(sent.map(({ url }) => url))).toEqual(new Set(['/files/team/p/r1/file_stream']));
    expect(historyOf(sent)).toMatchObject([
      { _step: 50, loss: 2, lr: 0.1 },
      { _step: 100, loss: 'NaN' },
      { samples: '| a |' },
    ]);
    for (const line of historyOf(sent)) expect(line._timestamp).toBeGreaterThan(1e9);
    expect(sent.at(-1)!.body).toMatchObject({ complete: true, exitcode: 0 });
    expect(said).toEqual([expect.stringMatching(/^wandb: http:.*\/team\/p\/runs\/r1\n$/)]);
  });

  it('of a sweep says so, and settings come from the variables as well', async () => {
    const sweeping = { ...env, WANDB_SWEEP_ID: 's1', WANDB_RUN_ID: 'r2', WANDB_ENTITY: 'team', WANDB_NAME: 'n' };
    const logger = WandbLogger.start({ project: 'p', kwargs: {}, config: {}, id: 'other', env: sweeping })!;
    await logger.close();
    expect(requests[0]!.body.variables).toMatchObject({ name: 'r2', sweep: 's1', entity: 'team', displayName: 'n' });
  });

  it('goes on when the network fails for a while, and loses nothing', async () => {
    statuses = [503];
    const logger = WandbLogger.start({ project: 'p', kwargs: {}, config: {}, env })!;
    logger.scalars(1, { loss: 1 });
    await vi.waitFor(() => expect(requests.length).toBeGreaterThan(2), { timeout: 5000 });
    await logger.close();
    expect(historyOf(requests)).toMatchObject([{ _step: 1, loss: 1 }]);
    expect(said.filter((line) => line.includes('503'))).toHaveLength(1);
  });

  it('costs a warning when it is refused, or when there is no server at all', async () => {
    statuses = [401];
    const refused = WandbLogger.start({ project: 'p', kwargs: {}, config: {}, env })!;
    refused.scalars(1, { loss: 1 });
    await refused.close();
    const nowhere = { ...env, WANDB_BASE_URL: 'http://127.0.0.1:9' };
    const alone = WandbLogger.start({ project: 'p', kwargs: {}, config: {}, env: nowhere, patience: 300 })!;
    alone.scalars(1, { loss: 1 });
    const start = performance.now();
    await alone.close();
    expect(performance.now() - start).toBeLessThan(2000);
    expect(said.filter((line) => /^wandb: the server answers 401/.test(line))).toHaveLength(1);
    expect(said.filter((line) => /^wandb: 1 lines could not be sent/.test(line))).toHaveLength(2);
  });

  it('goes through a proxy where one is named', async () => {
    const behind = { ...env, HTTP_PROXY: env.WANDB_BASE_URL, WANDB_BASE_URL: 'http://wandb.example' };
    const logger = WandbLogger.start({ project: 'p', kwargs: {}, config: {}, env: behind })!;
    logger.scalars(1, { loss: 1 });
    await logger.close();
    expect(requests[0]!.url).toBe('http://wandb.example/graphql');
    expect(historyOf(requests)).toMatchObject([{ _step: 1, loss: 1 }]);
  });

  it('is left out without a key, and where it is turned off', () => {
    const start = (more: NodeJS.ProcessEnv) =>
      WandbLogger.start({ project: 'p', kwargs: {}, config: {}, env: { ...env, ...more } });
    expect(start({ WANDB_API_KEY: '' })).toBeUndefined();
    expect(said).toEqual([expect.stringContaining('Set WANDB_API_KEY')]);
    expect(start({ WANDB_MODE: 'disabled' })).toBeUndefined();
    expect(requests).toEqual([]);
  });
});

describe('settings', () => {
  it('refuse what wandb.init does not have here', () => {
    expect(() => wandbSettings('p', { entitty: 'x' }, env)).toThrow(
      'wandbKwargs: there is no "entitty". Did you mean "entity"?',
    );
  });

  it('take the key that `wandb login` keeps', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'netrc-'));
    const NETRC = path.join(folder, 'netrc');
    writeFileSync(NETRC, 'machine other.host login a password b\nmachine api.wandb.ai\n  login user\n  password key\n');
    expect(wandbSettings('p', {}, { NETRC }).apiKey).toBe('key');
    rmSync(folder, { recursive: true });
  });
});
