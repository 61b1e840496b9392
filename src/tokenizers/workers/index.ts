export { encodeChunks } from './encode-chunks.js';
