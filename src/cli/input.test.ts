import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { requireReadable } from './input.js';

const folder = mkdtempSync(join(tmpdir(), 'seq2seq-input-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('requireReadable', () => {
  it('says why a path will not do', () => {
    expect(() => requireReadable(join(folder, 'none'), 'train')).toThrow(
      /^train: cannot read .*none: no such file or directory/,
    );
    expect(() => requireReadable(folder, 'train')).toThrow(/^train: .* is a directory\. Name a file\.$/);
  });
});
