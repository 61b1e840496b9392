const ROOT = 0;
const NONE = -1;

/** Pieces by their characters: a trie whose edges lie in one hash table, (node, character) → node. */
export class PieceTrie {
  #capacity = 1 << 12;
  #from = new Int32Array(this.#capacity).fill(NONE);
  #characters = new Int32Array(this.#capacity);
  #to = new Int32Array(this.#capacity);
  #pieces = new Int32Array(this.#capacity >> 1).fill(NONE);
  #nodes = 1;

  /** Piece `i` is `text[starts[i], starts[i] + lengths[i])`. */
  constructor(text: Int32Array, starts: Int32Array, lengths: Int32Array) {
    for (let piece = 0; piece < starts.length; piece++) {
      let node = ROOT;
      for (let k = 0; k < lengths[piece]!; k++) node = this.#stepOrAdd(node, text[starts[piece]! + k]!);
      this.#pieces[node] = piece;
    }
  }

  /** The node that a character leads to, or -1. The root is 0. */
  step(node: number, character: number): number {
    return character === 0 ? NONE : this.#to[this.#slot(node, character)]! || NONE;
  }

  /** The piece that ends at a node, or -1. */
  pieceAt(node: number): number {
    return this.#pieces[node]!;
  }

  /** Where an edge lies, or would. No edge leads to the root, so `to` is 0 where there is none. */
  #slot(node: number, character: number): number {
    const mask = this.#capacity - 1;
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(character, 0x85ebca6b)) >>> 7;
    for (slot &= mask; this.#from[slot] !== NONE; slot = (slot + 1) & mask) {
      if (this.#from[slot] === node && this.#characters[slot] === character) break;
    }
    return slot;
  }

  #stepOrAdd(node: number, character: number): number {
    let slot = this.#slot(node, character);
    if (this.#from[slot] !== NONE) return this.#to[slot]!;
    if (2 * (this.#nodes + 1) > this.#capacity) {
      this.#grow();
      slot = this.#slot(node, character);
    }
    this.#from[slot] = node;
    this.#characters[slot] = character;
    this.#to[slot] = this.#nodes;
    return this.#nodes++;
  }

  #grow(): void {
    const [from, characters, to, pieces] = [this.#from, this.#characters, this.#to, this.#pieces];
    this.#capacity *= 2;
    this.#from = new Int32Array(this.#capacity).fill(NONE);
    this.#characters = new Int32Array(this.#capacity);
    this.#to = new Int32Array(this.#capacity);
    this.#pieces = new Int32Array(this.#capacity >> 1).fill(NONE);
    this.#pieces.set(pieces);
    for (let i = 0; i < from.length; i++) {
      if (from[i] === NONE) continue;
      const slot = this.#slot(from[i]!, characters[i]!);
      this.#from[slot] = from[i]!;
      this.#characters[slot] = characters[i]!;
      this.#to[slot] = to[i]!;
    }
  }
}
