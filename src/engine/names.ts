import { addressOf } from './api.js';

/** A C array of NUL-terminated UTF-8 strings, `const char* const*`, at `address` as long as this object lives. */
export class NameArray {
  readonly address: bigint;
  readonly #text: Uint8Array;
  readonly #addresses: BigUint64Array;

  constructor(names: readonly string[]) {
    const encoded = names.map((name) => new TextEncoder().encode(`${name}\0`));
    this.#text = new Uint8Array(new ArrayBuffer(encoded.reduce((total, { length }) => total + length, 0)));
    this.#addresses = new BigUint64Array(new ArrayBuffer(8 * names.length));
    const start = addressOf(this.#text);
    let offset = 0;
    for (const [index, bytes] of encoded.entries()) {
      this.#text.set(bytes, offset);
      this.#addresses[index] = start + BigInt(offset);
      offset += bytes.length;
    }
    this.address = addressOf(this.#addresses);
  }
}
