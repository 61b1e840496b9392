import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { content, double, float, integer, message } from './protobuf.js';
import type { RunLogger } from './run-logger.js';

// An event file is a row of records: u64 length · masked CRC-32C of it · data · masked CRC-32C of the data. The data is a
// message `Event` (tensorboard/compat/proto/event.proto): wall_time 1 · step 2 · file_version 3 · summary 5 · session_log 7.

const VERSION = 'brain.Event:2';
/** DataType of a tensor of texts. */
const DT_STRING = 7;
/** SessionStatus: events of this step and later that earlier files have are no longer true. */
const START = 1;

let files = 0;

/** Event files that TensorBoard reads, as PyTorch's SummaryWriter writes them. A disk that fails costs the log, not the run. */
export class TensorBoardLogger implements RunLogger {
  readonly #stream: WriteStream | undefined;
  #failed = false;

  /** @param resumedAt the step that a resumed run goes on from; what was logged behind it is dropped by TensorBoard */
  constructor(directory: string, resumedAt = 0) {
    const now = Math.floor(Date.now() / 1000);
    const name = `events.out.tfevents.${now}.${hostname()}.${process.pid}.${files++}`;
    try {
      mkdirSync(directory, { recursive: true });
      this.#stream = createWriteStream(path.join(directory, name), { flags: 'wx' });
      this.#stream.on('error', (error) => this.#fail(error));
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#write(content(3, VERSION), 0);
    if (resumedAt > 0) this.#write(content(7, integer(1, START)), resumedAt + 1);
  }

  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const summary = Object.entries(values).map(([tag, value]) => content(1, message(content(1, tag), float(2, value))));
    this.#write(content(5, message(...summary)), step);
  }

  text(step: number, tag: string, markdown: string): void {
    const shape = content(2, content(2, integer(1, 1)));
    const tensor = message(integer(1, DT_STRING), shape, content(8, markdown));
    const metadata = content(1, content(1, 'text'));
    const value = message(content(1, `${tag}/text_summary`), content(9, metadata), content(8, tensor));
    this.#write(content(5, content(1, value)), step);
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    if (!stream || this.#failed) return;
    await new Promise<void>((resolve) => {
      stream.once('error', () => resolve());
      stream.end(() => resolve());
    });
  }

  #write(what: Uint8Array, step: number): void {
    if (this.#failed) return;
    this.#stream?.write(record(message(double(1, Date.now() / 1000), integer(2, step), what)));
  }

  #fail(error: Error): void {
    if (!this.#failed)
      process.stderr.write(`tensorboard: ${error.message}. Training goes on without its event file.\n`);
    this.#failed = true;
  }
}

function record(data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + data.length + 4);
  bytes.writeBigUInt64LE(BigInt(data.length), 0);
  bytes.writeUInt32LE(maskedCrc(bytes.subarray(0, 8)), 8);
  bytes.set(data, 12);
  bytes.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return bytes;
}

/** CRC-32C (Castagnoli), reflected. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** TensorFlow's mask, so that the sum of data with sums in it is not special: rotated by 15 and moved. */
export function maskedCrc(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
