/** Datasets on disk as Python's datasets library writes and reads them. */
export { type FoundDataset, findDataset } from './directory.js';
export { type KnowledgeDataset, type OpenDatasetOptions, openDataset } from './open.js';
export { type DatasetShard, writeDatasetFiles, writeShard } from './write.js';
