import { fail } from '../errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Typed access to a Hugging Face `config.json`; a missing or wrong field is an error that names it. */
export class ConfigReader {
  readonly #json: JsonObject;
  readonly #section: string;

  /** @param section what stands before a field's name in errors */
  constructor(json: JsonObject, section = '') {
    this.#json = json;
    this.#section = section;
  }

  /** A config inside this one, of a part of a composite model. */
  section(name: string): ConfigReader {
    const value = this.#read(name, undefined);
    if (typeof value !== 'object' || Array.isArray(value)) return this.#refuse(name, value, 'the config of a part');
    return new ConfigReader(value as JsonObject, `${this.#section}${name}.`);
  }

  /** A field's name as errors have it. */
  path(name: string): string {
    return this.#section + name;
  }

  /** A whole number of at least `least`. */
  integer(name: string, { fallback, least = 0 }: { fallback?: number; least?: number } = {}): number {
    const value = this.#read(name, fallback);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least) {
      return this.#refuse(name, value, `a whole number of at least ${least}`);
    }
    return value;
  }

  tokenId(name: string, vocabSize: number, fallback: number): number {
    const id = this.integer(name, { fallback });
    if (id < vocabSize) return id;
    return fail('config.json', `${this.path(name)} ${id} lies outside the vocabulary of ${vocabSize} tokens.`);
  }

  optionalInteger(name: string): number | undefined {
    return this.#json[name] == null ? undefined : this.integer(name);
  }

  number(name: string, fallback?: number): number {
    const value = this.#read(name, fallback);
    if (typeof value !== 'number' || !Number.isFinite(value)) return this.#refuse(name, value, 'a number');
    return value;
  }

  /** A number in [0, 1). */
  rate(name: string, fallback: number): number {
    const value = this.number(name, fallback);
    if (value < 0 || value >= 1) return this.#refuse(name, value, 'a rate of at least 0 and less than 1');
    return value;
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#read(name, fallback);
    if (typeof value !== 'boolean') return this.#refuse(name, value, 'true or false');
    return value;
  }

  string(name: string, fallback?: string): string {
    const value = this.#read(name, fallback);
    if (typeof value !== 'string') return this.#refuse(name, value, 'a string');
    return value;
  }

  #read(name: string, fallback: unknown): unknown {
    const value = this.#json[name] ?? fallback;
    if (value === undefined)
      fail('config.json', `"${this.path(name)}" is missing. Add it, or load a complete checkpoint.`);
    return value;
  }

  #refuse(name: string, value: unknown, expected: string): never {
    return fail('config.json', `"${this.path(name)}" is ${JSON.stringify(value)}; it must be ${expected}.`);
  }
}
