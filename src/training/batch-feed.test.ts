import { expect, it } from 'vitest';
import type { Batch } from './batch.js';
import { BatchFeed } from './batch-feed.js';

it.each([
  [0, [0, 1, 2, 3]],
  [1, [0, 1, 2, 3]],
  [2, [0, 1, 2, 3]],
])('makes %d batches ahead, each once, and none behind the last', async (ahead, all) => {
  const made: number[] = [];
  const make = (index: number) => {
    made.push(index);
    return { rows: index } as Batch;
  };
  const feed = new BatchFeed(make, 4, ahead);
  for (const index of all) {
    expect((await feed.take(index)).rows).toBe(index);
    feed.prepare(index);
    expect(made).toEqual(all.slice(0, Math.min(4, index + 1 + ahead)));
  }
});
