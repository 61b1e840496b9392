export { Random, shuffledIndices } from './random.js';
