/** Larger buffers are not kept for the next text. */
const KEPT = 1 << 20;

/** Bytes at the front of a buffer that grows and is used again for the next text. */
export class ByteBuffer {
  bytes = new Uint8Array(1 << 10);
  length = 0;

  /** Empties it; `room` bytes are needed at least. */
  clear(room: number): void {
    this.length = 0;
    if (this.bytes.length > KEPT && room < this.bytes.length >> 2) this.bytes = new Uint8Array(1 << 10);
    this.reserve(room);
  }

  /** Makes room for that many bytes more. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
