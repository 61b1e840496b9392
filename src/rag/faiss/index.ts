/** Indexes of vectors in Faiss's own files: read, searched, built. */

export { FaissReader } from './binary.js';
export { type BuildIndexOptions, buildIndex, type IndexType, type VectorSource, writeIndexFile } from './build.js';
export { type IndexFile, readIndexFile } from './format.js';
export { type Nearest, type OpenIndexOptions, openIndex, type VectorIndex } from './open.js';
