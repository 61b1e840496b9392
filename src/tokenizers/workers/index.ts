export { DecoderPool } from './decoder-pool.js';
export { encodeChunks } from './encode-chunks.js';
