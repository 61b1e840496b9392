import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { optionsTable, samplesTable, TensorBoardLogger } from './index.js';
import { maskedCrc } from './tensorboard.js';

const folder = mkdtempSync(path.join(tmpdir(), 'events-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Field = { field: number; value: number | Buffer };

/** A message's fields; read here from the wire format alone. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const field = key >> 3;
    if ((key & 7) === 0) fields.push({ field, value: varint() });
    else if ((key & 7) === 1) {
      fields.push({ field, value: bytes.readDoubleLE(at) });
      at += 8;
    } else if ((key & 7) === 5) {
      fields.push({ field, value: bytes.readFloatLE(at) });
      at += 4;
    } else {
      const length = varint();
      fields.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  expect(at).toBe(bytes.length);
  return fields;
}
const get = (bytes: Buffer, ...way: number[]): number | Buffer | undefined => {
  let value: number | Buffer | undefined = bytes;
  for (const step of way)
    value = Buffer.isBuffer(value) ? fieldsOf(value).find(({ field }) => field === step)?.value : undefined;
  return value;
};

function eventsIn(directory: string): Buffer[] {
  const [name] = readdirSync(directory);
  const bytes = readFileSync(path.join(directory, name!));
  const events: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(maskedCrc(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(maskedCrc(data));
    events.push(data);
    at += 16 + length;
  }
  return events;
}

describe('an event file', () => {
  it('has the sums that TensorFlow computes', () => {
    // CRC-32C of "123456789" is e3069283; of 32 zeros 8a9136aa (RFC 3720).
    const unmasked = (masked: number) => {
      const rotated = (masked - 0xa282ead8) >>> 0;
      return ((rotated << 15) | (rotated >>> 17)) >>> 0;
    };
    expect(unmasked(maskedCrc(Buffer.from('123456789')))).toBe(0xe3069283);
    expect(unmasked(maskedCrc(Buffer.alloc(32)))).toBe(0x8a9136aa);
  });

  it('starts with its version, and holds numbers and texts by step', async () => {
    const directory = path.join(folder, 'run');
    const logger = new TensorBoardLogger(directory);
    logger.scalars(300, { lr: 0.5, loss: Number.NaN, eval_loss: Number.POSITIVE_INFINITY });
    logger.text(2 ** 40, 'samples', 'ä | 😀');
    await logger.close();
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+$/)]);
    const [version, numbers, text] = eventsIn(directory) as [Buffer, Buffer, Buffer];
    expect(String(get(version, 3))).toBe('brain.Event:2');
    expect(Math.abs((get(version, 1) as number) - Date.now() / 1000)).toBeLessThan(60);
    expect(get(numbers, 2)).toBe(300);
    const values = fieldsOf(get(numbers, 5) as Buffer).map(({ value }) => [
      String(get(value as Buffer, 1)),
      get(value as Buffer, 2),
    ]);
    expect(values).toEqual([
      ['lr', 0.5],
      ['loss', Number.NaN],
      ['eval_loss', Number.POSITIVE_INFINITY],
    ]);
    expect(get(text, 2)).toBe(2 ** 40);
    expect(String(get(text, 5, 1, 1))).toBe('samples/text_summary');
    expect(String(get(text, 5, 1, 9, 1, 1))).toBe('text');
    expect(get(text, 5, 1, 8, 1)).toBe(7);
    expect(get(text, 5, 1, 8, 2, 2, 1)).toBe(1);
    expect(String(get(text, 5, 1, 8, 8))).toBe('ä | 😀');
  });

  it('of a resumed run says from which step on earlier ones no longer count', async () => {
    const directory = path.join(folder, 'resumed');
    await new TensorBoardLogger(directory, 20).close();
    const [, start] = eventsIn(directory) as [Buffer, Buffer];
    expect([get(start, 2), get(start, 7, 1)]).toEqual([21, 1]);
  });

  it('that cannot be written costs a warning', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const said = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    const logger = new TensorBoardLogger(path.join(file, 'below'));
    logger.scalars(1, { loss: 1 });
    await logger.close();
    expect(said.mock.calls.map(([line]) => line)).toEqual([expect.stringMatching(/^tensorboard: .*Training goes on/)]);
    said.mockRestore();
  });
});

it('writes tables whose cells keep their texts', () => {
  expect(optionsTable({ learningRate: 1e-4, seed: undefined })).toBe(
    '| Option | Value |\n| --- | --- |\n| learningRate | 0.0001 |\n| seed | unset |',
  );
  expect(optionsTable({ metric: Math.max })).toContain('| metric | function max() { [native code] } |');
  const sample = { source: 'a|b', truth: 'c\r\nd', prediction: '<e>' };
  expect(samplesTable([sample])).toContain('| a\\|b | c d | \\<e\\> |');
});
