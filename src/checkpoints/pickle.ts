import type { InputFile } from './input-file.js';

// Pickles read as data. A pickle is a program for a small stack machine that may name any Python function ("global") and have
// it called; here only the globals of the caller's table exist, and the opcodes that torch.save writes for weights.
// https://github.com/python/cpython/blob/main/Lib/pickletools.py describes every opcode.

/** A pickle of weights takes a few hundred bytes a tensor; these bound what a hostile one can make us hold. */
const longestPickle = 1 << 22;
const mostContained = 1 << 18;

export interface PickleHost {
  /** What each known global, such as `collections.OrderedDict`, stands for; functions can be called. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The object behind a persistent id, which a pickle uses for what is stored outside it. */
  persistent(id: unknown): unknown;
}

/** Reads one pickle; `end` is the position behind it. Tuples and lists become arrays, dictionaries Maps. */
export function readPickle(
  file: InputFile,
  start: number,
  limit: number,
  host: PickleHost,
): { value: unknown; end: number } {
  const machine = new Machine(file, start, limit, host);
  return { value: machine.run(), end: machine.position };
}

const emptyTuple: readonly unknown[] = Object.freeze([]);

class Machine {
  readonly memo = new Map<number, unknown>();
  readonly host: PickleHost;
  stack: unknown[] = [];
  readonly #marked: unknown[][] = [];
  #contained = 0;

  readonly #file: InputFile;
  readonly #end: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart: number;
  position: number;

  constructor(file: InputFile, start: number, end: number, host: PickleHost) {
    this.#file = file;
    this.host = host;
    this.position = start;
    this.#windowStart = start;
    this.#end = Math.min(end, start + longestPickle);
  }

  run(): unknown {
    for (;;) {
      const code = this.take(1)[0]!;
      if (code === 0x2e /* STOP */) return this.pop();
      const operation = operations.get(code);
      if (!operation) {
        return this.refuse(
          `uses opcode 0x${code.toString(16).padStart(2, '0')}, which torch.save does not write for weights`,
        );
      }
      operation(this);
    }
  }

  /** The next bytes; valid until the next call. */
  take(count: number): Buffer {
    if (this.position + count > this.#end) {
      this.refuse(`needs ${count} bytes more, ${this.#end - this.position} are left for it`);
    }
    let offset = this.position - this.#windowStart;
    if (offset + count > this.#window.length) {
      this.#window = this.#file.bytes(this.position, Math.min(Math.max(count, 1 << 16), this.#end - this.position));
      this.#windowStart = this.position;
      offset = 0;
    }
    this.position += count;
    return this.#window.subarray(offset, offset + count);
  }

  line(): string {
    const characters: number[] = [];
    for (let byte = this.take(1)[0]!; byte !== 0x0a; byte = this.take(1)[0]!) characters.push(byte);
    return Buffer.from(characters).toString('utf8');
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  pop(): unknown {
    return this.popMany(1)[0];
  }

  popMany(count: number): unknown[] {
    if (this.stack.length < count) this.refuse('takes a value from an empty stack');
    return this.stack.splice(this.stack.length - count);
  }

  top(): unknown {
    const value = this.pop();
    this.stack.push(value);
    return value;
  }

  mark(): void {
    this.#marked.push(this.stack);
    this.stack = [];
  }

  popToMark(): unknown[] {
    const values = this.stack;
    this.stack = this.#marked.pop() ?? this.refuse('goes back to a mark that it has not set');
    return values;
  }

  pushContainer(container: unknown[] | Map<unknown, unknown>): void {
    this.#contained += 1 + (container instanceof Map ? container.size : 0);
    if (this.#contained > mostContained) this.refuse(`makes more than ${mostContained} lists and dictionaries`);
    this.push(container);
  }

  recall(index: number): void {
    if (!this.memo.has(index)) this.refuse(`recalls value ${index}, which it has not stored`);
    this.push(this.memo.get(index));
  }

  pushGlobal([module, name]: unknown[]): void {
    if (typeof module !== 'string' || typeof name !== 'string') this.refuse('names a global by what is no text');
    const global = `${module}.${name}`;
    if (!this.host.globals.has(global)) {
      this.#file.refuse(
        `wants to run code: its pickle names ${global.replace(/[^ -~]/g, '?').slice(0, 200)}, which plain weights do not need; nothing of it was run`,
        'Where you trust it, convert it to safetensors in Python; otherwise take another file.',
      );
    }
    this.push(this.host.globals.get(global));
  }

  call(): void {
    const [callable, values] = this.popMany(2);
    if (typeof callable !== 'function' || !Array.isArray(values)) this.refuse('calls what is no function');
    const result: unknown = callable(...values.slice(0, 16));
    if (result instanceof Map) this.pushContainer(result);
    else this.push(result);
  }

  append(values: unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list) || list === emptyTuple) this.refuse('appends to what is no list');
    for (const value of values) list.push(value);
  }

  setItems(values: unknown[]): void {
    const dictionary = this.top();
    if (!(dictionary instanceof Map) || values.length % 2 !== 0) this.refuse('sets items of what is no dictionary');
    for (let i = 0; i < values.length; i += 2) dictionary.set(values[i], values[i + 1]);
  }

  refuse(problem: string): never {
    return this.#file.refuse(`has a pickle that ${problem} (at byte ${this.position})`);
  }
}

type Operation = (machine: Machine) => unknown;

function signedInteger(bytes: Buffer): number | bigint {
  const hex = Buffer.from(bytes).reverse().toString('hex');
  const value = BigInt.asIntN(bytes.length * 8, hex === '' ? 0n : BigInt(`0x${hex}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x80, (m) => m.take(1)], // PROTO
  [0x95, (m) => m.take(8)], // FRAME
  [0x28, (m) => m.mark()], // MARK

  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4b, (m) => m.push(m.take(1)[0])], // BININT1
  [0x4d, (m) => m.push(m.take(2).readUInt16LE())], // BININT2
  [0x4a, (m) => m.push(m.take(4).readInt32LE())], // BININT
  [0x8a, (m) => m.push(signedInteger(m.take(m.take(1)[0]!)))], // LONG1
  [0x47, (m) => m.push(m.take(8).readDoubleBE())], // BINFLOAT
  [0x8c, (m) => m.push(m.take(m.take(1)[0]!).toString())], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.take(m.take(4).readUInt32LE()).toString())], // BINUNICODE
  [0x55, (m) => m.push(m.take(m.take(1)[0]!).toString())], // SHORT_BINSTRING: a string of Python 2
  [0x54, (m) => m.push(m.take(m.take(4).readUInt32LE()).toString())], // BINSTRING

  [0x5d, (m) => m.pushContainer([])], // EMPTY_LIST
  [0x7d, (m) => m.pushContainer(new Map())], // EMPTY_DICT
  [0x29, (m) => m.push(emptyTuple)], // EMPTY_TUPLE
  [0x85, (m) => m.push(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.push(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.push(m.popMany(3))], // TUPLE3
  [0x74, (m) => m.push(m.popToMark())], // TUPLE
  [0x61, (m) => m.append(m.popMany(1))], // APPEND
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x73, (m) => m.setItems(m.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS

  [0x71, (m) => m.memo.set(m.take(1)[0]!, m.top())], // BINPUT
  [0x72, (m) => m.memo.set(m.take(4).readUInt32LE(), m.top())], // LONG_BINPUT
  [0x94, (m) => m.memo.set(m.memo.size, m.top())], // MEMOIZE
  [0x68, (m) => m.recall(m.take(1)[0]!)], // BINGET
  [0x6a, (m) => m.recall(m.take(4).readUInt32LE())], // LONG_BINGET

  [0x63, (m) => m.pushGlobal([m.line(), m.line()])], // GLOBAL
  [0x93, (m) => m.pushGlobal(m.popMany(2))], // STACK_GLOBAL
  [0x52, (m) => m.call()], // REDUCE
  [0x62, (m) => m.pop()], // BUILD: attributes of an object, such as a state dictionary's _metadata; not needed
  [0x51, (m) => m.push(m.host.persistent(m.pop()))], // BINPERSID
]);
